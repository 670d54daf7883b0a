package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// hostile is a name that would be elements and attributes if it were not escaped; it also has what XML cannot hold.
const hostile = `"><script src="https://example.org/x.js">alert('1')</script><img onerror=x>&amp;` + "\x1b[31m\xff\x00"

// made is a report of a baseline and two variants of three expansions, each with two seeds. A run failed.
func made(t *testing.T, folder string) Report {
	t.Helper()
	r := Report{
		Program: "rcfreeze v1", Command: []string{"rcfreeze", "compare", hostile}, Model: hostile, Data: hostile, Machine: "a machine", Runtime: "1.24.3",
		Recipe: train.PaperRecipe(), Epsilon: 0.5, TellsTop5: true,
	}
	i := 0
	add := func(v parameter.Variant, expansion int) {
		for seed := range uint64(2) {
			i++
			row := compare.Row{Cell: compare.Cell{Variant: v, Seed: seed}, Folder: fmt.Sprintf("run%d", i), Trained: int64(100 * ((i + 1) / 2)), Parameters: int64(2000 * ((i + 1) / 2)), Deployed: 1500, Seconds: float64(i)}
			if expansion > 0 {
				row.Blocks = compare.Blocks{Expansion: expansion, KernelSize: 3}
			}
			if v == parameter.Learned && expansion == 4 && seed == 1 {
				row = compare.Row{Cell: row.Cell, Folder: row.Folder, Failed: "it diverged: " + hostile}
			} else {
				robust := 0.01 * float64(i)
				row.Top1, row.Top5, row.Loss, row.RobustTop1 = 0.3+0.03*float64(i*i%17), 0.9+0.005*float64(i), 2/float64(i), &robust
				metrics(t, folder, row, i)
			}
			r.Rows = append(r.Rows, row)
		}
	}
	add(parameter.Baseline, 0)
	for _, v := range []parameter.Variant{parameter.Frozen, parameter.Learned} {
		for _, e := range []int{1, 2, 4} {
			add(v, e)
		}
	}
	return r
}

