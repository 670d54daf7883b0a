package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// numeric are the types of flags that take a number, or several.
var numeric = []string{"int", "int64", "uint64", "float64", "intSlice", "uintSlice", "duration", "fraction", "numbers", "size", "black:white"}

// TestWildNumbers gives every flag of every command that takes a number what is none, or none that can work. It is refused before
// any work, by an error that names the flag and what it needs, or it works; nothing crashes, and nothing runs forever.
func TestWildNumbers(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx")
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	writeFolders(t, "folders", "cat", "dog")
	commands := map[string]string{
		"new": "new lenet -o out.onnx", "inspect": "inspect model.onnx", "convert": "convert model.onnx -o out.onnx",
		"recalibrate": "recalibrate net.onnx -o out.onnx --data bands -b 8", "train": "train model.onnx -o out.onnx --data bands -b 8 --epochs 1 --run-dir RUN --scheduler step",
		"eval": "eval model.onnx --data bands", "predict": "predict model.onnx folders --normalize none",
		"compare": "compare model.onnx -o RUN --data bands -b 8 --epochs 1 --variants baseline", "analyze": "analyze blocks.onnx model.onnx", "export": "export blocks.onnx -o out.onnx --time", "doctor": "doctor",
	}
	// Each of these is refused by every flag; the others by some.
	hopeless := []string{"NaN", "-1", "-Inf", "1e400", "", "x"}
	others := []string{"Inf", "1e308", "4611686018427387904", "2000000000", "0", "1e-320"}
	refused, worked := 0, 0
	tried := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		command := commands[name]
		p := &printer{stderr: new(bytes.Buffer)}
		root := newRoot(p)
		cmd, _, err := root.Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !slices.Contains(numeric, f.Value.Type()) && f.Name != "expansion" && f.Name != "batch" {
				return
			}
			if _, ok := rangeOf(cmd, f.Name); !ok && slices.Contains(numeric[:6], f.Value.Type()) {
				t.Errorf("%s --%s has no ranges", name, f.Name)
			}
			values := hopeless
			if l, _ := rangeOf(cmd, f.Name); !tried[f.Name+l.String()] { // once for a flag that many commands have
				tried[f.Name+l.String()] = true
				values = slices.Concat(hopeless, others)
			}
			for i, value := range values {
				line := strings.ReplaceAll(command, "RUN", t.TempDir())
				_, stderr, code := call(append(strings.Fields(line), "--"+f.Name+"="+value)...)
				isHopeless := i < len(hopeless) && f.Name != "mean" && !(value == "" && code != exitFailed) // mean may be negative, and texts empty
				switch said := lastLine(stderr); {
				case code == exitUsage:
					refused++
					if !strings.Contains(stderr, "--"+f.Name) {
						t.Errorf("%s --%s=%s: is refused, but the error does not name the flag: %s", name, f.Name, value, said)
					}
				case isHopeless:
					t.Errorf("%s --%s=%s: exit code %d: %s", name, f.Name, value, code, said)
				default:
					worked++
					if code != exitDone {
						t.Logf("%s --%s=%s: exit code %d: %s", name, f.Name, value, code, said)
					}
				}
			}
		})
	}
	t.Logf("%d were refused, %d were not", refused, worked)
	if refused < 300 || worked < 20 {
		t.Errorf("%d were refused, %d were not: this tests too little", refused, worked)
	}
}
