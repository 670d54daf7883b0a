package train

import (
	"fmt"
	"strings"
	"testing"
)

// TestDifferences tells in what two runs differ: by the names that a checkpoint has, short, and each once.
func TestDifferences(t *testing.T) {
	type settings struct {
		N    int      `json:"n"`
		Text string   `json:"text"`
		List []string `json:"list"`
		Free int      `json:"-"`
	}
	long := strings.Repeat("é", 48)
	for _, c := range []struct {
		was, is settings
		want    string
	}{
		{settings{}, settings{}, "[]"},
		{settings{List: nil}, settings{List: []string{}}, "[]"},
		{settings{Free: 1}, settings{Free: 2}, "[]"},
		{settings{N: 1}, settings{N: 2}, "[n was 1 and is now 2]"},
		{settings{N: 1, Text: "a"}, settings{N: 2, Text: "b"}, "[n was 1 and is now 2 text was a and is now b]"},
		{settings{Text: long}, settings{Text: "b"}, "[text was " + long + " and is now b]"},
		{settings{Text: long + "x"}, settings{Text: "b"}, "[text was éééééééééééé… and is now b]"},
		{settings{Text: long + "x"}, settings{Text: long + "y"}, "[text was éééééééééééé… and is now another]"},
		{settings{List: []string{"a", "b"}}, settings{List: []string{"a"}}, "[list was [a b] and is now [a]]"},
	} {
		if got := fmt.Sprint(Differences(c.was, c.is)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
