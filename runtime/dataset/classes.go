package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// fitClasses checks the labels, and converts them to the model's class numbers.
func (d *Dataset) fitClasses(o Options) error {
	if o.AnyClasses {
		o.Classes, o.ClassNames = 0, nil
	} else if d.named && len(d.Classes) == 1 {
		return d.refuseOneClass()
	}
	if o.ClassNames != nil && o.Classes != 0 && len(o.ClassNames) != o.Classes {
		return fmt.Errorf("the model has %d classes, but there are %d class names for it: give the right names, in the order of its outputs (--classes FILE)",
			o.Classes, len(o.ClassNames))
	}
	switch {
	case !d.named:
		return d.takeNumbers(o)
	case o.ClassNames != nil && !isNumbered(o.ClassNames):
		return d.matchNames(o.ClassNames)
	case o.ClassNames != nil && len(without(d.Classes, o.ClassNames)) == 0:
		return d.matchNames(o.ClassNames) // the folders are named 0, 1, …
	}
	return d.takeOrder(max(o.Classes, len(o.ClassNames)))
}

func (d *Dataset) refuseOneClass() error {
	advice := ""
	folder := filepath.Join(d.Path, d.Classes[0])
	if inner, err := subfolders(folder); err == nil && len(inner) > 1 {
		advice = fmt.Sprintf("; if the folders in it are the classes, give %s as the data set", folder)
	}
	return fmt.Errorf("the only class is %s: a classifier needs at least 2%s", d.Classes[0], advice)
}

// takeNumbers is for a format that does not name its classes: labels are the numbers of the model's outputs. Without a model,
// there are as many classes as the largest label requires.
func (d *Dataset) takeNumbers(o Options) error {
	largest := slices.Max(d.labels)
	switch {
	case o.ClassNames != nil:
		d.Classes = o.ClassNames
	case o.Classes != 0:
		d.Classes = numberNames(o.Classes)
	default:
		d.Classes = numberNames(int(max(0, min(largest, maxClasses-1))) + 1)
	}
	err := d.checkLabels()
	if err != nil && slices.Min(d.labels) >= 0 && largest > 0 && largest < maxClasses {
		err = errors.Join(err, fmt.Errorf("if these labels are right, give the model a new last layer (rcfreeze train --num-classes %d)", largest+1))
	}
	return err
}

// takeOrder is for a model that does not name its classes, or if there is no model: its classes are those of the data set, in the
// same order.
func (d *Dataset) takeOrder(model int) error {
	n := len(d.Classes)
	switch {
	case model > n:
		return fmt.Errorf("the data set has %d classes, the model has %d and does not name them: if the model knows these classes, list the names of its %[2]d classes, "+
			"in the order of its outputs, in a file (--classes FILE); otherwise give the model a new last layer (rcfreeze train --num-classes %[1]d)", n, model)
	case model != 0 && model < n:
		return fmt.Errorf("the data set has %d classes, the model has %d: give the model a new last layer (rcfreeze train --num-classes %[1]d)", n, model)
	case model != 0 && d.Format == "imagefolder":
		d.Notes = append(d.Notes, fmt.Sprintf("the model does not name its classes, which are taken in the order of the folders: %s; --classes FILE sets another order", onnxgraph.Listed(d.Classes)))
	}
	return d.checkLabels()
}

