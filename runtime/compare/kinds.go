package compare

import (
	"fmt"
	"slices"
)

// DistinctFlags returns a function that says as flags, such as " --between relu", in what blocks differ from others of all, except
// for the expansion.
func DistinctFlags(all []Blocks) func(Blocks) string {
	all = slices.DeleteFunc(slices.Clone(all), func(b Blocks) bool { return b.Expansion == 0 })
	parts := []struct {
		flag string
		of   func(Blocks) string
	}{
		{"--kernel-size", func(b Blocks) string { return fmt.Sprint(b.KernelSize) }},
		{"--between", func(b Blocks) string { return string(b.Between) }},
		{"--layout", func(b Blocks) string { return string(b.Layout) }},
		{"--bank", func(b Blocks) string { return b.Bank }},
		{"--pointwise", func(b Blocks) string { return string(b.Pointwise) }},
	}
	return func(b Blocks) string {
		text := ""
		for _, p := range parts {
			if b.Expansion != 0 && slices.ContainsFunc(all, func(other Blocks) bool { return p.of(other) != p.of(all[0]) }) {
				text += " " + p.flag + " " + p.of(b)
			}
		}
		return text
	}
}

// Flags names blocks by their expansion and by what others say besides, as " -E 4 --between relu". It is empty without blocks.
func (b Blocks) Flags(others func(Blocks) string) string {
	if b.Expansion == 0 {
		return ""
	}
	return fmt.Sprintf(" -E %d", b.Expansion) + others(b)
}
