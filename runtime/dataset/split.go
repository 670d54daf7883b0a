package dataset

import (
	"slices"
	"strings"
	"unicode"
)

// Split names a part of a data set.
type Split string

const (
	Train Split = "train" // the training images
	Val   Split = "val"   // the images for choices during training
	Test  Split = "test"  // the images for the final measurement
	All   Split = "all"   // what [Open] opens of a data set without separate splits
)

// Splits returns the splits that [Open] can be asked for.
func Splits() []Split { return []Split{Train, Val, Test} }

// splitNames are the names by which a split is known, as plainName writes them.
var splitNames = map[Split][]string{
	Train: {"train", "training"},
	Val:   {"val", "valid", "validation", "dev", "development"},
	Test:  {"test", "testing", "eval", "evaluation"},
}

// splitEndings are what a split's name may have behind it: train_set, test-images, TrainData.
var splitEndings = []string{"set", "images", "data"}

// splitNamed returns the split that a name stands for, such as "Train", "TEST_SET" or "val2017"; empty if it is no
// split's name.
func splitNamed(name string) Split {
	plain := plainName(name)
	for _, split := range Splits() {
		if slices.Contains(splitNames[split], plain) {
			return split
		}
	}
	return ""
}

// plainName returns the small letters of a name, without a split's ending.
func plainName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	for _, ending := range splitEndings {
		if rest, ok := strings.CutSuffix(plain, ending); ok {
			return rest
		}
	}
	return plain
}

// instead lists the splits that serve if one is asked for, the best first: val and test stand in for each other, and
// nothing for train.
var instead = map[Split][]Split{
	Train: {Train},
	Val:   {Val, Test},
	Test:  {Test, Val},
}

// among returns which of the splits that are there serves as s, empty if none does.
func (s Split) among(there ...Split) Split {
	for _, split := range instead[s] {
		if slices.Contains(there, split) {
			return split
		}
	}
	return ""
}
