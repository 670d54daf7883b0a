package gradient

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// einsumRule: the gradient of an operand is an Einsum of dY and the other operands, with the letters of the operand as its
// result.
func einsumRule(c *call) []value {
	terms, result := c.einsum()
	d := make([]value, len(terms))
	for i, term := range terms {
		names, inputs := []string{result}, []value{c.dy()}
		for k, other := range terms {
			if k != i {
				names, inputs = append(names, other), append(inputs, c.in(k))
			}
		}
		d[i] = c.op("Einsum", inputs, onnxgraph.Str("equation", strings.Join(names, ",")+"->"+term))
	}
	return d
}

// einsum returns the letters of the operands and of the result. If the equation has no arrow, the result has the letters that
// occur once, in alphabetical order.
func (c *call) einsum() (terms []string, result string) {
	equation := strings.ReplaceAll(c.Node.Str("equation", ""), " ", "")
	left, result, stated := strings.Cut(equation, "->")
	if !stated {
		for letter := 'A'; letter <= 'z'; letter++ {
			if strings.Count(left, string(letter)) == 1 {
				result += string(letter)
			}
		}
	}
	return strings.Split(left, ","), result
}

func einsumOnly(c *call) string {
	terms, result := c.einsum()
	if strings.Contains(strings.Join(terms, ""), ".") {
		return "its equation has an ellipsis: name all axes"
	}
	for i, term := range terms {
		others := result
		for k, other := range terms {
			if k != i {
				others += other
			}
		}
		for _, letter := range term {
			if strings.Count(term, string(letter)) > 1 {
				return fmt.Sprintf("its equation takes a diagonal (%c twice in %s), which has no rule", letter, term)
			}
			if !strings.ContainsRune(others, letter) {
				return fmt.Sprintf("its equation sums %c over one operand alone: sum it by ReduceSum", letter)
			}
		}
	}
	return ""
}
