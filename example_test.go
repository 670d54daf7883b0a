package rcfreeze_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// folder is where examples write.
var folder string

// temporary returns a path for a file of an example.
func temporary(name string) string { return filepath.Join(folder, name) }

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "rcfreeze-examples-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// Fine-tune frozen blocks on images, measure the result, and merge it.
func ExampleTrain() {
	ctx, data := context.Background(), rcfreeze.Data{Path: "testdata/stripes"}
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	blocks, err := rcfreeze.Convert(ctx, m, rcfreeze.ConvertOptions{Blocks: transform.Options{Expansion: 4}})
	if err != nil {
		log.Fatal(err)
	}
	trained, err := rcfreeze.Train(ctx, blocks.Model, rcfreeze.TrainOptions{
		Data:     data,
		Settings: rcfreeze.Settings{Recipe: func(r *train.Recipe) { r.Epochs, r.BatchSize, r.LearningRate = 3, 20, 0.02 }},
		Output:   rcfreeze.Output{Path: temporary("trained.onnx")},
	})
	if err != nil {
		log.Fatal(err)
	}
	measured, err := rcfreeze.Evaluate(ctx, trained.Model, rcfreeze.EvaluateOptions{Data: data})
	if err != nil {
		log.Fatal(err)
	}
	_, err = rcfreeze.Export(ctx, trained.Model, rcfreeze.ExportOptions{Output: rcfreeze.Output{Path: temporary("merged.onnx")}})
	fmt.Println("above 80 %:", measured.Top1 > 0.8, "- exported:", err == nil)
	// Output: above 80 %: true - exported: true
}

// Measure a model, and find out which classes it confuses.
func ExampleEvaluate() {
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	e, err := rcfreeze.Evaluate(context.Background(), m, rcfreeze.EvaluateOptions{Data: rcfreeze.Data{Path: "testdata/stripes"}, PerClass: true, Epsilon: 1.0 / 255})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d images of %d classes; robust accuracy is measured: %v\n", e.Images, len(e.PerClass), e.RobustTop1 != nil)
	// Output: 100 images of 10 classes; robust accuracy is measured: true
}

// Make frozen blocks of cosines (the basis of the discrete cosine transform) instead of random filters.
func ExampleConvert_bank() {
	err := filterbank.Register("cosines", "the basis of the discrete cosine transform, each function on one channel", func(_ filterbank.Stream, s filterbank.Spec, bank []float32) {
		channels, height, width := s.Shape[0], s.Shape[1], s.Shape[2]
		for filter := range s.Filters {
			u, v := filter/channels/width%height, filter/channels%width
			one := bank[(filter*channels+filter%channels)*height*width:]
			for y := range height {
				for x := range width {
					one[y*width+x] = float32(math.Cos(math.Pi*(float64(y)+0.5)*float64(u)/float64(height)) * math.Cos(math.Pi*(float64(x)+0.5)*float64(v)/float64(width)))
				}
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	r, err := rcfreeze.Convert(context.Background(), m, rcfreeze.ConvertOptions{Blocks: transform.Options{Bank: "cosines", Expansion: 10}})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range r.Convolutions {
		fmt.Printf("%s: the blocks' filters differ from the source's by less than a thousandth: %v\n", c.Node, *c.Error < 1e-3)
	}
	// Output:
	// conv1: the blocks' filters differ from the source's by less than a thousandth: true
	// conv2: the blocks' filters differ from the source's by less than a thousandth: true
}

// Compare the model as it is with its frozen blocks.
func ExampleCompare() {
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	c, err := rcfreeze.Compare(context.Background(), m, rcfreeze.CompareOptions{
		Folder: temporary("comparison"), Data: rcfreeze.Data{Path: "testdata/stripes"},
		Variants: []parameter.Variant{parameter.Baseline, parameter.Frozen},
		Settings: rcfreeze.Settings{Recipe: func(r *train.Recipe) { r.Epochs, r.BatchSize = 1, 20 }},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range c.Summary {
		fmt.Printf("%s: %d parameters train, %d are deployed\n", s.Variant, s.Trained, s.Deployed)
	}
	// Output:
	// baseline: 61706 parameters train, 61706 are deployed
	// frozen: 59448 parameters train, 61706 are deployed
}

// See how much the combined filters of frozen blocks differ from the filters of the model that they were made of.
func ExampleAnalyze() {
	ctx := context.Background()
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	blocks, err := rcfreeze.Convert(ctx, m, rcfreeze.ConvertOptions{Blocks: transform.Options{Pointwise: transform.Identity}})
	if err != nil {
		log.Fatal(err)
	}
	a, err := rcfreeze.Analyze(ctx, blocks.Model, rcfreeze.AnalyzeOptions{Other: m})
	if err != nil {
		log.Fatal(err)
	}
	for i, l := range a.Layers {
		fmt.Printf("%s: %d kernels, entropy %.3f, relative error %.3f\n", l.Name, l.Kernels, *l.FVE, *a.Compared.Errors[i])
	}
	// Output:
	// conv1: 6 kernels, entropy 0.612, relative error 0.000
	// conv2: 96 kernels, entropy 1.212, relative error 0.000
}

// Tell what kind of error it is.
func ExampleOptionsError() {
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	_, err = rcfreeze.Evaluate(context.Background(), m, rcfreeze.EvaluateOptions{Split: "all"})
	var options *rcfreeze.OptionsError
	fmt.Println(errors.As(err, &options))
	fmt.Println(err)
	// Output:
	// true
	// --data: needs a data set, a folder or file
	// --split "all": choose test, val or train
}
