package sample

import (
	"errors"
	"fmt"
	"strings"
)

// All mutants in this file are noticed. The code is there for its forms: each must compile with its mutants in it, and mean what
// it meant.

type level uint8

const (
	low level = iota + 1
	high
)

var table = [...]int{2: 5, 1: 7}

var errNegative = errors.New("a negative number")

func arithmetic(a, b int) [7]int {
	return [...]int{a + b, a - b, a * b, a / b, a % b, 2 * a, -b}
}

func bits(a, b uint8, n int) [8]uint8 {
	return [...]uint8{a & b, a | b, a ^ b, a &^ b, a << n, a >> n, 1 << n, a << 2}
}

func mixed(x float64, n int) (float64, float64, int64) {
	return x*0.5 + 1, 2 / x, int64(n) + 1<<2
}

func compared[T int | string](a, b T) [4]bool {
	return [...]bool{a < b, a <= b, a > b, a >= b}
}

func lazy(list []int) bool {
	return len(list) > 1 && list[1] == 3 || len(list) == 0
}

func named(l level) (level, bool) {
	l += low
	ok := l == high
	return l, !ok
}

func root(n int) (r int, err error) {
	if n < 0 {
		return 0, fmt.Errorf("taking the root of %d: %w", n, errNegative)
	}
	for (r+1)*(r+1) <= n {
		r++
	}
	return r, nil
}

func joined(words []string) (text string, letters map[string]int) {
	letters = map[string]int{}
	for i, word := range words {
		if i > 0 {
			text += ", "
		}
		text = text + strings.ToUpper(word)
		letters[word] = len(word)
	}
	return text, letters
}

func steps(numbers []int) (sum int, done bool) {
outer:
	for _, n := range numbers {
		switch {
		case n == 7:
			continue
		case n < 0:
			break outer
		}
		if n == 9 {
			break
		}
		sum += n
	}
	func() {
		defer func() { sum *= 2 }()
		if len(numbers) != 3 {
			return
		}
		sum++
	}()
	done = sum != 4
	return sum, done
}

func list(n int) []int {
	some := make([]int, 0, 2*n)
	for i := range n {
		some = append(some, table[i])
	}
	return some[1:]
}
