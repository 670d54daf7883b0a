package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// checkWidth reports lines that are wider than a number of cells, but for single words that could not be copied if they were broken.
func checkWidth(t *testing.T, what, printed string, width int) {
	t.Helper()
	for line := range strings.SplitSeq(printed, "\n") {
		const beside = 24 // cells for what may stand before such a word
		if n, longest := text.StringWidth(line), longestWord(line); n > width && (longest+beside <= width || n > longest+beside) {
			t.Errorf("%s: a line of %d cells, want at most %d: %s", what, n, width, line)
		}
		if strings.HasSuffix(line, " ") {
			t.Errorf("%s: a line ends with a space: %q", what, line)
		}
	}
}

// TestTableWidth prints tables that are too wide in many ways, in terminals of many widths. Every line fits, every name and number is
// there in one piece, and so is every word of a text.
func TestTableWidth(t *testing.T) {
	numbers := func(from, n int) (list []any) {
		for i := range n {
			list = append(list, count(int64(from+i)*1_234_567))
		}
		return list
	}
	table := func(columns int, names ...string) (header tableRow, rows []tableRow) {
		header = tableRow{"convolution"}
		for i := range columns {
			header = append(header, fmt.Sprint("relative column ", i))
		}
		for i, name := range names {
			rows = append(rows, append(tableRow{name}, numbers(i*columns+1, columns)...))
		}
		return header, rows
	}
	withLast := func(header tableRow, rows []tableRow, last string, cells ...any) (tableRow, []tableRow) {
		for i := range rows {
			rows[i] = append(rows[i], cells[i%len(cells)])
		}
		return append(header, last), rows
	}
	const reason = "its weight is computed by nodes that depend on the input of the model, so that there are no filters to replace"
	path := "/features/features.4/block/block.1/block.1.0/Conv"
	wide := strings.Repeat("畳み込み", 6)
	for name, make := range map[string]func() (tableRow, []tableRow){
		"narrow":              func() (tableRow, []tableRow) { return table(3, "conv1", "conv2") },
		"many columns":        func() (tableRow, []tableRow) { return table(9, "conv1", "conv2") },
		"very many columns":   func() (tableRow, []tableRow) { return table(40, "conv1", "conv2") },
		"long names":          func() (tableRow, []tableRow) { return table(5, path, "/conv1/Conv") },
		"long names, many":    func() (tableRow, []tableRow) { return table(12, path, "/conv1/Conv") },
		"endless names":       func() (tableRow, []tableRow) { return table(5, strings.Repeat("/layer1.0", 20), "/conv1/Conv") },
		"names of wide runes": func() (tableRow, []tableRow) { return table(5, wide, "畳") },
		"names of words": func() (tableRow, []tableRow) {
			return table(3, strings.Repeat("tabby, tabby cat, ", 12)+"cat", "dog")
		},
		"names once": func() (tableRow, []tableRow) { return table(9, path, "", "", wide, "") },
		"reasons": func() (tableRow, []tableRow) {
			h, r := table(4, path, "/conv1/Conv", wide)
			return withLast(h, r, "reason", reason, "", "畳み込み "+reason)
		},
		"reasons of long words": func() (tableRow, []tableRow) {
			h, r := table(4, path, "/conv1/Conv")
			return withLast(h, r, "reason", path+" "+path, "short")
		},
		"notes": func() (tableRow, []tableRow) {
			h, r := table(4, path, "/conv1/Conv", wide)
			return withLast(h, r, "outcome", noted{"skipped", reason}, noted{"converted", ""}, noted{"skipped", "another reason"})
		},
		"two texts": func() (tableRow, []tableRow) {
			h, r := table(1, "/usr/lib", "/usr/lib/"+path)
			h, r = withLast(h, r, "which is", "in a folder of the system")
			return withLast(h, r, "found", reason)
		},
	} {
		for _, width := range []int{leastWidth, 60, 80, usualWidth, 160} {
			header, rows := make()
			what := fmt.Sprintf("%s in %d", name, width)
			var out bytes.Buffer
			p := &printer{stdout: &out, width: width}
			p.table(header, rows)
			printed := out.String()
			checkWidth(t, what, printed, width)
			words := strings.Fields(printed)
			broken := strings.Join(words, "") // where a word has been broken that is longer than a line
			for _, r := range rows {
				for i, cell := range r {
					if n, ok := cell.(noted); ok {
						cell = n.text + " " + n.note
					}
					for _, word := range strings.Fields(fmt.Sprint(cell)) {
						isWhole := slices.Contains(words, word)
						if i == 0 && !isWhole || !isWhole && (text.StringWidth(word) <= width-columnGap || !strings.Contains(broken, word)) {
							t.Errorf("%s: lacks %q of the cell %q:\n%s", what, word, cell, printed)
						}
					}
				}
			}
		}
	}
}

