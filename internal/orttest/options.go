package orttest

import (
	"os"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Options returns the options for sessions in tests: one thread, so that results repeat, on Provider.
func Options(t testing.TB) ort.Options {
	t.Helper()
	return ort.Options{IntraOpThreads: 1, Provider: Provider(t)}
}

// Provider initializes ONNX Runtime, and returns the provider for tests and benchmarks: the one that RCFREEZE_TEST_PROVIDER
// names, or the CPU. The test fails if that provider is not usable.
func Provider(t testing.TB) ort.Provider {
	t.Helper()
	name := os.Getenv("RCFREEZE_TEST_PROVIDER")
	if name == "" {
		name = string(ort.CPU)
	}
	choice, err := ort.ParseProvider(name)
	if err != nil {
		t.Fatalf("RCFREEZE_TEST_PROVIDER: %v", err)
	}
	Init(t)
	p, _, err := ort.Select(choice)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
