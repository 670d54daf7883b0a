package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// The large model has convolutions side by side, then matrices side by side, so that its outputs stay in range.
const (
	largeConvolutions = 96   // of 512 to 512 channels, 3×3: 9 MiB each
	largeMatrices     = 23   // of largeWidth × largeWidth: 95 MiB each
	largeWidth        = 5000 // features
	largeChannels     = 512
)

// largeMemory is how many bytes a command may need at its peak for the model of 3 GB.
const largeMemory = 1500 << 20

// TestLargeModel converts and exports a model above protobuf's 2 GiB, and bounds the memory that it takes.
func TestLargeModel(t *testing.T) {
	if os.Getenv("RCFREEZE_LARGE") == "" {
		t.Skip("takes 15 GB of disk and some minutes: `make large` runs it")
	}
	t.Setenv("RCFREEZE_ORT_LIB", orttest.Init(t).Path)
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	program, source := filepath.Join(folder, "rcfreeze"), filepath.Join(folder, "large.onnx")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := largeModel(t).Save(source, onnxgraph.ExternalAsRead); err != nil { // goes outside by itself
		t.Fatal(err)
	}
	want := largeSum(t, source)
	for _, c := range []struct {
		convert, export []string // flags; no export if nil
		limit           int64    // of the export
	}{
		{[]string{"--pointwise", "random"}, nil, 0},
		{[]string{"--pointwise", "random", "--layout", "depthwise"}, []string{"--no-verify"}, largeMemory},
		// ONNX Runtime holds the weights, and copies of them in the order that it likes.
		{[]string{"--pointwise", "project"}, []string{"--verify-batch", "1"}, 9 << 30},
		{[]string{"--pointwise", "project", "--layout", "depthwise"}, nil, 0},
	} {
		t.Run(fmt.Sprint(c.convert), func(t *testing.T) {
			blocks, merged := filepath.Join(t.TempDir(), "blocks.onnx"), filepath.Join(t.TempDir(), "merged.onnx")
			runLarge(t, largeMemory, program, append([]string{"convert", source, "-o", blocks}, c.convert...)...)
			runLarge(t, largeMemory, program, "inspect", blocks)
			if c.export == nil {
				return
			}
			runLarge(t, c.limit, program, append([]string{"export", blocks, "-o", merged}, c.export...)...)
			runLarge(t, largeMemory, program, "export", merged, "-o", merged, "--no-verify") // over its own files
			if got := largeSum(t, merged); got != want {
				t.Errorf("an untouched weight changed: its SHA-256 is %x, was %x", got, want)
			}
		})
	}
}

// runLarge runs the program and logs the time that it took and its peak of memory, which it bounds.
func runLarge(t *testing.T, limit int64, program string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := make(chan int64)
	go func() { peak <- watchPeak(cmd.Process.Pid) }()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, &out)
	}
	most := <-peak
	t.Logf("%5d MiB, %3.0f s: %v", most>>20, time.Since(start).Seconds(), args)
	if most > limit || most == 0 {
		t.Errorf("%v: the peak of memory is %d MiB, above %d", args, most>>20, limit>>20)
	}
}

// watchPeak returns the peak of a process's resident memory in bytes, once it has ended. What the system says of ended
// processes counts the memory of those that started them.
func watchPeak(process int) (peak int64) {
	for ; ; time.Sleep(10 * time.Millisecond) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
		_, rest, running := strings.Cut(string(status), "VmHWM:")
		if err != nil || !running {
			return peak
		}
		var kibibytes int64
		if _, err := fmt.Sscan(rest, &kibibytes); err == nil {
			peak = max(peak, kibibytes<<10)
		}
	}
}

// largeSum returns the SHA-256 of a weight that no command touches.
func largeSum(t *testing.T, path string) [32]byte {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := m.Graph.Value("fc.weight").Constant().SHA256()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func largeModel(t *testing.T) *onnxgraph.Model {
	m := onnxgraph.New("large", 8, 18)
	g := m.Graph
	image := onnxgraph.Static(1, largeChannels, 8, 8)
	x, err := g.AddInput("x", onnxgraph.Float32, image)
	if err != nil {
		t.Fatal(err)
	}
	var sum []*onnxgraph.Value
	for range largeConvolutions {
		n := g.AddNode("Conv", []*onnxgraph.Value{x, largeConstant(g, "conv.weight", largeChannels, largeChannels, 3, 3)}, onnxgraph.Ints("pads", 1, 1, 1, 1))
		n.Output(0).SetType(onnxgraph.Float32, image)
		sum = append(sum, n.Output(0))
	}
	pooled := g.AddNode("GlobalAveragePool", []*onnxgraph.Value{g.AddNode("Sum", sum).Output(0)})
	flat := g.AddNode("Flatten", []*onnxgraph.Value{pooled.Output(0)})
	features := g.AddNode("Gemm", []*onnxgraph.Value{flat.Output(0), largeConstant(g, "first.weight", largeChannels, largeWidth)})
	sum = nil
	for range largeMatrices {
		n := g.AddNode("Gemm", []*onnxgraph.Value{features.Output(0), largeConstant(g, "fc.weight", largeWidth, largeWidth)})
		sum = append(sum, n.Output(0))
	}
	y := g.AddNode("Sum", sum).Output(0)
	g.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(1, largeWidth))
	return m
}

// largeConstant adds a constant of random numbers, which are drawn when the model is saved.
func largeConstant(g *onnxgraph.Graph, name string, dims ...int64) *onnxgraph.Value {
	count := int64(1)
	for _, d := range dims {
		count *= d
	}
	v := g.AddConstant(name, onnxgraph.NewScalar(float32(0)))
	random := filterbank.NewStream(1, v.Name())
	v.SetConstant(onnxgraph.NewLazyTensor(onnxgraph.Float32, dims, func() (*onnxgraph.Tensor, error) {
		data := make([]float32, count)
		for i := range data {
			data[i] = (random.Uniform(uint32(i)) - 0.5) / 64
		}
		return onnxgraph.NewTensor(dims, data), nil
	}))
	return v
}