// TestTableParts checks how a table is divided.
func TestTableParts(t *testing.T) {
	header := tableRow{"convolution", "kernel", "MACs", newPart("-E"), "outcome"}
	rows := []tableRow{
		{"/conv1/Conv", "3×3", count(1234567), count(4), noted{"skipped", "not selected"}},
		{"/layer1/layer1.0/conv1/Conv", "3×3", count(89), number(""), noted{"skipped", "not selected"}},
		{"畳/Conv", "11×11", count(0), count(16), noted{"converted", "shares its weight"}},
	}
	for width, want := range map[int]string{
		100: `
convolution                  kernel       MACs  -E  outcome
─────────────────────────────────────────────────────────────────
/conv1/Conv                  3×3     1,234,567   4  skipped [1]
/layer1/layer1.0/conv1/Conv  3×3            89      skipped [1]
畳/Conv                      11×11           0  16  converted [2]
[1]  not selected
[2]  shares its weight
`,
		60: `
convolution
  kernel       MACs  -E  outcome
──────────────────────────────────────
/conv1/Conv
  3×3     1,234,567   4  skipped [1]
/layer1/layer1.0/conv1/Conv
  3×3            89      skipped [1]
畳/Conv
  11×11           0  16  converted [2]
[1]  not selected
[2]  shares its weight
`,
		30: `
convolution
  kernel       MACs
───────────────────
/conv1/Conv
  3×3     1,234,567
/layer1/layer1.0/conv1/Conv
  3×3            89
畳/Conv
  11×11           0

convolution
  -E  outcome
───────────────────
/conv1/Conv
   4  skipped [1]
/layer1/layer1.0/conv1/Conv
      skipped [1]
畳/Conv
  16  converted [2]
[1]  not selected
[2]  shares its weight
`,
	} {
		var out bytes.Buffer
		(&printer{stdout: &out, width: width}).table(header, rows)
		if got := "\n" + out.String(); got != want {
			t.Errorf("in %d cells:%s\nwant:%s", width, got, want)
		}
	}
}

// TestResultWidth runs every command that prints a table or facts on models with short names and long ones.
func TestResultWidth(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	writeFolders(t, "folders", "cat", "a-dog-"+strings.Repeat("of-a-long-name-", 8))
	for _, c := range []struct{ name, prefix string }{
		{"path", "/features/features.4/block/block.1/"},
		{"wide", strings.Repeat("畳み込み", 5)},
		{"endless", strings.Repeat("/layer1.0", 20)},
	} {
		m, err := onnxgraph.Load("net.onnx")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range m.Graph.Nodes() {
			n.Rename(c.prefix + n.Name())
		}
		first := m.Graph.Nodes()[0].Name()
		m.Graph.Rename(m.Graph.Outputs()[0], c.prefix+"logits")
		m.SetMetadata("rcfreeze.classes", fmt.Sprintf("[%q, %q, %q]", c.prefix+"cat", c.prefix+"dog", strings.Repeat("gray wolf, timber wolf, ", 9)+"wolf"))
		model := c.name + ".onnx"
		if err := m.Save(model, onnxgraph.ExternalNone); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"inspect MODEL --plan -E auto --max-error 0.5",
			"convert MODEL -o blocks.onnx -E 2 --add-batchnorm --skip *layer1.0.conv1 --data bands --pointwise calibrate",
			"inspect blocks.onnx",
			"calibrate MODEL -o calibrated.onnx --data bands -b 8",
			"eval MODEL --data bands --per-class --epsilon 1/255",
			"predict MODEL folders --pixels 0:1",
			"compare MODEL -o comparison --data bands --epochs 1 -b 8 --variants baseline,frozen -E 1,2 --seeds 0,1 --epsilon 1/255",
			"export blocks.onnx -o merged.onnx --time --time-runs 1 --source MODEL",
			"new lenet -o made.onnx",
			"doctor",
		} {
			if strings.HasPrefix(line, "compare") && c.name != "path" {
				continue // which takes long, and prints no names
			}
			out := succeed(t, strings.Fields(strings.ReplaceAll(line, "MODEL", model))...)
			checkWidth(t, "rcfreeze "+strings.ReplaceAll(line, "MODEL", model), out, usualWidth)
			if strings.HasPrefix(line, "inspect MODEL") && !slices.Contains(strings.Fields(out), first) {
				t.Errorf("inspect %s breaks the name %s:\n%s", model, first, out)
			}
		}
	}
}

// TestFacts keeps paths in one piece, with all their spaces.
func TestFacts(t *testing.T) {
	var out bytes.Buffer
	p := &printer{stdout: &out, width: 40}
	p.facts([2]string{"file", "my  models/a.onnx"}, [2]string{"nodes", "4 Relu, 3 Gemm, 2 Conv, 2 MaxPool, 1 Flatten"},
		[2]string{"written", "/" + strings.Repeat("folder/", 9) + "a.onnx"}, [2]string{"output " + strings.Repeat("x", 40), "differs"})
	p.facts([2]string{"a", "b"})
	want := `file     my  models/a.onnx
nodes    4 Relu, 3 Gemm, 2 Conv, 2
         MaxPool, 1 Flatten
written
  /folder/folder/folder/folder/folder/folder/folder/folder/folder/a.onnx
output xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
         differs

a  b
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestHelpWidth fits help into narrow terminals, and is no wider than others can be read.
func TestHelpWidth(t *testing.T) {
	for _, cmd := range allCommands() {
		for _, width := range []int{60, 80, 300} {
			var out bytes.Buffer
			p := &printer{stdout: &out, stderr: io.Discard, width: width}
			root := newRoot(p)
			root.SetArgs(append(strings.Fields(cmd.CommandPath())[1:], "--help"))
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			printed, examples := "", cmd.Example
			for line := range strings.Lines(out.String()) { // examples and usage stay whole, so that they can be copied
				if line := strings.TrimSpace(line); !strings.Contains(examples, line) && !strings.HasPrefix(line, "rcfreeze ") {
					printed += line + "\n"
				}
			}
			checkWidth(t, cmd.CommandPath()+" --help", printed, min(width, usualWidth))
		}
	}
}