// matchNames converts the labels to the classes of a model, by name.
func (d *Dataset) matchNames(model []string) error {
	if err := d.checkLabels(); err != nil {
		return err
	}
	index := map[string][]int{}
	for i, name := range model {
		index[name] = append(index[name], i)
	}
	var unknown, ambiguous []string
	to := make([]int64, len(d.Classes))
	for i, name := range d.Classes {
		switch places := index[name]; len(places) {
		case 0:
			unknown = append(unknown, name)
		case 1:
			to[i] = int64(places[0])
		default:
			ambiguous = append(ambiguous, name)
		}
	}
	var faults []error
	if len(unknown) > 0 {
		advice := fmt.Sprintf("if the model knows these classes by other names, list its %d class names as the data set writes them, in the order of its outputs, in a file (--classes FILE); "+
			"otherwise give the model a new last layer (rcfreeze train --num-classes %d)", len(model), len(d.Classes))
		fault := fmt.Errorf("%d of the data set's %d classes are not among those that the model names: %s", len(unknown), len(d.Classes), onnxgraph.Listed(unknown))
		if rest := without(model, d.Classes); len(rest) > 0 {
			fault = fmt.Errorf("%w; classes that only the model has: %s", fault, onnxgraph.Listed(rest))
		}
		faults = append(faults, fault, errors.New(advice))
	}
	if len(ambiguous) > 0 {
		faults = append(faults, fmt.Errorf("several classes of the model have the same name as one of the data set: %s: give names that differ (--classes FILE)", onnxgraph.Listed(ambiguous)))
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	switch {
	case len(d.Classes) < len(model):
		d.Notes = append(d.Notes, fmt.Sprintf("the %d classes are matched by name to the %d classes of the model", len(d.Classes), len(model)))
	case !slices.Equal(d.Classes, model):
		d.Notes = append(d.Notes, "the classes are matched by name: the model has another order")
	}
	for i, label := range d.labels {
		d.labels[i] = to[label]
	}
	d.Classes = model
	return nil
}

// maxClasses limits the number of classes, so that a damaged label does not create names for billions of them.
const maxClasses = 1 << 20

// numberNames names n classes 0, 1, …
func numberNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// isNumbered reports whether names are only the numbers of the classes.
func isNumbered(names []string) bool { return slices.Equal(names, numberNames(len(names))) }

// checkLabels returns an error with the number of samples whose label is not an index into Classes, and the first few of them.
func (d *Dataset) checkLabels() error {
	const listed = 5
	var bad []error
	count := 0
	for i, label := range d.labels {
		if label >= 0 && label < int64(len(d.Classes)) {
			continue
		}
		if count++; count <= listed {
			bad = append(bad, fmt.Errorf("  %s: label %d", d.sample(i), label))
		}
	}
	if count == 0 {
		return nil
	}
	if count > listed {
		bad = append(bad, errors.New("  …"))
	}
	head := fmt.Errorf("%d of %d samples have a label outside the %d classes (0 to %d):", count, len(d.labels), len(d.Classes), len(d.Classes)-1)
	return errors.Join(head, errors.Join(bad...))
}

// mostNames limits the size of a file of class names, in bytes.
const mostNames = 1 << 24

// ReadClassNames reads the names of a model's classes in the order of its outputs: a JSON list of strings, or one name
// per line. It returns an error if the file cannot be read, names fewer than two classes, or leaves one without a name.
func ReadClassNames(path string) ([]string, error) {
	text, err := plainfile.Read(path, mostNames)
	if err != nil {
		return nil, fmt.Errorf("reading class names: %w", err)
	}
	names, err := parseClassNames(text)
	if err != nil {
		return nil, fmt.Errorf("reading class names from %s: %w", path, err)
	}
	return names, nil
}

func parseClassNames(text []byte) ([]string, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))) // some editors put this mark at the start of UTF-8 files
	var names []string
	if bytes.HasPrefix(text, []byte("[")) || bytes.HasPrefix(text, []byte("{")) {
		if err := json.Unmarshal(text, &names); err != nil {
			return nil, fmt.Errorf("needs a JSON list of strings, or one name per line: %w", err)
		}
	} else {
		names = strings.Split(string(text), "\n")
	}
	if len(names) > maxClasses {
		return nil, fmt.Errorf("%d names: needs at most %d", len(names), maxClasses)
	}
	var faults []error
	var nameless []int
	for i := range names {
		if names[i] = strings.TrimSpace(names[i]); names[i] == "" {
			nameless = append(nameless, i)
		}
	}
	switch n := len(nameless); {
	case n == 1:
		faults = append(faults, fmt.Errorf("class %d has no name", nameless[0]))
	case n > 1:
		faults = append(faults, fmt.Errorf("class %d has no name, nor have %d more", nameless[0], n-1))
	}
	if len(names) < 2 {
		faults = append(faults, fmt.Errorf("%d names: a classifier has at least 2 classes", len(names)))
	}
	return names, errors.Join(faults...)
}
