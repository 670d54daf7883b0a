package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// measuredOn says of a result which images it was measured on.
type measuredOn struct {
	Data  string        `json:"data"`
	Split dataset.Split `json:"split"` // all: the data set has no separate splits
	// OnTraining says that the images are those that train.
	OnTraining   bool `json:"on_training_images"`
	Images       int  `json:"images"`
	Classes      int  `json:"classes"` // that have images there
	ModelClasses int  `json:"model_classes"`
}

// measuredOn describes what set is beside the images that train, nil if nothing is trained.
func (f *dataFlags) measuredOn(set, train *dataset.Dataset) measuredOn {
	return measuredOn{
		Data: f.path, Split: set.Split, OnTraining: set == train || set.Split == dataset.Train,
		Images: set.Len(), Classes: set.ClassesHere(), ModelClasses: len(set.Classes),
	}
}

// facts returns what people read of it.
func (m measuredOn) facts() [][2]string {
	split := fmt.Sprintf("%s split", m.Split)
	switch {
	case m.Split == dataset.All && m.OnTraining:
		split = "all of the data set, which has no separate splits: they trained, too"
	case m.Split == dataset.All:
		split = "all of the data set, which has no separate splits"
	case m.OnTraining:
		split += ": they train"
	}
	classes := string(count(m.Classes))
	if m.Classes != m.ModelClasses {
		classes += fmt.Sprintf(" of the model's %s", count(m.ModelClasses))
	}
	return [][2]string{{"images", fmt.Sprintf("%s, %s", count(m.Images), split)}, {"classes", classes}}
}
