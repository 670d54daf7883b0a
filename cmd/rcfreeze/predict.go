package main

import (
	"context"

	"github.com/rcfreeze/rcfreeze"
	"github.com/spf13/cobra"
)

// predictCommand tells the classes of images.
type predictCommand struct {
	*printer
	options rcfreeze.PredictOptions
	data    dataFlags
	runtime runtimeFlags
}

func newPredict(p *printer) *cobra.Command {
	c := predictCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "predict MODEL IMAGE...",
		Short: "Print the most probable classes of image files",
		Long: `Print the most probable classes of PNG and JPEG files, or of all such files in folders. The names of the classes are
those that the model records, or those in the file of --classes. Without either, classes are numbers.`,
		Example: `# The 5 most probable classes of one image
rcfreeze predict trained.onnx photo.jpg
# The most probable class of each image in a folder
rcfreeze predict trained.onnx photos --top 1
# Say what the model does not record: the names of its classes, and the pixels that it takes
rcfreeze predict model.onnx photo.jpg --classes classes.txt --pixels -1:1`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], args[1:]) },
	}
	c.data.addReading(cmd.Flags(), "needed if it records nothing")
	addLogits(cmd.Flags(), &c.options.Logits)
	c.runtime.add(cmd.Flags())
	cmd.Flags().IntVar(&c.options.Top, "top", rcfreeze.DefaultTop, "how many classes to print for each image")
	return cmd
}

func (c *predictCommand) run(ctx context.Context, path string, images []string) error {
	o := c.options
	o.Runtime, o.Reporter = c.runtime.options, c.reporter()
	err := c.data.settle(&o.Data)
	predict := func(ctx context.Context, m *rcfreeze.Model, o rcfreeze.PredictOptions) (*rcfreeze.Predictions, error) {
		return rcfreeze.Predict(ctx, m, images, o)
	}
	return perform(ctx, c.printer, path, err, o, predict, c.print)
}

func (c *predictCommand) print(r *rcfreeze.Predictions) {
	var rows []tableRow
	for _, p := range r.Images {
		image := p.Image
		for _, l := range p.Classes {
			rows = append(rows, tableRow{image, l.Class, percent(l.Probability)})
			image = "" // names one row only
		}
	}
	c.table(tableRow{"image", "class", "probability"}, rows)
}
