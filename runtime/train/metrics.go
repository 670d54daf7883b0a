package train

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// Row holds the results of an epoch. Accuracies are shares from 0 to 1, losses are in nats. The fields TestLoss, TestTop1 and
// TestTop5 are measured on Run.Test, the others while the model trains, on augmented images and with label smoothing.
type Row struct {
	Epoch        int     `json:"epoch"` // from 1
	LearningRate float64 `json:"lr"`    // learning rate of the epoch's last step
	TrainLoss    float64 `json:"train_loss"`
	TrainTop1    float64 `json:"train_top1"`
	TestLoss     float64 `json:"test_loss"`
	TestTop1     float64 `json:"test_top1"`
	TestTop5     float64 `json:"test_top5"`
	Seconds      float64 `json:"seconds"` // time of training and measuring
}

var metricsColumns = []string{"epoch", "lr", "train_loss", "train_top1", "test_loss", "test_top1", "test_top5", "seconds"}

// writeMetrics writes comma-separated values: a line for the start, as epoch 0, and one per epoch.
func writeMetrics(path string, start evaluate.Result, history []Row) error {
	err := atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write(metricsColumns)
		c.Write([]string{"0", "", "", "", fmt.Sprintf("%.6g", start.Loss), fmt.Sprintf("%.6g", start.Top1), fmt.Sprintf("%.6g", start.Top5), ""})
		for _, r := range history {
			line := []string{fmt.Sprint(r.Epoch)}
			for _, v := range []float64{r.LearningRate, r.TrainLoss, r.TrainTop1, r.TestLoss, r.TestTop1, r.TestTop5} {
				line = append(line, fmt.Sprintf("%.6g", v))
			}
			c.Write(append(line, fmt.Sprintf("%.1f", r.Seconds)))
		}
		c.Flush()
		return c.Error()
	})
	if err != nil {
		return fmt.Errorf("writing metrics: %w", err)
	}
	return nil
}

// Metrics reads the metrics of the folder's run: a Row for the start, as epoch 0, where only the Test fields and Epoch are set, and one
// per epoch.
func (f Folder) Metrics() ([]Row, error) {
	const most = 1 << 26 // bytes
	data, err := plainfile.Read(f.metrics(), most)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	rows, err := parseMetrics(data)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %s: %w", f.metrics(), err)
	}
	return rows, nil
}

// parseMetrics reads what writeMetrics wrote.
func parseMetrics(data []byte) ([]Row, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = len(metricsColumns)
	lines, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, errors.New("it is empty")
	}
	var rows []Row
	for i, line := range lines[1:] {
		row := Row{Epoch: i}
		if line[0] != strconv.Itoa(i) {
			return nil, fmt.Errorf("epoch %q, need %d", line[0], i)
		}
		fields := []*float64{&row.LearningRate, &row.TrainLoss, &row.TrainTop1, &row.TestLoss, &row.TestTop1, &row.TestTop5, &row.Seconds}
		for column, field := range fields {
			text := line[column+1]
			if text == "" && i == 0 {
				continue
			}
			if *field, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("epoch %d: %s %q is no number", i, metricsColumns[column+1], text)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
