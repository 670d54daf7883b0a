package verify

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// planned estimates how many bytes a run of m on inputs of the given shapes takes, and reports whether that is known. It fails if
// a node would crash ONNX Runtime on inputs of these shapes.
func planned(m *onnxgraph.Model, shapes map[string][]int64) (bytes int64, known bool, err error) {
	fixed := m.Clone()
	fixed.Graph.ForgetShapes()
	for name, shape := range shapes {
		v := fixed.Graph.Value(name)
		if v == nil {
			return 0, false, nil // the run reports that
		}
		v.SetType(v.DType(), onnxgraph.Static(shape...))
		bytes += int64(v.DType().Bits()/8) * onnxgraph.ElementCount(shape)
	}
	peak, err := specialize.Peak(fixed)
	if err != nil {
		return 0, false, nil // the run reports what is wrong
	}
	if err := fixed.Validate(); err != nil {
		return 0, false, err
	}
	for _, n := range fixed.Graph.Nodes() {
		if n.Is("Conv") && n.Output(0) != nil {
			if _, known := n.Output(0).StaticShape(); !known {
				return 0, false, nil
			}
		}
	}
	return bytes + peak, true, nil
}

// mostNumbers limits the elements of an input, because they must fit into memory. It is far more than images have.
const mostNumbers = 1 << 31

// checkSizes returns an error if an input has more numbers than any memory holds.
func checkSizes(shapes map[string][]int64) error {
	for name, shape := range shapes {
		if n := onnxgraph.ElementCount(shape); n < 0 || n > mostNumbers {
			return fmt.Errorf("input %q has shape %v, more than %d numbers: --batch gives the model another batch size, and --no-verify skips running it",
				name, shape, mostNumbers)
		}
	}
	return nil
}

// mostPlanned is the most memory for a run, in bytes, if a smaller batch is possible: larger batches take longer and show nothing
// new.
const mostPlanned = 512 << 20

// fitsWell reports whether a run that takes the given number of bytes easily fits into free memory. ONNX Runtime may take twice
// as much, because it doubles its blocks of memory and convolutions copy their inputs; outputs also stay in memory.
func fitsWell(bytes int64) bool {
	free := ort.FreeMemory()
	return bytes <= mostPlanned && (free == 0 || bytes <= free/3)
}

// checkRun returns an error if a run on inputs of these shapes is known to crash or, with memory, not to fit into memory at all.
func checkRun(m *onnxgraph.Model, shapes map[string][]int64, memory bool) error {
	bytes, known, err := planned(m, shapes)
	if err != nil {
		return err
	}
	if free := ort.FreeMemory(); memory && known && free > 0 && bytes > free {
		return fmt.Errorf("this would take about %d MiB of memory, but only %d MiB are free", bytes>>20, free>>20)
	}
	return nil
}

// shapesOf returns the shapes of inputs by their names.
func shapesOf(inputs map[string]*onnxgraph.Tensor) map[string][]int64 {
	shapes := map[string][]int64{}
	for name, t := range inputs {
		shapes[name] = t.Dims()
	}
	return shapes
}