// metrics writes the metrics of a run of two epochs.
func metrics(t *testing.T, folder string, row compare.Row, i int) {
	t.Helper()
	text := fmt.Sprintf("epoch,lr,train_loss,train_top1,test_loss,test_top1,test_top5,seconds\n0,,,,3,0.1,0.5,\n1,0.1,2,0.2,2,%g,0.5,1.0\n2,0.1,1,0.2,1,%g,0.5,1.0\n", 0.2+0.01*float64(i), row.Top1)
	if err := errors.Join(os.Mkdir(filepath.Join(folder, row.Folder), 0o755), os.WriteFile(filepath.Join(folder, row.Folder, "metrics.csv"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// node is an element of a page.
type node struct {
	name     string
	attr     map[string]string
	text     string // its own and that of its children
	children []*node
}

// all returns the elements of a name in and below n.
func (n *node) all(name string) []*node {
	var list []*node
	if n.name == name {
		list = append(list, n)
	}
	for _, c := range n.children {
		list = append(list, c.all(name)...)
	}
	return list
}

// parse reads a page as XML.
func parse(t *testing.T, page []byte) *node {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(page)))
	open := []*node{{}}
	for {
		token, err := d.Token()
		if err == io.EOF {
			return open[0]
		}
		if err != nil {
			t.Fatalf("the page is no XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				n.attr[a.Name.Local] = a.Value
			}
			parent := open[len(open)-1]
			parent.children = append(parent.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, n := range open {
				n.text += string(token)
			}
		}
	}
}

func read(t *testing.T, elements ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func written(t *testing.T, folder string, r Report) *node {
	t.Helper()
	if err := Write(folder, r); err != nil {
		t.Fatal(err)
	}
	return parse(t, read(t, folder, File))
}

// plusMinus computes a mean and a standard deviation of one or two numbers, and writes them.
func plusMinus(digits int, factor float64, unit string, values ...float64) string {
	if len(values) == 1 {
		return fmt.Sprintf("%.*f%s", digits, factor*values[0], unit)
	}
	mean, half := (values[0]+values[1])/2, math.Abs(values[0]-values[1])/2
	return fmt.Sprintf("%.*f ± %.*f%s", digits, factor*mean, digits, factor*half*math.Sqrt2, unit)
}

// TestTable computes each number of the table again.
func TestTable(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	rows := written(t, folder, r).all("table")[0].all("tr")
	if header := rows[0].text; header != "variantrunstop-1top-1 minus baselinetop-5lossrobust top-1trained parametersstoreddeployedseconds per run" {
		t.Errorf("the header is %q", header)
	}
	names := []string{"baseline", "frozen -E 1", "frozen -E 2", "frozen -E 4", "learned -E 1", "learned -E 2", "learned -E 4"}
	if len(rows) != len(names)+1 {
		t.Fatalf("%d rows, want %d", len(rows), len(names)+1)
	}
	for i, name := range names {
		pair, runs := r.Rows[2*i:2*i+2], "2"
		if name == "learned -E 4" {
			pair, runs = pair[:1], "1 (1 failed)"
		}
		values := func(of func(compare.Row) float64) []float64 {
			var list []float64
			for _, row := range pair {
				list = append(list, of(row))
			}
			return list
		}
		minus := values(func(row compare.Row) float64 { return row.Top1 - r.Rows[row.Seed].Top1 })
		difference := plusMinus(2, 100, "", minus...)
		if sum := minus[0] + minus[len(minus)-1]; sum > 0 {
			difference = "+" + difference
		} else {
			difference = strings.Replace(difference, "-", "−", 1)
		}
		if i == 0 {
			difference = "–"
		}
		first := pair[0]
		seconds := first.Seconds
		if len(pair) > 1 {
			seconds += 0.5
		}
		want := []string{
			name, runs, plusMinus(2, 100, " %", values(func(row compare.Row) float64 { return row.Top1 })...), difference,
			plusMinus(2, 100, " %", values(func(row compare.Row) float64 { return row.Top5 })...),
			plusMinus(4, 1, "", values(func(row compare.Row) float64 { return row.Loss })...),
			plusMinus(2, 100, " %", values(func(row compare.Row) float64 { return *row.RobustTop1 })...),
			thousands(first.Trained), thousands(first.Parameters), "1,500", fmt.Sprintf("%.1f", seconds),
		}
		var got []string
		for _, cell := range rows[i+1].children {
			got = append(got, cell.text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("row %d is\n%q, want\n%q", i, got, want)
		}
	}
}

func thousands(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// TestMarked marks rows that differ by more than the noise, and none where there is one seed, which also has no ±.
func TestMarked(t *testing.T) {
	row := func(v parameter.Variant, seed uint64, top1 float64) compare.Row {
		r := compare.Row{Cell: compare.Cell{Variant: v, Seed: seed}}
		r.Top1, r.Loss = top1, 1-top1
		return r
	}
	several := Report{Table: compare.Table{Rows: []compare.Row{
		row("baseline", 0, 0.9), row("baseline", 1, 0.8), row("frozen", 0, 0.6), row("frozen", 1, 0.5), row("learned", 0, 0.3), row("learned", 1, 0.2),
	}}}
	single := Report{Table: compare.Table{Rows: []compare.Row{several.Rows[0], several.Rows[2], several.Rows[4]}}}
	for _, c := range []struct {
		report Report
		marks  string
		spread bool
	}{{several, "best best 2nd 2nd", true}, {single, "", false}} {
		table := written(t, t.TempDir(), c.report).all("table")[0]
		var marks []string
		for _, b := range table.all("b") {
			marks = append(marks, b.text)
		}
		if got := strings.Join(marks, " "); got != c.marks || strings.Contains(table.text, "±") != c.spread {
			t.Errorf("the marks are %q, want %q, and ±: %v:\n%s", got, c.marks, c.spread, table.text)
		}
	}
}

// TestNothingIsLoaded looks for all by which a page can load something or run code, and for what hostile names would bring.
func TestNothingIsLoaded(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	page := written(t, folder, r)
	allowed := map[string]bool{}
	for name := range strings.FieldsSeq("html head meta title style body h1 h2 dl dt dd code span div table thead tbody tr th td b ul li p figure figcaption svg path circle text script") {
		allowed[name] = true
	}
	attributes := map[string]bool{}
	for name := range strings.FieldsSeq("xmlns xlink lang charset name content id class scope type viewBox d style x y cx cy r transform stroke-dasharray") {
		attributes[name] = true
	}
	var look func(n *node)
	look = func(n *node) {
		if n.name != "" && !allowed[n.name] {
			t.Errorf("the page has an element %s", n.name)
		}
		for name, value := range n.attr {
			if !attributes[name] || strings.Contains(value, "url(") {
				t.Errorf("an element %s has %s=%q", n.name, name, value)
			}
			if strings.Contains(value, "://") && name != "xmlns" && name != "xlink" {
				t.Errorf("an element %s has %s=%q", n.name, name, value)
			}
		}
		if n.name == "style" && (strings.Contains(n.text, "url(") || strings.Contains(n.text, "@import")) {
			t.Errorf("styles load something:\n%s", n.text)
		}
		for _, c := range n.children {
			look(c)
		}
	}
	look(page)
	if s := page.all("script"); len(s) != 1 || s[0].attr["type"] != "application/json" {
		t.Errorf("%d scripts", len(s))
	}
	const shown = `"><script src="https://example.org/x.js">alert('1')</script><img onerror=x>&amp;�[31m��`
	for _, place := range []*node{page.all("title")[0], page.all("h1")[0], page.all("dl")[0], page.all("li")[0]} {
		if !strings.Contains(place.text, shown) {
			t.Errorf("%s lacks the name:\n%s", place.name, place.text)
		}
	}
	if raw := string(read(t, folder, File)); strings.Count(raw, "<script") != 1 || strings.Count(raw, "</script") != 1 || strings.Contains(raw, "<img") {
		t.Error("a name brought an element of its own")
	}
}

// TestData reads the page's data: they are the rows, and the metrics of the runs that finished.
func TestData(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	r.Rows[len(r.Rows)-1].Failed = "it diverged" // JSON has no text that is not UTF-8
	var data struct {
		Rows   []compare.Row
		Curves []curve
	}
	if err := json.Unmarshal([]byte(written(t, folder, r).all("script")[0].text), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Rows) != len(r.Rows) || len(data.Curves) != len(r.Rows)-1 {
		t.Fatalf("%d rows and %d curves, want %d and one less", len(data.Rows), len(data.Curves), len(r.Rows))
	}
	for i, row := range data.Rows {
		a, _ := json.Marshal(row)
		b, _ := json.Marshal(r.Rows[i])
		if string(a) != string(b) {
			t.Errorf("row %d is %s, want %s", i, a, b)
		}
		if i < len(data.Curves) {
			if c := data.Curves[i]; c.Folder != row.Folder || !slices.Equal(c.Top1, []float64{0.1, 0.2 + 0.01*float64(i+1), float(t, fmt.Sprintf("%g", row.Top1))}) {
				t.Errorf("curve %d is %+v of %+v", i, c, row)
			}
		}
	}
}

func float(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFigures reads the files of the figures: the pictures are those in the page, and the data have each run, and the means.
func TestFigures(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	page := written(t, folder, r)
	raw := string(read(t, folder, File))
	var names []string
	for _, f := range page.all("figure") {
		name := f.attr["id"]
		names = append(names, name)
		picture := read(t, folder, FiguresFolder, name+".svg")
		parse(t, picture)
		if !strings.Contains(raw, string(picture)) {
			t.Errorf("%s: the page has another picture", name)
		}
	}
	if !slices.Equal(names, figureNames) {
		t.Errorf("the figures are %v, want %v", names, figureNames)
	}
	percent := func(share float64) string { return fmt.Sprintf("%.4f", 100*share) }
	want := map[string][]string{}
	for i, row := range r.Rows {
		if row.Failed != "" {
			continue
		}
		seed, kind, group, place := fmt.Sprint(row.Seed), string(row.Variant), string(row.Variant), ""
		if row.Expansion > 0 {
			place = fmt.Sprint(row.Expansion)
			group += " -E " + place
		}
		want["top1-expansion"] = append(want["top1-expansion"], strings.Join([]string{kind, place, seed, percent(row.Top1)}, ","))
		want["robust-expansion"] = append(want["robust-expansion"], strings.Join([]string{kind, place, seed, percent(*row.RobustTop1)}, ","))
		want["top1-trained"] = append(want["top1-trained"], strings.Join([]string{kind, fmt.Sprint(row.Trained), seed, percent(row.Top1)}, ","))
		for epoch, top1 := range []float64{0.1, 0.2 + 0.01*float64(i+1), row.Top1} {
			want["learning-curves"] = append(want["learning-curves"], strings.Join([]string{group, fmt.Sprint(epoch), seed, percent(top1)}, ","))
		}
		if other := r.Rows[i^1]; row.Seed == 0 && other.Failed == "" {
			mean := percent((row.Top1 + other.Top1) / 2)
			want["top1-expansion"] = append(want["top1-expansion"], strings.Join([]string{kind, place, "mean", mean}, ","))
			want["learning-curves"] = append(want["learning-curves"], strings.Join([]string{group, "2", "mean", mean}, ","))
		}
	}
	for name, lines := range want {
		all, err := csv.NewReader(strings.NewReader(string(read(t, folder, FiguresFolder, name+".csv")))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range all {
			got = append(got, strings.Join(line, ","))
		}
		for _, line := range lines {
			if !slices.Contains(got, line) {
				t.Errorf("%s lacks %q:\n%s", name, line, strings.Join(got, "\n"))
			}
		}
	}
}

// TestWhichFigures leaves out figures that would have a single point, also those that an earlier report wrote.
func TestWhichFigures(t *testing.T) {
	for name, c := range map[string]struct {
		keep func(*compare.Row) bool
		want string
	}{
		"one expansion":     {func(r *compare.Row) bool { return r.Expansion < 2 }, "top1-trained learning-curves"},
		"no attack":         {func(r *compare.Row) bool { r.RobustTop1 = nil; return true }, "top1-expansion top1-trained learning-curves"},
		"baseline, 2 seeds": {func(r *compare.Row) bool { return r.Expansion == 0 }, "learning-curves"},
		"one run":           {func(r *compare.Row) bool { return r.Folder == "run1" }, "learning-curves"},
		"only failed runs":  {func(r *compare.Row) bool { return r.Failed != "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			r := made(t, folder)
			written(t, folder, r)
			var kept []compare.Row
			for _, row := range r.Rows {
				if c.keep(&row) {
					kept = append(kept, row)
				}
			}
			r.Rows = kept
			var got []string
			for _, f := range written(t, folder, r).all("figure") {
				got = append(got, f.attr["id"])
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("the figures are %v, want %s", got, c.want)
			}
			for _, name := range figureNames {
				for _, ending := range []string{".svg", ".csv"} {
					_, err := os.Stat(filepath.Join(folder, FiguresFolder, name+ending))
					if is := !errors.Is(err, fs.ErrNotExist); is != slices.Contains(got, name) {
						t.Errorf("%s%s is there: %v", name, ending, is)
					}
				}
			}
		})
	}
}

// TestMissingMetrics tells which runs the learning curves lack.
func TestMissingMetrics(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	missing, damaged := filepath.Join(folder, "run3", "metrics.csv"), filepath.Join(folder, "run4", "metrics.csv")
	nan := filepath.Join(folder, "run5", "metrics.csv")
	text := strings.Replace(string(read(t, nan)), ",0.1,", ",NaN,", 1)
	if err := errors.Join(os.Remove(missing), os.Truncate(damaged, 90), os.WriteFile(nan, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	said := written(t, folder, r).text
	for _, want := range []string{"The learning curves lack some runs", missing, damaged, "run5"} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	curves := string(read(t, folder, FiguresFolder, "learning-curves.csv"))
	if strings.Contains(curves, "frozen -E 1,") || !strings.Contains(curves, "frozen -E 2,0,1,") || strings.Contains(curves, "frozen -E 2,0,0,") {
		t.Errorf("the curves are\n%s", curves)
	}
}

// TestRuns tells how many runs are done, and how many are still to come.
func TestRuns(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	for open, want := range map[int]string{0: "13 finished, 1 failed", 7: "13 finished, 1 failed, 7 are still to come: this page shows what is known so far"} {
		r.Open = open
		facts := written(t, folder, r).all("dl")[0].all("dd")
		if !slices.ContainsFunc(facts, func(n *node) bool { return n.text == want }) {
			t.Errorf("with %d open runs, the page does not say %q", open, want)
		}
	}
}

func TestFlags(t *testing.T) {
	for s, pieces := range map[string]string{
		"": "", "baseline": "baseline", "frozen -E 1 --between relu": "frozen|-E 1|--between relu", "export - -o -": "export|-|-o|-", "a-b": "a-b", "x -": "x|-",
	} {
		n := parse(t, []byte("<p>"+string(flags(s))+"</p>"))
		var got []string
		for _, span := range n.all("span") {
			got = append(got, span.text)
		}
		if n.text != s || strings.Join(got, "|") != pieces {
			t.Errorf("%q: %q in the pieces %q", s, n.text, got)
		}
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"model.onnx": "model.onnx", "-E": "-E", "0,1": "0,1", "": "''", "two words": "'two words'", "it's": `'it'\''s'`, "$x": "'$x'", "größe": "größe",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
