package calibrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// Images holds the images for a calibration.
type Images struct {
	Shape []int64   // shape of one image, [C, …]
	Data  []float32 // the normalized images, one after another
}

// DefaultImages is how many images are enough for most networks.
const DefaultImages = 256

// Load draws count random images from a data set with the seed in o, or takes all if the set has no more. It normalizes and
// augments them as o says, and ignores BatchSize, Shuffle and DropLast. It fails if count is below 1.
func Load(ctx context.Context, set *dataset.Dataset, count int, o dataset.LoaderOptions) (*Images, error) {
	if count < 1 {
		return nil, fmt.Errorf("loading calibration images: %d of them: needs at least 1", count)
	}
	images := &Images{Shape: set.Shape.Dims()}
	o.BatchSize, o.Shuffle = 1, true
	loader, err := dataset.NewLoader(set, o)
	if err != nil {
		return nil, err
	}
	for batch, err := range loader.Batches(ctx, 0, 0) {
		if err != nil {
			return nil, err
		}
		images.Data = append(images.Data, batch.Images...)
		if batch.Step+1 == count {
			break
		}
	}
	return images, nil
}

// Count returns the number of images.
func (i *Images) Count() int { return len(i.Data) / i.size() }

// size returns the number of elements of an image.
func (i *Images) size() int {
	size := 1
	for _, d := range i.Shape {
		size *= int(d)
	}
	return size
}

func (i *Images) check() error {
	switch {
	case i == nil || len(i.Data) == 0:
		return errors.New("there are no images: needs at least 1")
	case i.size() < 1 || len(i.Data)%i.size() != 0:
		return fmt.Errorf("%d numbers make no images of shape %v", len(i.Data), i.Shape)
	}
	return nil
}

// batches returns the images as inputs of the model, in batches of size images, which must divide their number.
func (i *Images) batches(input string, size int) []map[string]*onnxgraph.Tensor {
	var list []map[string]*onnxgraph.Tensor
	shape := append([]int64{int64(size)}, i.Shape...)
	for step := size * i.size(); len(list)*step < len(i.Data); {
		list = append(list, map[string]*onnxgraph.Tensor{input: onnxgraph.NewTensor(shape, i.Data[len(list)*step:][:step])})
	}
	return list
}

// batchSize returns how many images to run at a time: the largest divisor of their number that is at most most, so that all
// batches are full.
func (i *Images) batchSize(most int) int {
	for size := max(most, 1); ; size-- {
		if i.Count()%size == 0 {
			return size
		}
	}
}
