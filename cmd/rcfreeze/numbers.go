package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// numberRange is the range of a flag's number, or of each of its numbers.
type numberRange struct {
	least, most float64
	open        end // which of them are outside
}

// end is one of a range, or both, or none.
type end int

const (
	neither end = 0
	lower   end = 1 << iota
	upper
)

// String says which numbers are in the range.
func (l numberRange) String() string {
	switch number := func(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }; {
	case l.open == lower:
		return fmt.Sprintf("a number above %s, up to %s", number(l.least), number(l.most))
	case l.open == upper:
		return fmt.Sprintf("a number from %s to below %s", number(l.least), number(l.most))
	default:
		return fmt.Sprintf("a number from %s to %s", number(l.least), number(l.most))
	}
}

// has reports whether a number is in the range. NaN is in none.
func (l numberRange) has(v float64) bool {
	return v >= l.least && v <= l.most && !(l.open == lower && v == l.least) && !(l.open == upper && v == l.most)
}

const (
	many       = 1 << 20 // more images, filters or channels than anyone has memory for
	mostFactor = 1e9     // beyond, products soon are infinite in float32
)

// ranges has a row for each flag that takes a number. A row of one command has its name before the flag's. The upper ends leave out
// what is a slip of the keyboard, or would neither fit into memory nor ever end.
var ranges = map[string]numberRange{
	"batch-size":             {0, many, neither}, // 0 where it is chosen
	"batch":                  {1, many, neither},
	"recalibrate batch-size": {2, many, neither},
	"calibration-images":     {1, rcfreeze.MaxCalibrationImages, neither},
	"classes":                {0, 1e6, neither},
	"clip-grad":              {0, mostFactor, neither},
	"compare batch-size":     {1, many, neither},
	"depth":                  {0, 1e4, neither},
	"device":                 {0, 1023, neither},
	"epochs":                 {1, 1e6, neither},
	"expansion":              {1, many, neither},
	"expansions":             {1, many, neither},
	"grad-accum-steps":       {1, many, neither},
	"images":                 {0, 1e9, neither},
	"kernel-size":            {0, 1023, neither},
	"label-smoothing":        {0, 1, upper},
	"limit":                  {0, 1e9, neither},
	"lr":                     {0, mostFactor, lower},
	"max-error":              {0, 1, upper},
	"max-image-pixels":       {0, 1 << 40, neither},
	"max-kernel":             {0, many, neither},
	"min-in-channels":        {0, many, neither},
	"min-kernel":             {0, many, neither},
	"momentum":               {0, 1, upper},
	"num-classes":            {0, 1e6, neither},
	"seed":                   {0, math.MaxUint64, neither},
	"seeds":                  {0, math.MaxUint64, neither},
	"short-side":             {0, 1<<16 - 1, neither},
	"step-epochs":            {1, 1e6, neither},
	"step-factor":            {0, mostFactor, neither},
	"threads":                {0, 1024, neither},
	"time-runs":              {1, 1e6, neither},
	"tolerance":              {0, mostFactor, neither},
	"top":                    {1, many, neither},
	"train batch-size":       {1, many, neither},
	"verify-batch":           {0, many, neither},
	"warmup-epochs":          {0, 1e6, neither},
	"weight-decay":           {0, mostFactor, neither},
	"width":                  {0, many, neither},
	"workers":                {0, 1024, neither},
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// words are what flags take beside a number.
var words = map[string]string{"batch": "dynamic", "expansion": "auto"}

// rangeOf returns the range of a command's flag.
func rangeOf(cmd *cobra.Command, flag string) (numberRange, bool) {
	if l, ok := ranges[cmd.Name()+" "+flag]; ok {
		return l, true
	}
	l, ok := ranges[flag]
	return l, ok
}

// checkNumbers lists the flags whose numbers are out of their range, before the command does any work.
func checkNumbers(cmd *cobra.Command) error {
	var faults []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		l, ok := rangeOf(cmd, f.Name)
		if !ok {
			return
		}
		for text := range strings.SplitSeq(strings.Trim(f.Value.String(), "[]"), ",") {
			if f.Value.Type() == "string" && !isNumber(text) {
				continue // which the command knows, or refuses
			}
			if v, err := strconv.ParseFloat(text, 64); err != nil || !l.has(v) {
				needs := l.String()
				if word := words[f.Name]; word != "" {
					needs += ", or " + word
				}
				faults = append(faults, fmt.Errorf("--%s %s: needs %s", f.Name, text, needs))
			}
		}
	})
	return usage(faults...)
}
