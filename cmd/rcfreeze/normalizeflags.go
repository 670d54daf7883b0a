package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/spf13/pflag"
)

// normalizeFlags say which numbers a model takes for pixels.
type normalizeFlags struct {
	name      string
	pixels    pixelRange
	mean, std fractions
	channels  string
}

// fromTraining says how images are normalized if nothing else says it and there are training images.
const fromTraining = "else those of the training images"

func (f *normalizeFlags) add(flags *pflag.FlagSet, otherwise string) {
	flags.StringVar(&f.name, "normalize", "", "normalize images by the mean and standard deviation of a known data set: "+strings.Join(dataset.Normalizations(), ", ")+
		", or none (default: what the model records, "+otherwise+")")
	flags.Var(&f.pixels, "pixels", "the numbers that the model takes for black and for white, such as 0:255 or -1:1; --mean and --std are in these units")
	flags.Var(&f.mean, "mean", "mean to subtract from pixels: one number, or one per channel, such as 0.4914,0.4822,0.4465")
	flags.Var(&f.std, "std", "standard deviation to divide pixels by: one number, or one per channel, such as 0.247,0.243,0.261")
	flags.StringVar(&f.channels, "channels", "", "order of the color channels that the model takes, and of the numbers in --mean and --std: rgb, bgr (default: what the model records, else rgb)")
}

// check lists what is wrong with the flags.
func (f *normalizeFlags) check() error {
	var faults []error
	if (f.mean == nil) != (f.std == nil) {
		faults = append(faults, errors.New("--mean and --std: give both; --mean 0 subtracts nothing, --std 1 divides by nothing"))
	} else if f.mean != nil {
		faults = append(faults, f.checkUnits())
	}
	if len(f.mean) != len(f.std) && len(f.mean) > 1 && len(f.std) > 1 {
		faults = append(faults, fmt.Errorf("--mean has %d numbers, --std has %d: give one number for all channels, or one for each", len(f.mean), len(f.std)))
	}
	if f.name != "" && (f.mean != nil || f.pixels.given) {
		faults = append(faults, errors.New("--normalize names a mean, a standard deviation and pixels from 0 to 1: give either --normalize, or --pixels, --mean and --std"))
	}
	if f.name != "" && f.name != "none" {
		if _, err := dataset.NamedNormalization(f.name); err != nil {
			faults = append(faults, fmt.Errorf("--normalize: %w, or none", err))
		}
	}
	return errors.Join(faults...)
}

// checkUnits returns an error if mean and standard deviation do not count in the pixels that they are said to count in.
func (f *normalizeFlags) checkUnits() error {
	low, high := f.pixels.bounds()
	outside := slices.Min(f.mean) < low || slices.Max(f.mean) > high || slices.Max(f.std) > high-low
	if outside && !f.pixels.given && slices.Min(f.mean) >= 0 && slices.Max(f.mean) <= 255 && slices.Min(f.std) > 0 && slices.Max(f.std) <= 255 {
		advice := "give --pixels 0:255, too, if that is what the model takes"
		if slices.Max(f.std) > 1 {
			advice = fmt.Sprintf("give --mean %s --std %s", f.mean.over(255), f.std.over(255))
		}
		return fmt.Errorf("--mean %s --std %s: these look like numbers for pixels from 0 to 255, but pixels go from 0 to 1: %s", f.mean.String(), f.std.String(), advice)
	}
	var faults []error
	if slices.Min(f.mean) < low || slices.Max(f.mean) > high {
		faults = append(faults, fmt.Errorf("--mean %s: is outside the range of pixels, %g to %g; --pixels sets another range", f.mean.String(), low, high))
	}
	// Less than half a level of gray among 256 is no spread of pixels.
	if least := (high - low) / 512; !(slices.Min(f.std) >= least) || slices.Max(f.std) > high-low {
		faults = append(faults, fmt.Errorf("--std %s: must be from %.3g to %g, since pixels go from %g to %g; --pixels sets another range", f.std.String(), least, high-low, low, high))
	}
	return errors.Join(faults...)
}

// over writes the numbers divided by a number, to four digits.
func (f fractions) over(divisor float64) string {
	words := make([]string, len(f))
	for i, v := range f {
		words[i] = strconv.FormatFloat(v/divisor, 'g', 4, 64)
	}
	return strings.Join(words, ",")
}

// given returns the normalization that the flags name; ok is false if they name none.
func (f *normalizeFlags) given() (n dataset.Normalization, ok bool) {
	order := strings.TrimSuffix(f.channels, "rgb")
	switch {
	case f.name == "none":
		return dataset.Normalization{Channels: order}, true
	case f.name != "":
		n, _ := dataset.NamedNormalization(f.name) // check knows the name
		return n.In(order), true
	case f.mean == nil && !f.pixels.given:
		return n, false
	}
	low, high := f.pixels.bounds()
	n = dataset.Range(low, high)
	n.Channels = order
	if f.mean != nil {
		n.Mean, n.Std = nil, nil
		for i := range max(len(f.mean), len(f.std)) {
			n.Mean = append(n.Mean, (f.mean[min(i, len(f.mean)-1)]-low)/(high-low))
			n.Std = append(n.Std, f.std[min(i, len(f.std)-1)]/(high-low))
		}
	}
	return n, true
}

// pixelRange is a flag's value: what black and white are, written as 0:255.
type pixelRange struct {
	black, white float64
	given        bool
}

// bounds returns what black and white are, 0 and 1 if the user does not say.
func (r *pixelRange) bounds() (black, white float64) {
	if !r.given {
		return 0, 1
	}
	return r.black, r.white
}

// Set implements pflag.Value.
func (r *pixelRange) Set(text string) error {
	before, after, _ := strings.Cut(text, ":")
	black, err := parseFraction(before)
	white, err2 := parseFraction(after)
	if err != nil || err2 != nil || !(black < white) {
		return fmt.Errorf("%q is not the values of black and white, such as 0:1, 0:255 or -1:1", text)
	}
	*r = pixelRange{black, white, true}
	return nil
}

// String implements pflag.Value.
func (r *pixelRange) String() string {
	if !r.given {
		return ""
	}
	return fmt.Sprintf("%g:%g", r.black, r.white)
}

// Type implements pflag.Value.
func (r *pixelRange) Type() string { return "black:white" }
