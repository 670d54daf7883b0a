package dataset

import (
	"slices"
	"strings"
	"unicode"
)

// Split names a part of a data set.
type Split string

// The splits. [Open] says which of them it opens if one is missing.
const (
	Train Split = "train" // the training images
	Val   Split = "val"   // images for choices during training
	Test  Split = "test"  // the images for the final measurement
	All   Split = "all"   // all images of a data set without splits; Open returns it, but does not accept it
)

// Splits returns the splits that [Open] accepts.
func Splits() []Split { return []Split{Train, Val, Test} }

// splitNames lists the names of each split, in the form of plainName.
var splitNames = map[Split][]string{
	Train: {"train", "training"},
	Val:   {"val", "valid", "validation", "dev", "development"},
	Test:  {"test", "testing", "eval", "evaluation"},
}

// splitEndings lists endings that may follow the name of a split: train_set, test-images, TrainData.
var splitEndings = []string{"set", "images", "data"}

// splitNamed returns the split with a name such as "Train", "TEST_SET" or "val2017", empty if it is not the name of a split.
func splitNamed(name string) Split {
	plain := plainName(name)
	for _, split := range Splits() {
		if slices.Contains(splitNames[split], plain) {
			return split
		}
	}
	return ""
}

// plainName returns the letters of a name in lower case, without the ending of a split.
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

// instead lists, for each split, the splits that can be used for it, best first: val and test can replace each other, but nothing
// can replace train.
var instead = map[Split][]Split{
	Train: {Train},
	Val:   {Val, Test},
	Test:  {Test, Val},
}

// among returns which of the existing splits to use for s, empty if none is suitable.
func (s Split) among(there ...Split) Split {
	for _, split := range instead[s] {
		if slices.Contains(there, split) {
			return split
		}
	}
	return ""
}
