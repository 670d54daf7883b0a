// Package peer gives tests the programs, models and images that they compare rcfreeze with. Only `make test-all` uses them, so
// that `make test` has the same outcome on every machine.
package peer

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Variable is the environment variable that `make test-all` sets, and ModelsVariable names a folder of further models.
const (
	Variable       = "RCFREEZE_TEST_ALL"
	ModelsVariable = "RCFREEZE_MODELS"
)

// Debian's packages put ONNX's own test models, and Fashion-MNIST, there.
const (
	conformanceModels = "/usr/share/libonnx-testdata/data"
	fashionMNIST      = "/usr/share/datasets/fashion-mnist"
)

// All skips the test unless `make test-all` runs it. Use it in tests that need a peer, take long, or measure the system.
func All(t testing.TB) {
	t.Helper()
	if os.Getenv(Variable) == "" {
		t.Skip("`make test-all` runs this test")
	}
}

// Python returns a Python that has the modules. Without one it skips the test.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	All(t)
	for _, python := range []string{"/usr/bin/python3", "python3"} { // Debian's comes first: its packages are not in others
		if exec.Command(python, "-c", "import "+strings.Join(modules, ", ")).Run() == nil {
			return python
		}
	}
	t.Skipf("no Python here has %s: `make peers` installs them on Debian", strings.Join(modules, ", "))
	return ""
}

// Chromium returns the browser of this name. Without it the test is skipped.
func Chromium(t testing.TB) string {
	t.Helper()
	All(t)
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium here: `make peers` installs it on Debian")
	return ""
}

// ConformanceModels returns the folder of ONNX's own test models, each with inputs and the outputs that it must have.
// Without it the test is skipped.
func ConformanceModels(t testing.TB) string { return folder(t, conformanceModels) }

// FashionMNIST returns the folder of that data set. Without it the test is skipped.
func FashionMNIST(t testing.TB) string { return folder(t, fashionMNIST) }

func folder(t testing.TB, path string) string {
	t.Helper()
	All(t)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no folder %s here: `make peers` installs it on Debian", path)
	}
	return path
}

// Models returns the folder of models that ModelsVariable names. Without one the test is skipped.
func Models(t testing.TB) string {
	t.Helper()
	path := os.Getenv(ModelsVariable)
	if path == "" {
		t.Skip("set " + ModelsVariable + " to a folder of ONNX files to try them all")
	}
	return path
}
