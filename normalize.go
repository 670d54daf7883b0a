package rcfreeze

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// formatNormalizations has the normalizations of formats that are used for a single data set.
var formatNormalizations = map[string]string{"cifar10": "cifar10", "cifar100": "cifar100"}

// measuredFiles limits how many image files are decoded to measure mean and standard deviation.
const measuredFiles = 10000

// normalization decides how images are normalized: as the options say, or else as the model records, or else with the known
// statistics of the format, or else with those measured on the training images. It reports only the last two.
func (r *reader) normalization(ctx context.Context, train func() (*dataset.Dataset, error)) (dataset.Normalization, error) {
	n, known, err := r.toldNormalization()
	if err != nil {
		return n, err
	}
	if whole, err := takesWholeNumbers(r.m); err != nil {
		return n, err
	} else if whole {
		return r.wholePixels(n, known)
	}
	if !known {
		if n, err = r.measured(ctx, train); err != nil {
			return n, err
		}
	}
	return normalizationFor(r.m, n)
}

// toldNormalization returns the normalization in the options, or else the one that the model records. known is false if there is
// none.
func (r *reader) toldNormalization() (n dataset.Normalization, known bool, err error) {
	if r.Normalize != nil {
		return *r.Normalize, true, nil
	}
	n, known, err = Normalization(r.m)
	return r.reorder(n), known, err
}

// reorder applies the order of channels in the options, if there is one, to a normalization that was recorded or measured.
func (d Data) reorder(n dataset.Normalization) dataset.Normalization {
	if d.Channels == "" {
		return n
	}
	return n.In(strings.TrimSuffix(d.Channels, "rgb"))
}

// normalizationFor returns n for the channels of the model's images, if the model says how many.
func normalizationFor(m *Model, n dataset.Normalization) (dataset.Normalization, error) {
	shape, err := imageShape(m)
	if err != nil || shape.Channels == 0 {
		return n, err
	}
	if n, err = n.For(shape.Channels); err != nil {
		return n, fmt.Errorf("normalizing images for %s: %w", m.Path(), err)
	}
	return n, nil
}

// measured returns the normalization of the training images, in the model's order of channels, and reports it.
func (r *reader) measured(ctx context.Context, train func() (*dataset.Dataset, error)) (dataset.Normalization, error) {
	const choose = "to change this, give --normalize, or --pixels, or --mean and --std"
	images, err := train()
	if err != nil {
		return dataset.Normalization{}, fmt.Errorf("%s does not record how to normalize images: give --normalize NAME, or --pixels, or --mean and --std, or take a model that `rcfreeze train` wrote: "+
			"mean and standard deviation could be measured only on training images: %w", r.m.Path(), err)
	}
	if name, ok := formatNormalizations[images.Format]; ok {
		r.say("normalizing as %s; %s", name, choose)
		n, err := dataset.NamedNormalization(name)
		return r.reorder(n), err
	}
	limit := 0
	if images.Decodes() {
		limit = measuredFiles
	}
	n, err := dataset.MeanStd(ctx, images, limit)
	if err != nil {
		return n, err
	}
	of := "the training images"
	if images.Split == dataset.All {
		of = "all images"
	}
	n = r.reorder(n)
	r.say("normalizing by mean %.4f and standard deviation %.4f, measured on %s; %s", n.Mean, n.Std, of, choose)
	return n, nil
}

// takesWholeNumbers reports whether the model's images are of an integer type. It fails if the type cannot represent pixels.
func takesWholeNumbers(m *Model) (bool, error) {
	input, err := batch.Input(m)
	if err != nil {
		return false, err
	}
	switch t := input.DType(); t {
	case onnxgraph.Uint8, onnxgraph.Int16, onnxgraph.Uint16, onnxgraph.Int32, onnxgraph.Uint32, onnxgraph.Int64, onnxgraph.Uint64:
		return true, nil
	case onnxgraph.Float32, onnxgraph.Float16, onnxgraph.BFloat16, onnxgraph.Float64:
		return false, nil
	default:
		return false, fmt.Errorf("reading the input %q of %s: it takes %v, which cannot hold pixels from 0 to 255: needs a model that takes float32 or uint8 images", input.Name(), m.Path(), t)
	}
}

// checkAttack returns an error if an attack is asked for but the model cannot be attacked.
func checkAttack(m *Model, epsilon float64) error {
	if epsilon == 0 {
		return nil
	}
	if whole, err := takesWholeNumbers(m); err != nil || !whole {
		return err
	}
	return fmt.Errorf("--epsilon %v: %s takes images of whole numbers, which have no gradient for an attack to follow: needs a model that takes float32 images, or no --epsilon", epsilon, m.Path())
}

// wholePixels returns the normalization that leaves pixels as they are, for a model that takes integers. It fails if the options
// or the model say otherwise.
func (r *reader) wholePixels(said dataset.Normalization, known bool) (dataset.Normalization, error) {
	raw := dataset.Range(0, 255)
	raw.Channels = said.Channels
	if !known {
		r.say("%s takes images of whole numbers: it gets pixels as they are, 0 to 255", r.m.Path())
	} else if !slices.Equal(slices.Compact(slices.Clone(said.Mean)), raw.Mean) || !slices.Equal(slices.Compact(slices.Clone(said.Std)), raw.Std) {
		return said, fmt.Errorf("%s takes images of whole numbers, which are not normalized: give --pixels 0:255, or none of --normalize, --mean and --std", r.m.Path())
	}
	return normalizationFor(r.m, raw)
}
