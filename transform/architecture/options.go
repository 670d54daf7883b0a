package architecture

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options describes a network. Fields that are zero take the architecture's default, except for Seed, which may be zero.
type Options struct {
	Depth       int    // layers, as the architecture counts them
	Width       int    // filters of the first stage; later ones have a fixed multiple
	Classes     int    // outputs
	Channels    int    // channels of the images
	ImageHeight int    // in pixels
	ImageWidth  int    // in pixels
	Seed        uint64 // seed of the initial weights
}

// or returns the options with zeros replaced by defaults.
func (o Options) or(defaults Options) Options {
	for _, f := range []struct {
		value *int
		other int
	}{
		{&o.Depth, defaults.Depth},
		{&o.Width, defaults.Width},
		{&o.Classes, defaults.Classes},
		{&o.Channels, defaults.Channels},
		{&o.ImageHeight, defaults.ImageHeight},
		{&o.ImageWidth, defaults.ImageWidth},
	} {
		if *f.value == 0 {
			*f.value = f.other
		}
	}
	return o
}

// check lists all options that are not valid for a.
func (o Options) check(a Architecture) error {
	var errs []error
	for _, c := range []struct {
		option string
		value  int
		domain domain
	}{
		{"depth", o.Depth, a.depth},
		{"width", o.Width, a.width},
		{"number of classes", o.Classes, atLeast(1)},
		{"number of image channels", o.Channels, atLeast(1)},
		{"image height", o.ImageHeight, between(a.minImage, maxImage)},
		{"image width", o.ImageWidth, between(a.minImage, maxImage)},
	} {
		if !c.domain.has(c.value) {
			errs = append(errs, fmt.Errorf("%s is %d, needs %s", c.option, c.value, c.domain.words))
		}
	}
	return errors.Join(errs...)
}

// maxImage is the largest image height and width, in pixels: larger than any training image, and small enough that products do
// not overflow.
const maxImage = 1 << 16

// domain is the set of valid values of an option, and the same in words.
type domain struct {
	has   func(int) bool
	words string
}

func atLeast(least int) domain {
	return domain{func(v int) bool { return v >= least }, fmt.Sprintf("%d or more", least)}
}

func between(least, most int) domain {
	return domain{func(v int) bool { return least <= v && v <= most }, fmt.Sprintf("%d to %d", least, most)}
}

func oneOf(values ...int) domain {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return domain{func(v int) bool { return slices.Contains(values, v) }, strings.Join(words, " or ")}
}
