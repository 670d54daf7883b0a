package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// allCommands returns the root command and all others, those that cobra adds, too.
func allCommands() []*cobra.Command {
	root := newRoot(&printer{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)})
	list := []*cobra.Command{root}
	for i := 0; i < len(list); i++ {
		list = append(list, list[i].Commands()...)
	}
	return list
}

// helpOf returns what a command prints with --help.
func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	return succeed(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
}

// TestFlagGroups finds every flag in one group, with a word for its value if it takes one, and no group has a flag that is not there.
func TestFlagGroups(t *testing.T) {
	used := map[string]bool{}
	for _, cmd := range allCommands() {
		groups := groupFlags(cmd)
		for _, f := range groups[len(groups)-1].flags {
			t.Errorf("%s: --%s is in no group: give it a place in flagGroups", cmd.CommandPath(), f.Name)
		}
		seen := map[string]bool{}
		for _, g := range groups {
			for _, f := range g.flags {
				if seen[f.Name] {
					t.Errorf("%s: --%s is in two groups", cmd.CommandPath(), f.Name)
				}
				seen[f.Name] = true
				if takes := f.NoOptDefVal == ""; takes != (f.value != "") {
					t.Errorf("%s: --%s takes a value: %v, but help names it %q", cmd.CommandPath(), f.Name, takes, f.value)
				}
				used[f.Name], used[cmd.Name()+": "+f.Name] = true, true
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if seen[f.Name] == f.Hidden {
				t.Errorf("%s: --%s is in help: %v, and hidden: %v", cmd.CommandPath(), f.Name, seen[f.Name], f.Hidden)
			}
		})
	}
	for _, g := range flagGroups {
		for _, row := range g.flags {
			command, name, _ := parseFlagRow(row)
			if command != "" {
				name = command + ": " + name
			}
			if !used[name] {
				t.Errorf("group %q has %q, which no command has", g.title, row)
			}
		}
	}
}

// TestHelp checks the help of every command: its flags, its examples, and that it fits a terminal.
func TestHelp(t *testing.T) {
	for _, cmd := range allCommands() {
		help := helpOf(t, cmd)
		if also := succeed(t, append([]string{"help"}, strings.Fields(cmd.CommandPath())[1:]...)...); also != help {
			t.Errorf("help %s and %[1]s --help differ", cmd.CommandPath())
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if told := strings.Contains(help, "--"+f.Name+" "); told == f.Hidden {
				t.Errorf("%s: help tells of --%s: %v, and it is hidden: %v", cmd.CommandPath(), f.Name, told, f.Hidden)
			}
		})
		for line := range strings.Lines(help) {
			if n := text.StringWidth(strings.TrimRight(line, "\n")); n > usualWidth {
				t.Errorf("%s: a line of %d cells: %s", cmd.CommandPath(), n, line)
			}
			if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
				t.Errorf("%s: a line ends with spaces: %q", cmd.CommandPath(), line)
			}
		}
	}
	last := -1
	top := succeed(t)
	for _, name := range []string{"new", "inspect", "convert", "train", "recalibrate", "eval", "predict", "compare", "analyze", "export", "doctor", "completion", "help"} {
		at := strings.Index(top, "\n  "+name+" ")
		if at <= last {
			t.Errorf("%s is not listed in the order of work:\n%s", name, top)
		}
		last = at
	}
	if _, said, code := call("help", "nonsense"); code != exitUsage || !strings.Contains(said, "nonsense") {
		t.Errorf("help nonsense: exit code %d: %s", code, said)
	}
}

// TestFlagTexts checks what can be checked of the texts of flags.
func TestFlagTexts(t *testing.T) {
	for _, cmd := range allCommands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, word := range []string{"likewise", "`"} {
				if strings.Contains(f.Usage, word) {
					t.Errorf("%s --%s: says %q: %s", cmd.CommandPath(), f.Name, word, f.Usage)
				}
			}
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: %q is not a phrase without a full stop", cmd.CommandPath(), f.Name, f.Usage)
			}
			for _, choice := range choices[f.Name] {
				words := strings.FieldsFunc(f.Usage, func(r rune) bool { return strings.ContainsRune(" ,;:()", r) })
				if !slices.Contains(words, choice) {
					t.Errorf("%s --%s: does not say what %s is: %s", cmd.CommandPath(), f.Name, choice, f.Usage)
				}
			}
		})
	}
}

// TestDefaultTexts finds the default of flags in help, also of those whose text says what 0 means, and how to switch off what is on.
func TestDefaultTexts(t *testing.T) {
	for line, want := range map[string]string{
		"train --clip-grad":            "scaled down (default 0: no limit)",
		"train --seed":                 "new last layer (default 0)",
		"train --momentum":             "momentum of sgd (default 0.9)",
		"train --nesterov":             "with sgd (default true; --nesterov=false turns it off)",
		"train --save-every":           "or 1h (default 5m; 0: only after each epoch)",
		"train --max-array-size":       "of IDX, CIFAR, SVHN and npz files that take more memory than this, such as 16GB (default 4GB; 0: no limit)",
		"train --normalize":            "(default: what the model records, else those of the training images)",
		"predict --normalize":          "(default: what the model records, needed if it records nothing)",
		"recalibrate --images N":       "(default 10000; 0: all)",
		"export --max-array-size":      "in the file of --inputs that take more memory than this, such as 16GB (default 4GB; 0: no limit)",
		"export --fold-batchnorm":      "(default true; --fold-batchnorm=false turns it off)",
		"convert --blocks":             "--blocks=false makes none)",
		"compare --variants":           "(default baseline,frozen,learned)",
		"convert --calibration-images": "at most 1000 (default 256)",
	} {
		command, flag, _ := strings.Cut(line, " ")
		_, text, found := strings.Cut(strings.Join(strings.Fields(succeed(t, command, "--help")), " "), " "+flag+" ")
		if !found || !strings.Contains(text[:min(len(text), 400)], want) {
			t.Errorf("the help of %s lacks %q", line, want)
		}
	}
	if text := succeed(t, "compare", "--help"); strings.Contains(text, "--resume") {
		t.Error("the help of compare shows a flag that is hidden")
	}
}

