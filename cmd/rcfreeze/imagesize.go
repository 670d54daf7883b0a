package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze"
)

// imageSize is a flag's value: height and width in pixels, written as 224 or 224x160; 0 if it is not given.
type imageSize rcfreeze.ImageSize

// Set implements pflag.Value.
func (s *imageSize) Set(text string) error {
	before, after, both := strings.Cut(strings.ToLower(text), "x")
	if !both {
		after = before
	}
	height, err := strconv.ParseUint(before, 10, 16)
	width, err2 := strconv.ParseUint(after, 10, 16)
	if err != nil || err2 != nil || height == 0 || width == 0 {
		return fmt.Errorf("%q is not a size in pixels, such as 224 or, as height and width, 224x160", text)
	}
	*s = imageSize{int(height), int(width)}
	return nil
}

// String implements pflag.Value.
func (s *imageSize) String() string { return rcfreeze.ImageSize(*s).String() }

// Type implements pflag.Value.
func (s *imageSize) Type() string { return "size" }
