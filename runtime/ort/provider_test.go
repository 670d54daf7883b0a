package ort

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseProvider(t *testing.T) {
	for _, name := range []string{"cpu", "cuda", "auto"} {
		if p, err := ParseProvider(name); err != nil || string(p) != name {
			t.Errorf("%s gave %v, %v", name, p, err)
		}
	}
	for _, name := range []string{"", "CPU", "gpu"} {
		_, err := ParseProvider(name)
		mentions(t, err, name, "cpu, cuda or auto")
	}
}

// TestSelect holds with and without a GPU: cuda is either usable or an error, and auto follows it.
func TestSelect(t *testing.T) {
	if _, err := Init(""); err != nil {
		t.Fatal(err)
	}
	if p, reason, err := Select(CPU); p != CPU || reason == "" || err != nil {
		t.Errorf("cpu gave %v, %q, %v", p, reason, err)
	}
	_, _, cudaErr := Select(CUDA)
	p, reason, err := Select(Auto)
	if err != nil || reason == "" {
		t.Fatalf("auto gave %q, %v", reason, err)
	}
	if cudaErr == nil {
		if p != CUDA {
			t.Errorf("cuda is usable, but auto took %v: %s", p, reason)
		}
		return
	}
	mentions(t, cudaErr, "selecting provider cuda", "--provider cpu")
	if p != CPU || !strings.Contains(reason, "cuda cannot be used") {
		t.Errorf("cuda is not usable (%v), but auto took %v: %s", cudaErr, p, reason)
	}
}

func TestExplainCUDANamesMissingLibrary(t *testing.T) {
	if _, err := Init(""); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	library := filepath.Join(folder, libraryName())
	cause := errors.New("the cause")
	mentions(t, errors.New(explainCUDA(cause, library)), "the cause", library, "onnxruntime_providers_cuda", "GPU package")

	needed := fakeLibrary(t, filepath.Join(folder, "libcudnn_fake.so.9"), "")
	provider := filepath.Join(folder, "libonnxruntime_providers_cuda.so")
	linkedLibrary(t, provider, needed)
	mentions(t, errors.New(explainCUDA(cause, library)), "the cause", provider, "libcudnn_fake.so.9: cannot open shared object file", "LD_LIBRARY_PATH")
}

func TestDiagnose(t *testing.T) {
	d := Diagnose("")
	if d.Library == nil || d.Problem != "" || d.CPUThreads < 1 || d.NeededVersion != MinimumVersion {
		t.Fatalf("diagnosis is %+v", d)
	}
	for i, p := range []Provider{CPU, CUDA} {
		status := d.Providers[i]
		if status.Provider != p || status.Usable != (status.Reason == "") || status.Usable && !status.CompiledIn {
			t.Errorf("provider %v is %+v", p, status)
		}
	}
	if !d.Providers[0].Usable {
		t.Errorf("cpu is %+v", d.Providers[0])
	}
	data, err := json.Marshal(d)
	if err != nil || !strings.Contains(string(data), `"compiled_in":true`) {
		t.Errorf("as JSON: %s, %v", data, err)
	}

	d = Diagnose("no/such/file.so")
	if d.Library != nil || len(d.Providers) != 0 || !strings.Contains(d.Problem, "make setup") {
		t.Errorf("diagnosis without a library is %+v", d)
	}
}

func TestMarkOutOfMemory(t *testing.T) {
	for message, want := range map[string]bool{
		"Non-zero status code returned while running Conv node. Name:'Conv_35' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:358 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 67108864": true,
		"Error creating C session from file: Exception during initialization: std::bad_alloc": true,
		"CUDA failure 2: out of memory ; GPU=0":                                               true,
		"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0":                                true,
		"Available memory of 100 is smaller than requested bytes of 200":                      true,
		"std::bad_alloc": true,
		"Non-zero status code returned while running Gather node: indices":  false,
		"OrtValue shape verification failed. Current shape:{} Requested {}": false,
	} {
		cause := errors.New(message)
		err := markOutOfMemory(cause)
		if errors.Is(err, ErrOutOfMemory) != want || !errors.Is(err, cause) {
			t.Errorf("%q: marked %v, want %v", message, !want, want)
		}
	}
	if markOutOfMemory(nil) != nil {
		t.Error("no error became one")
	}
}
