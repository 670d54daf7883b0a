package parameter

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Selection says what trains: what a variant trains, without the constants whose names match a pattern of Freeze, and with those
// whose names match a pattern of Train. Train wins over Freeze. It can name any floating-point constant of the main graph, also a
// bank or one with RoleConstant, except for running statistics.
//
// In a pattern, * stands for any text, also with "/", and ? for one character; every other character means itself (in patterns
// of transform.Options, brackets and backslashes have a meaning, too). A pattern must match the whole name.
type Selection struct {
	Variant       Variant
	Train, Freeze []string
}

// Trained returns the names of the constants of the main graph that train in the variant. It fails as Selection.Trained does.
func (v Variant) Trained(m *onnxgraph.Model) ([]string, error) {
	return Selection{Variant: v}.Trained(m)
}

// Trained returns the names of the constants of the main graph that train, in the order of List; there may be none. It fails if
// there is no such variant, if the model differs from its records of blocks, or if a pattern matches no constant that can train;
// the error lists all such patterns, with similar names.
func (s Selection) Trained(m *onnxgraph.Model) ([]string, error) {
	if err := s.Variant.Validate(); err != nil {
		return nil, err
	}
	parameters, err := List(m)
	if err != nil {
		return nil, err
	}
	parameters = slices.DeleteFunc(parameters, func(p Parameter) bool { return p.Value.Graph() != m.Graph })
	frozen, err1 := matching(parameters, "--freeze", s.Freeze)
	added, err2 := matching(parameters, "--train", s.Train)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("choosing what trains in %s: %w", m.Path(), err)
	}
	var names []string
	for _, p := range parameters {
		if added[p.Value] || s.Variant.trains(p) && !frozen[p.Value] {
			names = append(names, p.Value.Name())
		}
	}
	return names, nil
}

// trains reports whether a parameter trains in the variant.
func (v Variant) trains(p Parameter) bool {
	if v == FrozenBaseline && p.isSpatialFilter() {
		return false
	}
	return p.Role.Trains() || p.Role == RoleBank && v == Learned
}

// matching returns the parameters whose names match one of some patterns, which an option has. The error lists patterns that match
// none.
func matching(parameters []Parameter, option string, patterns []string) (map[*onnxgraph.Value]bool, error) {
	found := map[*onnxgraph.Value]bool{}
	var faults []error
	for _, pattern := range patterns {
		matches := expression(pattern)
		var names []string
		matched, statistics := false, false
		for _, p := range parameters {
			fits := matches.MatchString(p.Value.Name())
			switch {
			case p.Role == RoleRunningMean || p.Role == RoleRunningVar:
				statistics = statistics || fits
				continue
			case fits:
				matched = true
				found[p.Value] = true
			}
			names = append(names, p.Value.Name())
		}
		switch {
		case matched:
		case statistics:
			faults = append(faults, fmt.Errorf("%s %q matches running statistics only, which follow the images and have no gradient", option, pattern))
		default:
			faults = append(faults, fmt.Errorf("%s %q matches no parameter; %s", option, pattern, similar(strings.Trim(pattern, "*"), names)))
		}
	}
	return found, errors.Join(faults...)
}

// expression returns the regular expression that matches what a pattern does.
func expression(pattern string) *regexp.Regexp {
	text := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^(?s:" + text + ")$")
}
