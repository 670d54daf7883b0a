package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// classResults is what eval --per-class adds to what it prints as JSON.
type classResults struct {
	PerClass []classResult `json:"per_class,omitempty"` // of the classes that have images, in the order of the model's outputs
	Mistakes []mistake     `json:"mistakes,omitempty"`  // the most frequent first; with per_class all of the confusion matrix
}

// classResult is what was measured of one class.
type classResult struct {
	Class   string  `json:"class"`
	Images  int     `json:"images"`
	Correct int     `json:"correct"`
	Top1    float64 `json:"top1"`
}

// mistake is how many images of a class were taken for another.
type mistake struct {
	Class     string `json:"class"`
	Predicted string `json:"predicted"`
	Images    int    `json:"images"`
}

// className returns the name of a class, its number if it has none.
func className(names []string, class int) string {
	if class < len(names) {
		return names[class]
	}
	return strconv.Itoa(class)
}

func resultsByClass(c *evaluate.Confusion, names []string) (r classResults) {
	for class := range names {
		if n := c.Images(class); n > 0 {
			correct := c.Count(class, class)
			r.PerClass = append(r.PerClass, classResult{names[class], n, correct, float64(correct) / float64(n)})
		}
	}
	for _, m := range c.Mistakes() {
		r.Mistakes = append(r.Mistakes, mistake{className(names, m.Label), className(names, m.Class), m.Images})
	}
	return r
}

// How much of the results by class people see: all in one matrix for a few classes, else the worst.
const (
	matrixClasses = 12
	listedClasses = 20
)

// printClasses prints for a few classes the confusion matrix, for more the classes with the lowest accuracy and the most
// frequent mistakes.
func (p *printer) printClasses(r classResults, c *evaluate.Confusion, names []string) {
	if len(names) <= matrixClasses {
		p.printMatrix(c, names)
		return
	}
	worst := slices.Clone(r.PerClass)
	slices.SortStableFunc(worst, func(a, b classResult) int { return cmp.Compare(a.Top1, b.Top1) })
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

// left says how many of something a table leaves out, and where they are.
func (p *printer) left(n int, what string) {
	if n > 0 {
		p.say("and %s more %s, which --json lists", count(n), what)
	}
}

// printMatrix prints a row for each class, with a column for each number of a class that its images were taken for.
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
	p.say("each row shows the images of one class, by the number of the class that the model takes them for:")
	p.table(header, rows)
}
