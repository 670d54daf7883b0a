package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// fraction is a flag's value from 0 to 1 that may be written as 1/255.
type fraction float64

// Set implements pflag.Value.
func (f *fraction) Set(text string) error {
	v, err := parseFraction(text)
	if err != nil || !(v >= 0 && v <= 1) {
		return fmt.Errorf("%q is not a number from 0 to 1 or a fraction such as 1/255", text)
	}
	*f = fraction(v)
	return nil
}

// String implements pflag.Value.
func (f *fraction) String() string { return strconv.FormatFloat(float64(*f), 'g', -1, 64) }

// Type implements pflag.Value.
func (f *fraction) Type() string { return "fraction" }

// parseFraction reads a finite number, or one over a positive one.
func parseFraction(text string) (float64, error) {
	over, under, ok := strings.Cut(text, "/")
	if !ok {
		under = "1"
	}
	a, err := strconv.ParseFloat(strings.TrimSpace(over), 64)
	b, err2 := strconv.ParseFloat(strings.TrimSpace(under), 64)
	if v := a / b; err == nil && err2 == nil && b > 0 && !math.IsInf(b, 0) && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v, nil
	}
	return 0, fmt.Errorf("%q is not a number or a fraction such as 1/255", text)
}

// fractions is a flag's value of several numbers with commas between them.
type fractions []float64

// Set implements pflag.Value.
func (f *fractions) Set(text string) error {
	var list []float64
	for part := range strings.SplitSeq(text, ",") {
		v, err := parseFraction(part)
		if err != nil {
			return err
		}
		list = append(list, v)
	}
	*f = list
	return nil
}

// String implements pflag.Value.
func (f *fractions) String() string {
	words := make([]string, len(*f))
	for i, v := range *f {
		words[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(words, ",")
}

// Type implements pflag.Value.
func (f *fractions) Type() string { return "numbers" }
