package damage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Seeds calls f with every model of a corpus of the go command, damaged in a number of ways.
func Seeds(t *testing.T, corpus string, f func(t *testing.T, data []byte)) {
	paths, err := filepath.Glob(filepath.Join(corpus, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models in %s, %v", corpus, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			model := readSeed(t, path)
			seed := uint64(0)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("that was seed %d of %s", seed, path)
				}
			})
			for ; seed < ways && !t.Failed(); seed++ {
				f(t, Model(model, seed))
			}
		})
	}
}

// ways is in how many ways Seeds damages a model.
const ways = 100

// readSeed returns the first value of a file of a corpus.
func readSeed(t *testing.T, path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	quoted := strings.TrimSuffix(strings.TrimPrefix(lines[1], "[]byte("), ")")
	data, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return []byte(data)
}
