package sample

import (
	"errors"
	"reflect"
	"testing"
)

func TestForms(t *testing.T) {
	x, y, z := mixed(4, 3)
	l, other := named(low)
	m, same := named(high)
	text, letters := joined([]string{"a", "bc"})
	three, doneThree := steps([]int{7, 0, 2})
	stopped, doneStopped := steps([]int{1, -1, 5})
	nine, _ := steps([]int{1, 9, 5, 1})
	zero, errZero := root(0)
	four, _ := root(4)
	eight, _ := root(8)
	for _, c := range []struct{ got, want any }{
		{arithmetic(7, 2), [...]int{9, 5, 14, 3, 1, 14, -2}},
		{bits(12, 10, 1), [...]uint8{8, 14, 6, 4, 24, 6, 2, 48}},
		{x, 3.0}, {y, 0.5}, {z, int64(7)},
		{compared(1, 2), [...]bool{true, true, false, false}},
		{compared("b", "b"), [...]bool{false, true, false, true}},
		{compared(2, 1), [...]bool{false, false, true, true}},
		{lazy(nil), true}, {lazy([]int{3}), false}, {lazy([]int{1, 3}), true}, {lazy([]int{3, 1}), false},
		{l, high}, {other, false}, {m, level(3)}, {same, true},
		{zero, 0}, {errZero, nil}, {four, 2}, {eight, 2},
		{text, "A, BC"}, {letters, map[string]int{"a": 1, "bc": 2}},
		{three, 6}, {doneThree, true}, {stopped, 4}, {doneStopped, false}, {nine, 2},
		{list(3), []int{7, 5}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	if n, err := root(-1); n != 0 || !errors.Is(err, errNegative) {
		t.Errorf("got %d and %v", n, err)
	}
}
