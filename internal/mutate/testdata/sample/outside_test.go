package sample_test

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/mutate/testdata/sample"
)

func TestMax(t *testing.T) {
	if sample.Max(1, 2) != 2 || sample.Max(4, 3) != 4 {
		t.Error("wrong")
	}
}

func TestAdmits(t *testing.T) {
	if sample.Admits(5) || !sample.Admits(50) {
		t.Error("wrong")
	}
}

func TestHalvings(t *testing.T) {
	if sample.Halvings(9) != 3 || sample.Halvings(8) != 3 || sample.Halvings(1) != 0 {
		t.Error("wrong")
	}
}

func TestReserve(t *testing.T) {
	if sample.Reserve(64<<30, 1<<10) != 1<<10 || sample.Reserve(1, 2) != 1 {
		t.Error("wrong")
	}
}
