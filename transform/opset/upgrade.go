package opset

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Newest is the newest version of ONNX's operators that Upgrade can produce.
const Newest = 18

// Upgrade brings the nodes of a model that call ONNX's own operators, including those in the bodies of If, Loop and Scan, to the
// forms of version target, in place. It raises the IR version if target needs it. Functions stay as they are, because each states
// its own operator versions. A model of version target or newer stays as it is, too.
//
// Names of graph inputs, outputs, initializers and nodes stay; attributes that became inputs become initializers of the graph
// that their node is in. Files before IR version 4 had to list every initializer among the graph inputs. Since version 4, such an
// initializer is a default that callers may override and that ONNX Runtime cannot optimize (with 16-bit weights it even crashes).
// So Upgrade removes these initializers from the inputs.
//
// The error lists every node that has no newer form, and why. The model is then unchanged.
func Upgrade(model *onnxgraph.Model, target int64) error {
	from := model.Opset("")
	if from == 0 || from >= target {
		return nil
	}
	if target > Newest {
		return fmt.Errorf("upgrading %s from opset %d to %d: the newest that can be reached is %d", subject(model), from, target, Newest)
	}
	// The first try is on a copy, so that the model stays unchanged if it fails.
	for _, m := range []*onnxgraph.Model{model.Clone(), model} {
		if err := upgrade(m, target); err != nil {
			return errors.Join(fmt.Errorf("upgrading %s from opset %d to %d: these nodes have an old form without a newer one; "+
				"export the model with a newer opset, or replace the nodes:", subject(model), from, target), err)
		}
	}
	return nil
}

func subject(model *onnxgraph.Model) string {
	if model.Path() != "" {
		return model.Path()
	}
	return fmt.Sprintf("model %q", model.Graph.Name())
}

func upgrade(model *onnxgraph.Model, target int64) error {
	raiseIRVersion(model, IRVersion(target)) // first, because it decides where new initializers go
	types := inferTypes(model.Graph)
	failed := map[*onnxgraph.Node]bool{}
	var faults []error
	for version := model.Opset("") + 1; version <= target; version++ {
		for _, n := range model.Graph.AllNodes() {
			rewrite, changed := changes[operator{n.OpType(), version}]
			if !changed || n.Domain() != "" || failed[n] {
				continue
			}
			err := errors.New("it has no input 0")
			if n.Input(0) != nil {
				err = rewrite(n, types)
			}
			if err != nil {
				failed[n] = true
				faults = append(faults, fmt.Errorf("  node %s, whose form changed in opset %d: %w", n, version, err))
			}
		}
	}
	model.SetOpset("", target)
	return errors.Join(faults...)
}

// raiseIRVersion brings a model to an IR version that is at least 4.
func raiseIRVersion(model *onnxgraph.Model, version int64) {
	old := model.IRVersion()
	model.SetIRVersion(max(old, version))
	if old >= 4 {
		return
	}
	for _, v := range model.Graph.Initializers() {
		if v.Constant() != nil { // otherwise it is sparse, which such files cannot have
			model.Graph.MakeConstant(v, v.Constant())
		}
	}
}

// irVersions holds, in rising order, the versions of ONNX's operators that came with a new IR version. The
// first row is 4 instead of the historic 3, because only from IR version 4 on may an initializer not be a
// graph input as well.
var irVersions = []struct{ opset, ir int64 }{
	{1, 4}, {10, 5}, {11, 6}, {12, 7}, {15, 8}, {19, 9}, {21, 10}, {23, 11},
}

// IRVersion returns the oldest IR version, 4 at least, that belongs with a version of ONNX's operators, as
// listed in ONNX's Versioning.md. A model of version 18, for example, needs IR version 8.
func IRVersion(opset int64) int64 {
	var ir int64
	for _, row := range irVersions {
		if row.opset <= opset {
			ir = row.ir
		}
	}
	return ir
}
