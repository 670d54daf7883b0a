package main

import (
	"fmt"
	"strconv"
	"strings"
)

// fraction is a flag's value that may be written as 1/255.
type fraction float64

// Set implements pflag.Value.
func (f *fraction) Set(text string) error {
	over, under, ok := strings.Cut(text, "/")
	if !ok {
		under = "1"
	}
	a, err := strconv.ParseFloat(over, 64)
	b, err2 := strconv.ParseFloat(under, 64)
	if err != nil || err2 != nil || !(a >= 0) || !(b > 0) || !(a/b <= 1) {
		return fmt.Errorf("%q is not a number from 0 to 1 or a fraction such as 1/255", text)
	}
	*f = fraction(a / b)
	return nil
}

// String implements pflag.Value.
func (f *fraction) String() string { return strconv.FormatFloat(float64(*f), 'g', -1, 64) }

// Type implements pflag.Value.
func (f *fraction) Type() string { return "fraction" }
