package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/spf13/pflag"
)

// limitFlags bound what the files of a data set may claim.
type limitFlags struct {
	pixels int64
	arrays byteSize
}

// addPixels adds the flag for image files.
func (f *limitFlags) addPixels(flags *pflag.FlagSet) {
	flags.Int64Var(&f.pixels, "max-image-pixels", dataset.DefaultPixels, fmt.Sprintf("refuse image files with more pixels than this (default %s; 0: no limit)", count(int64(dataset.DefaultPixels))))
}

// addArrays adds the flag for arrays, and says which these are.
func (f *limitFlags) addArrays(flags *pflag.FlagSet, which string) {
	f.arrays = dataset.DefaultBytes
	flags.Var(&f.arrays, "max-array-size", "refuse arrays "+which+" that take more memory than this, such as 16GB (0: no limit)")
}

// limits returns what the flags stand for.
func (f *limitFlags) limits() dataset.Limits {
	limit := func(n int64) int64 {
		if n == 0 {
			return dataset.NoLimit
		}
		return n
	}
	return dataset.Limits{Pixels: limit(f.pixels), Bytes: limit(int64(f.arrays))}
}

// byteSize is a flag's value: a number of bytes, written as 500MB or 4GB, or without a unit.
type byteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}} // the short one last, as the others end with it

// Set implements pflag.Value.
func (s *byteSize) Set(text string) error {
	digits, unit := text, int64(1)
	for _, u := range byteUnits {
		if n := len(text) - len(u.name); n > 0 && strings.EqualFold(text[n:], u.name) {
			digits, unit = strings.TrimSpace(text[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a number of bytes, such as 500MB or 16GB", text)
	}
	*s = byteSize(n * unit)
	return nil
}

// String implements pflag.Value.
func (s *byteSize) String() string {
	for _, u := range byteUnits {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.name)
		}
	}
	return "0"
}

// Type implements pflag.Value.
func (s *byteSize) Type() string { return "size" }
