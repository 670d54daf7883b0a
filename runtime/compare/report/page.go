package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// skeleton is the page with marks, such as <!-- table -->, where its parts go.
//
//go:embed page.html
var skeleton string

// page returns the whole page.
func (r Report) page(c curves, all []drawn) ([]byte, error) {
	data, err := json.Marshal(struct {
		Rows   []compare.Row `json:"rows"`
		Curves []curve       `json:"curves"`
	}{r.Rows, c.list})
	if err != nil {
		return nil, err
	}
	n := names(r.Rows)
	title := "Comparison"
	if r.Model != "" {
		title += " of " + r.Model
	}
	parts := []string{
		"title", string(text(title)),
		"run", string(r.run()),
		"failed", string(r.failed(n)),
		"table", string(r.table(n)),
		"notes", string(r.notes()),
		"figures", string(pictures(c, all)),
		"data", string(data), // as JSON, it has no "<"
	}
	for i := 0; i < len(parts); i += 2 {
		parts[i] = "<!-- " + parts[i] + " -->"
	}
	return []byte(strings.NewReplacer(parts...).Replace(skeleton)), nil
}

// run returns what was run, where and how, as names and values.
func (r Report) run() markup {
	training, test := "", ""
	if r.Source.Images > 0 {
		training = fmt.Sprintf("%d images of %s, fingerprint %s", r.Source.Images, r.Source.Shape, brief(r.Source.TrainingData))
		test = fmt.Sprintf("%d images, %s, fingerprint %s", r.Source.TestImages, r.Measured, brief(r.Source.TestData))
	}
	seconds, failed := 0.0, 0
	for _, row := range r.Rows {
		seconds += row.Seconds
		if row.Failed != "" {
			failed++
		}
	}
	runs := fmt.Sprintf("%d finished, %d failed", len(r.Rows)-failed, failed)
	if r.Open > 0 {
		runs += fmt.Sprintf(", %d are still to come: this page shows what is known so far", r.Open)
	}
	var words []string
	for _, word := range r.Command {
		words = append(words, quoted(word))
	}
	attack := ""
	if r.Epsilon > 0 {
		attack = fmt.Sprintf("FGSM with epsilon %.4g, of pixels from 0 to 1", r.Epsilon)
	}
	var facts []markup
	for _, f := range []struct {
		name  string
		value markup
	}{
		{"command", code(strings.Join(words, " "))}, {"program", text(r.Program)}, {"machine", text(r.Machine)},
		{"ONNX Runtime", text(r.Runtime)}, {"model", text(r.Model)}, {"data set", text(r.Data)},
		{"training images", text(training)}, {"measured images", text(test)}, {"pixels", text(r.Normalize.String())}, {"recipe", text(recipe(r.Recipe))},
		{"attack", text(attack)}, {"runs", text(runs)}, {"time of training", element(`span class="seconds"`, text(fmt.Sprintf("%.1f seconds in all runs", seconds)))},
	} {
		if f.value != "" {
			facts = append(facts, element("dt", text(f.name))+element("dd", f.value))
		}
	}
	return element("dl", join(facts))
}

// code returns markup for what belongs into a terminal.
func code(s string) markup {
	if s == "" {
		return ""
	}
	return element("code", flags(s))
}

// brief shortens a fingerprint.
func brief(hash string) string { return hash[:min(len(hash), 16)] }

// quoted writes a word of a command line as a shell reads it.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("-_./,:=@%+", c) || c > 127
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// recipe writes the settings of all runs by their names, without those that are empty or 0.
func recipe(r train.Recipe) string {
	var list []string
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		value := v.Field(i)
		switch empty := value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0; {
		case name == "seed" || name == "trained" || empty: // runs differ in these
		case strings.HasPrefix(name, "step_") && r.Schedule != "step":
		default:
			list = append(list, fmt.Sprintf("%s %v", strings.ReplaceAll(name, "_", "-"), value.Interface()))
		}
	}
	return strings.Join(list, ", ")
}

// failed lists the runs that failed, with their reasons.
func (r Report) failed(n namer) markup {
	var lines []markup
	for _, row := range r.Rows {
		if row.Failed != "" {
			name := fmt.Sprintf("%s%s, seed %d: ", row.Variant, row.Flags(n.flags), row.Seed)
			lines = append(lines, element("li", element("b", text(name)), text(row.Failed)))
		}
	}
	if lines == nil {
		return ""
	}
	return element(`h2 id="failed"`, text("Runs that failed")) + element("ul", join(lines))
}

// notes explain the table.
func (r Report) notes() markup {
	groups := compare.Groups(r.Rows)
	several := false
	for _, g := range groups {
		several = several || len(g.Runs) > 1
	}
	var lines []markup
	note := func(s string) { lines = append(lines, element("li", text(s))) }
	if several {
		note("± is the standard deviation over the seeds of a row.")
	}
	if baseline(groups) >= 0 && len(groups) > 1 {
		note("Differences to the baseline are in percentage points, and by seed: each run is compared with the baseline's run of the same seed, and the table has the mean of these differences. A – means that the two rows have no seed in common.")
	}
	if several && len(groups) > 1 {
		note(fmt.Sprintf("In each column of accuracies and losses, the best row is marked only if it differs from each other row by more than the noise: the mean of the differences by seed must be above %d standard errors, over at least two common seeds. The second best must differ in the same way from all rows behind it. With two or three seeds, this is weak evidence.", compare.StandardErrors))
	} else if len(groups) > 1 {
		note("No row is marked as the best: with one seed, nobody can tell a difference from noise.")
	}
	note("Trained: parameters that training changes. Stored: all parameters of the trained model. Deployed: those that are left after export merges the blocks.")
	if r.Epsilon > 0 {
		note("Robust top-1: top-1 accuracy under the attack.")
	}
	return element("ul", join(lines))
}

// pictures returns the figures.
func pictures(c curves, all []drawn) markup {
	var parts []markup
	for _, f := range all {
		parts = append(parts, element(`figure id="`+f.name+`"`, markup(f.picture),
			element("figcaption", text(f.caption+" Data: "+FiguresFolder+"/"+f.name+".csv"))))
	}
	if len(parts) == 0 {
		return element("p", text("There are no figures, since none would have more than one point."))
	}
	shown := element(`div class="figures"`, join(parts))
	if c.faults != nil {
		var lines []markup
		for _, err := range c.faults {
			lines = append(lines, element("li", text(err.Error())))
		}
		shown += element("p", text("The learning curves lack some runs:")) + element("ul", join(lines))
	}
	return shown
}
