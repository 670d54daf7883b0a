package projection

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
)

// layout says where W, R and P hold the matrices of several independent problems W = P·R.
type layout struct {
	problems int
	o, j, n  int // of each problem: rows of W and P, rows of R and columns of P, columns of W and R

	wStep, wStride int // distances in W between problems, and between rows; in R, problems follow one another
	pStep, pStride int // the same distances in P
}

// groupLayout is W [groups·o × n], R [groups·j × n], P [groups·o × j].
func groupLayout(groups, o, j, n int) layout {
	return layout{groups, o, j, n, o * n, n, o * j, j}
}

// channelLayout is W [o × channels·k], R [channels·m × k], P [o × channels·m].
func channelLayout(channels, o, m, k int) layout {
	return layout{channels, o, m, k, k, channels * k, m, channels * m}
}

func (l layout) w(data []float64, i int) blas64.General {
	return blas64.General{Rows: l.o, Cols: l.n, Stride: l.wStride, Data: data[i*l.wStep:]}
}

func (l layout) r(data []float64, i int) blas64.General {
	return blas64.General{Rows: l.j, Cols: l.n, Stride: l.n, Data: data[i*l.j*l.n:]}
}

func (l layout) p(data []float64, i int) blas64.General {
	return blas64.General{Rows: l.o, Cols: l.j, Stride: l.pStride, Data: data[i*l.pStep:]}
}

// check reports what is wrong with the data of a matrix that has rows × columns numbers in each problem.
func (l layout) check(name string, data []float64, rows, columns int) error {
	if l.problems < 1 || rows < 1 || columns < 1 {
		return fmt.Errorf("%s has %d × %d × %d numbers, needs 1 or more each way", name, l.problems, rows, columns)
	}
	// Unlike an int, a float64 does not wrap around.
	if need := float64(l.problems) * float64(rows) * float64(columns); float64(len(data)) != need {
		return fmt.Errorf("%s has %d numbers, needs %d × %d × %d = %.0f", name, len(data), l.problems, rows, columns, need)
	}
	for i, v := range data {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("%s holds %v at index %d, needs finite numbers", name, v, i)
		}
	}
	return nil
}
