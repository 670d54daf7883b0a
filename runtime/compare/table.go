package compare

import (
	"encoding/csv"
	"fmt"
	"io"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// writeTable writes one line per run as comma-separated values.
func writeTable(path string, rows []Row) error {
	err := atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"variant", "expansion", "kernel_size", "between", "layout", "bank", "pointwise", "seed",
			"trained_parameters", "parameters", "deployed_parameters", "top1", "top5", "loss", "robust_top1", "seconds", "failed"})
		for _, r := range rows {
			line := []string{string(r.Variant), fmt.Sprint(r.Expansion), fmt.Sprint(r.KernelSize), string(r.Between), string(r.Layout), r.Bank,
				string(r.Pointwise), fmt.Sprint(r.Seed)}
			if r.Failed != "" {
				c.Write(append(append(line, make([]string, 8)...), r.Failed))
				continue
			}
			robust := ""
			if r.RobustTop1 != nil {
				robust = fmt.Sprintf("%.4f", *r.RobustTop1)
			}
			c.Write(append(line, fmt.Sprint(r.Trained), fmt.Sprint(r.Parameters), fmt.Sprint(r.Deployed), fmt.Sprintf("%.4f", r.Top1),
				fmt.Sprintf("%.4f", r.Top5), fmt.Sprintf("%.6g", r.Loss), robust, fmt.Sprintf("%.1f", r.Seconds), ""))
		}
		c.Flush()
		return c.Error()
	})
	if err != nil {
		return fmt.Errorf("writing the comparison: %w", err)
	}
	return nil
}
