package rcfreeze

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/verify"
)

// TestNegativeOptions sets numbers below 0 where 0 has a meaning of its own: Validate names the flag, for every options struct that
// has the field. 0 itself is not at fault.
func TestNegativeOptions(t *testing.T) {
	type options interface{ Validate() error }
	data := Data{Path: "images"}
	for flag, c := range map[string]struct{ wrong, right []options }{
		"--top": {[]options{PredictOptions{Top: -1}}, []options{PredictOptions{}}},
		"--time-runs": {
			[]options{ExportOptions{TimeRuns: -1}}, []options{ExportOptions{}},
		},
		"--verify-batch": {
			[]options{ExportOptions{Verify: verify.Options{Batch: -8}}}, []options{ExportOptions{Verify: verify.Options{Batch: 8}}},
		},
		"--batch-size": {
			[]options{RecalibrateOptions{Data: data, BatchSize: -5}, EvaluateOptions{Data: data, BatchSize: -5}},
			[]options{RecalibrateOptions{Data: data, Images: -1}, EvaluateOptions{Data: data}},
		},
		"--epsilon": {
			[]options{
				EvaluateOptions{Data: data, Epsilon: -0.1}, TrainOptions{Data: data, Epsilon: -0.1},
				CompareOptions{Data: data, Folder: "runs", Epsilon: -0.1}, EvaluateOptions{Data: data, Epsilon: math.NaN()},
			},
			[]options{EvaluateOptions{Data: data}, TrainOptions{Data: data}, CompareOptions{Data: data, Folder: "runs"}},
		},
		"--short-side": {
			[]options{PredictOptions{Data: Data{ShortSide: -1}}, ConvertOptions{Data: Data{ShortSide: -1}}},
			[]options{PredictOptions{}, ConvertOptions{}},
		},
		"--workers": {[]options{PredictOptions{Data: Data{Workers: -1}}}, []options{PredictOptions{Data: Data{Workers: 1}}}},
		"--threads": {[]options{ExportOptions{Runtime: Runtime{Threads: -1}}}, []options{ExportOptions{Runtime: Runtime{Threads: 1}}}},
		"--device":  {[]options{ExportOptions{Runtime: Runtime{Device: -1}}}, []options{ExportOptions{Runtime: Runtime{Device: 1}}}},
	} {
		for i, o := range c.wrong {
			var faults *OptionsError
			if err := o.Validate(); !errors.As(err, &faults) || !strings.Contains(err.Error(), flag+" ") {
				t.Errorf("%s: options %d: %v", flag, i, err)
			}
		}
		for i, o := range c.right {
			if err := o.Validate(); err != nil {
				t.Errorf("%s: right options %d: %v", flag, i, err)
			}
		}
	}
}
