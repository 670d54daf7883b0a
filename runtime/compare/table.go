package compare

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// writeTable writes one line per run as comma-separated values.
func writeTable(path string, rows []Row) error {
	err := onnxgraph.WriteFile(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"variant", "expansion", "seed", "trained_parameters", "parameters", "deployed_parameters",
			"top1", "top5", "loss", "robust_top1", "seconds"})
		for _, r := range rows {
			robust := ""
			if r.RobustTop1 != nil {
				robust = fmt.Sprintf("%.4f", *r.RobustTop1)
			}
			c.Write([]string{string(r.Variant), fmt.Sprint(r.Expansion), fmt.Sprint(r.Seed), fmt.Sprint(r.Trained),
				fmt.Sprint(r.Parameters), fmt.Sprint(r.Deployed), fmt.Sprintf("%.4f", r.Top1), fmt.Sprintf("%.4f", r.Top5),
				fmt.Sprintf("%.6g", r.Loss), robust, fmt.Sprintf("%.1f", r.Seconds)})
		}
		c.Flush()
		return c.Error()
	})
	if err != nil {
		return fmt.Errorf("writing the comparison: %w", err)
	}
	return nil
}

const rowFile = "result.json"

// finished is what is kept of a run that is done: its row, and the recipe that led to it.
type finished struct {
	Row    Row          `json:"row"`
	Recipe train.Recipe `json:"recipe"`
}

// writeRow marks a run as done.
func writeRow(folder string, f finished) error {
	return onnxgraph.WriteFile(filepath.Join(folder, rowFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(f)
	})
}

// readRow returns the row of a run that is done. A run of another recipe is an error: rows of one table must
// compare.
func readRow(folder string, recipe train.Recipe) (row Row, done bool, err error) {
	data, err := os.ReadFile(filepath.Join(folder, rowFile))
	if errors.Is(err, fs.ErrNotExist) {
		return row, false, nil
	}
	f := finished{Recipe: train.Recipe{GradAccumSteps: 1}} // older ones do not say how many
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		return row, false, fmt.Errorf("reading a finished run: %w", err)
	}
	if was, is := fmt.Sprintf("%+v", f.Recipe), fmt.Sprintf("%+v", recipe); was != is {
		return row, false, fmt.Errorf("the finished run in %s was trained with other settings: repeat the comparison with the same, or choose another folder; it had %s, asked for is %s", folder, was, is)
	}
	return f.Row, true, nil
}
