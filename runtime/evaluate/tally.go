package evaluate

import (
	"errors"
	"math"
)

// tally adds up the samples measured so far.
type tally struct {
	samples, top1, top5 int
	loss                float64
	classified          func(label, class int) // if not nil, called for each sample
}

// add counts the first len(labels) of the batch rows of logits.
func (t *tally) add(logits []float32, labels []int64, batch int) error {
	classes := len(logits) / batch
	for i, label := range labels {
		row := logits[i*classes : (i+1)*classes]
		if label < 0 || int(label) >= classes {
			return errors.New("evaluating: a label is outside the model's classes")
		}
		loss, rank := score(row, int(label))
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return errors.New("evaluating: the model's outputs are not finite numbers: its weights or its input are damaged")
		}
		t.samples++
		t.loss += loss
		if rank < 1 {
			t.top1++
		}
		if rank < 5 {
			t.top5++
		}
		if t.classified != nil {
			t.classified(int(label), largest(row))
		}
	}
	return nil
}

func (t *tally) result() Result {
	n := float64(t.samples)
	return Result{Samples: t.samples, Loss: t.loss / n, Top1: float64(t.top1) / n, Top5: float64(t.top5) / n}
}

// largest returns the class with the largest logit, the first of equal ones.
func largest(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

// score returns the cross entropy of softmax(row) with the label, and how many classes come before the label: classes with a
// larger logit, and those with an equal logit and a lower number.
func score(row []float32, label int) (loss float64, rank int) {
	top := row[largest(row)]
	for i, v := range row {
		if v > row[label] || v == row[label] && i < label {
			rank++
		}
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v - top))
	}
	return math.Log(sum) - float64(row[label]-top), rank
}
