package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Train a LeNet from scratch for two epochs.
func ExampleRun() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	m, err := architecture.New("lenet", architecture.Options{Classes: 10, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	run := train.Run{Model: m, Recipe: train.PaperRecipe(), Folder: train.Folder(filepath.Join(folder, "run"))}
	run.Recipe.Optimizer, run.Recipe.LearningRate, run.Recipe.Epochs, run.Recipe.BatchSize = "adamw", 0.003, 2, 20
	if err := run.Recipe.Select(m, parameter.Baseline); err != nil {
		log.Fatal(err)
	}
	for split, set := range map[dataset.Split]**dataset.Dataset{dataset.Train: &run.Train, dataset.Test: &run.Test} {
		if *set, err = dataset.Open("../../testdata/stripes", dataset.Options{Split: split}); err != nil {
			log.Fatal(err)
		}
	}
	result, err := run.Do(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.History), "epochs, loss above 2.2 before:", result.Start.Loss > 2.2, "- below 2 after:", result.History[1].TestLoss < 2)
	// Output: 2 epochs, loss above 2.2 before: true - below 2 after: true
}
