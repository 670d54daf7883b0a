package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/spf13/cobra"
)

// predictCommand tells the classes of images.
type predictCommand struct {
	*printer
	data    dataFlags
	logits  logitsFlag
	runtime runtimeFlags
	top     int
}

// predictResult is what predict prints as JSON.
type predictResult struct {
	Model       string        `json:"model"`
	Normalize   normalization `json:"normalize"`
	Predictions []prediction  `json:"predictions"`
}

// prediction is what a model says of an image.
type prediction struct {
	Image   string       `json:"image"`
	Classes []likelihood `json:"classes"` // the most probable first
}

type likelihood struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
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
	c.data.addReading(cmd.Flags())
	c.logits.add(cmd.Flags())
	c.runtime.add(cmd.Flags())
	cmd.Flags().IntVar(&c.top, "top", 5, "how many classes to print for each image")
	return cmd
}

func (c *predictCommand) run(ctx context.Context, path string, images []string) error {
	if err := usage(c.data.check()); err != nil {
		return err
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	if err := c.logits.apply(m); err != nil {
		return err
	}
	var o evaluate.Options
	o.Workers = c.asMany("--workers", c.data.workers)
	if o.Session, err = c.runtime.start(c.printer); err != nil {
		return err
	}
	names, err := c.classNames(m)
	if err != nil {
		return err
	}
	o.Normalize, err = c.data.normalization(ctx, c.printer, m, func() (*dataset.Dataset, error) { return nil, errors.New("predict reads none") })
	if err != nil {
		return err
	}
	shape, err := c.data.shape(m)
	if err != nil {
		return err
	}
	set, err := dataset.OpenImages(images, dataset.Options{Shape: shape, ShortSide: c.data.shortSide, Limits: c.data.limits.limits()})
	if err != nil {
		return err
	}
	for _, note := range set.Notes {
		c.say("%s", note)
	}
	c.say("normalization of images: %s", normalization(o.Normalize))
	r := predictResult{Model: m.Path(), Normalize: normalization(o.Normalize), Predictions: []prediction{}}
	if err := c.predict(ctx, m, set, o, func(i int, p []float64) {
		r.Predictions = append(r.Predictions, prediction{set.Name(i), mostLikely(p, names, c.top)})
	}); err != nil {
		return fmt.Errorf("predicting with %s: %w", m.Path(), err)
	}
	return c.result(r, func() { c.print(r) })
}

// classNames returns the names of the classes that the model tells apart, nil if they have none, after it is settled which
// output does so.
func (c *predictCommand) classNames(m *onnxgraph.Model) ([]string, error) {
	names, err := c.data.classNames(m)
	if err != nil {
		return nil, err
	}
	if _, err := transform.Logits(m); err != nil && names == nil {
		return nil, err
	}
	if err := c.data.settleLogits(c.printer, m, dataset.All, names); err != nil {
		return nil, err
	}
	if n := c.data.settled.classes; names != nil && n != 0 && n != len(names) {
		return nil, fmt.Errorf("%s tells %d classes apart, but there are %d class names for it: give the right names, in the order of its outputs (--classes FILE)", m.Path(), n, len(names))
	}
	if names == nil {
		c.say("%s does not name its classes, which are told by their numbers, from 0; --classes names them", m.Path())
	}
	return names, nil
}

// predictedAtOnce is how many images are predicted at a time by a model that takes any number.
const predictedAtOnce = 16

func (c *predictCommand) predict(ctx context.Context, m *onnxgraph.Model, set *dataset.Dataset, o evaluate.Options, each func(i int, p []float64)) error {
	o.BatchSize = min(set.Len(), predictedAtOnce)
	if input, err := batch.Input(m); err == nil {
		if dims, ok := input.Shape(); ok && dims[0].Size > 0 {
			o.BatchSize = int(dims[0].Size)
		}
	}
	fitted, image, err := fit(m, set, o.BatchSize)
	if err != nil {
		return err
	}
	bar := c.progress()
	defer bar.clear()
	o.Progress = func(done int) { bar.show("predicting", done, set.Len(), "images") }
	return evaluate.Predict(ctx, fitted, image, set, o, each)
}

// mostLikely returns the most probable classes, of equal ones those that come first.
func mostLikely(p []float64, names []string, n int) []likelihood {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	var list []likelihood
	for _, class := range order[:min(n, len(order))] {
		list = append(list, likelihood{className(names, class), p[class]})
	}
	return list
}

func (c *predictCommand) print(r predictResult) {
	var rows []tableRow
	for _, p := range r.Predictions {
		image := p.Image
		for _, l := range p.Classes {
			rows = append(rows, tableRow{image, l.Class, percent(l.Probability)})
			image = "" // names one row only
		}
	}
	c.table(tableRow{"image", "class", "probability"}, rows)
}
