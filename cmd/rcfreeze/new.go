package main

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/spf13/cobra"
)

// newCommand builds a reference architecture.
type newCommand struct {
	*printer
	options rcfreeze.NewOptions
	output  outputFlags
	input   string
}

func newNew(p *printer) *cobra.Command {
	c := newCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "new ARCHITECTURE -o OUT",
		Short: "Build a reference architecture, to train from scratch",
		Long:  "Build a reference architecture with random weights, to train from scratch.\n\nThe architectures:\n" + architectureList(),
		Example: `# A ResNet-20 for the images of CIFAR-10
rcfreeze new cifar-resnet -o resnet20.onnx --depth 20 --width 16 --classes 10 --input 3x32x32
# A LeNet-5 for gray images of 28×28 pixels
rcfreeze new lenet -o lenet.onnx`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: architecture.Names(),
		RunE:      func(_ *cobra.Command, args []string) error { return c.run(args[0]) },
	}
	c.output.add(cmd)
	flags := cmd.Flags()
	flags.IntVar(&c.options.Depth, "depth", 0, "number of layers (0: the architecture's default)")
	flags.IntVar(&c.options.Width, "width", 0, "filters of the first convolution (0: the architecture's default)")
	flags.IntVar(&c.options.Classes, "classes", 0, "number of classes (0: the architecture's default)")
	flags.StringVar(&c.input, "input", "", "size of the images as channels, height and width, such as 3x32x32 (default: the architecture's)")
	flags.Uint64Var(&c.options.Seed, "seed", 0, "seed for the random weights (default 0)")
	return cmd
}

func architectureList() string {
	var b strings.Builder
	for _, a := range architecture.All() {
		d := a.Defaults
		fmt.Fprintf(&b, "  %-14s %s; default depth %d, width %d, classes %d, input %dx%dx%d\n",
			a.Name, a.Doc, d.Depth, d.Width, d.Classes, d.Channels, d.ImageHeight, d.ImageWidth)
	}
	return b.String()
}

func (c *newCommand) run(name string) error {
	o := c.options
	if c.input != "" {
		var rest string
		n, _ := fmt.Sscanf(c.input+" .", "%dx%dx%d %s", &o.Channels, &o.ImageHeight, &o.ImageWidth, &rest)
		if n != 4 || rest != "." || min(o.Channels, o.ImageHeight, o.ImageWidth) < 1 {
			return usage(fmt.Errorf("--input %q: needs channels x height x width, such as 3x32x32", c.input))
		}
	}
	if err := c.output.settle(c.printer, &o.Output); err != nil {
		return err
	}
	o.Reporter = c.reporter()
	r, err := rcfreeze.New(name, o)
	if err != nil {
		return err
	}
	return c.result(r, func() {
		c.facts([2]string{"parameters", r.Parameters.String()}, [2]string{"written", r.Output})
	})
}
