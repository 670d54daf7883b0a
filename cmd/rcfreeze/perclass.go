package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// Limits for the results by class: with few classes, people see one matrix with all of them, otherwise only the worst.
const (
	matrixClasses = 12
	listedClasses = 20
)

// printClasses prints the confusion matrix if there are few classes, otherwise the classes with the lowest accuracy and the most
// frequent mistakes.
func (p *printer) printClasses(r *rcfreeze.Evaluation) {
	if len(r.ClassNames) <= matrixClasses {
		p.printMatrix(r.Confusion, r.ClassNames)
		return
	}
	worst := slices.Clone(r.PerClass)
	slices.SortStableFunc(worst, func(a, b rcfreeze.ClassResult) int { return cmp.Compare(a.Top1, b.Top1) })
	var rows []tableRow
	for _, c := range worst[:min(listedClasses, len(worst))] {
		rows = append(rows, tableRow{c.Class, count(c.Images), percent(c.Top1)})
	}
	p.table(tableRow{"class", "images", "top-1"}, rows)
	p.left(len(worst)-len(rows), "classes")
	rows = nil
	for _, m := range r.Mistakes[:min(listedClasses, len(r.Mistakes))] {
		rows = append(rows, tableRow{m.Class, m.Predicted, count(m.Images)})
	}
	if len(rows) > 0 {
		p.table(tableRow{"class", "taken for", "images"}, rows)
		p.left(len(r.Mistakes)-len(rows), "pairs of classes")
	}
}

// left says how many items a table leaves out, and where to find them.
func (p *printer) left(n int, what string) {
	if n > 0 {
		p.say("and %s more %s, which --json lists", count(n), what)
	}
}

// printMatrix prints a row for each class, and a column for each predicted class.
func (p *printer) printMatrix(c *evaluate.Confusion, names []string) {
	header := tableRow{"class", "images", "top-1"}
	for class := range names {
		header = append(header, strconv.Itoa(class))
	}
	var rows []tableRow
	for label, name := range names {
		n := c.Images(label)
		accuracy := number("")
		if n > 0 {
			accuracy = percent(float64(c.Count(label, label)) / float64(n))
		}
		row := tableRow{fmt.Sprintf("%d %s", label, name), count(n), accuracy}
		for class := range names {
			cell := number("")
			if k := c.Count(label, class); k > 0 {
				cell = count(k)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	p.say("each row shows the images of one class, by the number of the class that the model predicts:")
	p.table(header, rows)
}
