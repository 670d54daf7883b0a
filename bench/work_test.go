package main

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestWorks does every kind of work on a small model, so that a change of what they call is noticed.
func TestWorks(t *testing.T) {
	orttest.Init(t)
	m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Width: 4})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "small.onnx")
	if err := m.Save(path, onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := writeCIFAR(folder, 52, 128); err != nil {
		t.Fatal(err)
	}
	for kind, open := range works {
		t.Run(kind, func(t *testing.T) {
			loaded, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			once, err := open(ctx, job{
				model: loaded, variant: string(parameter.Baseline), batchSize: 128, data: folder, augment: cifarData.augment,
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if ms, err := once(); err != nil || ms <= 0 {
					t.Errorf("took %v ms, error %v", ms, err)
				}
			}
		})
	}
}

// TestModelFiles checks that models which differ have files that do.
func TestModelFiles(t *testing.T) {
	seen := map[string]model{}
	for _, m := range []model{cifar, cifar.frozen(1), cifar.frozen(2), cifar.depthwise(1), cifar.depthwise(2), cifar.merged(), zoo("resnet18")} {
		if other, ok := seen[m.file()]; ok {
			t.Errorf("%s is the file of %s and %s", m.file(), fmt.Sprint(m), fmt.Sprint(other))
		}
		seen[m.file()] = m
	}
}