// TestChoices completes the flags that take one of a list. None of these values is refused as others are.
func TestChoices(t *testing.T) {
	t.Chdir(t.TempDir())
	tried := 0
	for _, cmd := range allCommands() {
		for flag, values := range choices {
			if cmd.Flags().Lookup(flag) == nil {
				continue
			}
			tried++
			want := strings.Join(values, "\n") + "\n:4\n"
			if got := succeed(t, "__complete", cmd.Name(), "--"+flag, ""); got != want {
				t.Errorf("%s --%s is completed by %q, want %q", cmd.Name(), flag, got, want)
			}
			args := []string{cmd.Name(), "none.onnx", "--" + flag, ""}
			for _, name := range []string{"data", "output"} { // where they are needed
				if f := cmd.Flags().Lookup(name); f != nil && f.Annotations != nil {
					args = append(args, "--"+name, "none")
				}
			}
			if cmd.Name() == "predict" {
				args = append(args, "none.png")
			}
			said := func(value string) string {
				args[3] = value
				_, talk, _ := call(args...)
				return strings.ReplaceAll(talk, value, "VALUE")
			}
			refusal := said("nonsense")
			for _, value := range values {
				if got := said(value); got == refusal && strings.Contains(got, "VALUE") {
					t.Errorf("%s --%s %s is completed, but refused: %s", cmd.Name(), flag, value, got)
				}
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d flags were tried", tried)
	}
}

// TestCompletion gives scripts for shells, which complete the names of commands and flags, and words that flags take beside numbers.
func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete -o default -F __start_rcfreeze rcfreeze", "zsh": "#compdef rcfreeze", "fish": "complete -c rcfreeze", "powershell": "Register-ArgumentCompleter"} {
		if script := succeed(t, "completion", shell); !strings.Contains(script, want) {
			t.Errorf("completion %s: no script: %.200s", shell, script)
		}
	}
	for line, want := range map[string]string{"conv": "convert\t", "new ci": "cifar-resnet", "help ex": "export", "train --ep": "--epochs\t", "convert -E": "auto", "export --batch": "dynamic"} {
		args := strings.Fields(line)
		if strings.Contains(want, "auto") || strings.Contains(want, "dynamic") {
			args = append(args, "")
		}
		if got := succeed(t, append([]string{"__complete"}, args...)...); !strings.Contains(got, want) {
			t.Errorf("%q is completed by %q, want %q", line, got, want)
		}
	}
}

// TestShortFlags gives every command -v and --version, which mean the same everywhere.
func TestShortFlags(t *testing.T) {
	for _, cmd := range allCommands() {
		args := strings.Fields(cmd.CommandPath())[1:]
		cmd.InheritedFlags()
		if f := cmd.Flags().ShorthandLookup("v"); f == nil || f.Name != "verbose" {
			t.Errorf("%s -v is %+v", cmd.CommandPath(), f)
		}
		if got, want := succeed(t, append(args, "--version")...), "rcfreeze version "+version()+"\n"; got != want {
			t.Errorf("%s --version prints %q, want %q", cmd.CommandPath(), got, want)
		}
	}
}

// arguments reads a command line as a shell does, of words and single quotes.
func arguments(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	words := word.FindAllString(line, -1)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "'", "")
	}
	return words
}

var word = regexp.MustCompile(`([^\s']|'[^']*')+`)

// TestExamples runs the examples of every command as they are written, in the order of work, each with the files that those before
// it wrote.
func TestExamples(t *testing.T) {
	workshop(t)
	writeBands(t, "images", classCount)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, side, side)), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("photos", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "photo.jpg", photo.Bytes())
	write(t, "photos/one.jpg", photo.Bytes())
	write(t, "classes.txt", []byte("cat\ndog\nsheep\n"))
	succeed(t, "convert", "model.onnx", "-o", "half.onnx", "--precision", "fp16")
	for _, cmd := range allCommands() {
		if parent := cmd.Parent(); parent != nil && parent.Parent() != nil || cmd.Name() == "completion" || cmd.Name() == "help" {
			continue
		}
		examples := 0
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if strings.HasPrefix(line, "# ") {
				continue
			}
			examples++
			args := arguments(line)
			if args[0] != "rcfreeze" {
				t.Fatalf("%s: the example %q is not of this program", cmd.CommandPath(), line)
			}
			if called, _, err := cmd.Root().Find(args[1:]); err != nil || called != cmd && cmd.HasParent() {
				t.Errorf("%s: %q is an example of another command: %v", cmd.CommandPath(), line, err)
			}
			if _, said, code := call(args[1:]...); code != exitDone {
				t.Errorf("%s: exit code %d: %s", line, code, said)
			}
		}
		if examples < 2 || examples > 4 {
			t.Errorf("%s has %d examples, want 2 to 4", cmd.CommandPath(), examples)
		}
		if !cmd.HasParent() {
			os.RemoveAll("trained.run") // else train finds a run that was started
		}
		if cmd.Name() == "new" { // of another size than the images here
			succeed(t, "new", "cifar-resnet", "-o", "resnet20.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
		}
	}
}
