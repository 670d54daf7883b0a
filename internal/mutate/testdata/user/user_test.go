// Package user tests what it uses of another package.
package user

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/mutate/testdata/sample"
)

func TestTwice(t *testing.T) {
	if sample.Twice(3) != 6 {
		t.Error("wrong")
	}
}
