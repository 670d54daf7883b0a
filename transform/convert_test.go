package transform_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"gonum.org/v1/gonum/mat"
)

// spanning returns options for a bank that spans all filters of the case. It has a few filters more than needed: the weights
// for a square one may be large, and then their rounding shows.
func spanning(c convcases.Case, layout transform.Layout, between transform.Between) transform.Options {
	taps := 1
	for _, k := range c.Kernel {
		taps *= int(k)
	}
	o := transform.Options{Layout: layout, Between: between, Expansion: taps + 3, Seed: 5}
	if layout == transform.Dense {
		groups := max(int(c.Groups), 1)
		perGroup := int(c.Filters) / groups
		o.Expansion = taps*int(c.Input[1])/groups/perGroup + 4
	}
	return o
}

// TestBlocksEqualTheirSource converts each case with a bank that spans its filters, and merges it again.
func TestBlocksEqualTheirSource(t *testing.T) {
	for _, c := range convcases.Cases {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			for _, between := range []transform.Between{transform.None, transform.BatchNorm} {
				t.Run(fmt.Sprintf("%s/%s/%s", c.Name, layout, between), func(t *testing.T) {
					t.Parallel()
					blockEqualsSource(t, c, spanning(c, layout, between))
				})
			}
		}
	}
}

func blockEqualsSource(t *testing.T, c convcases.Case, o transform.Options) {
	m := c.Model()
	bound := transformtest.Tolerance[m.Graph.Outputs()[0].DType()]
	want := transformtest.Evaluate(t, m, c.Data())
	operators, parameters, names := transformtest.Census(m)

	report, err := transform.Convert(m, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(report) != 1 || report[0].Status != transform.Converted || *report[0].Error > bound {
		t.Fatalf("report %+v", report)
	}
	m = transformtest.Reloaded(t, m)
	if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > bound {
		t.Errorf("the block differs from the source by %.2g", d)
	}
	blocks, err := transform.Blocks(m)
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks after loading: %v, %v", blocks, err)
	}
	b := blocks[0]
	if b.Name != convcases.Node || b.Bank.Constant().Len() != report[0].After.Bank || len(b.BankConv.Ints("kernel_shape")) != len(c.Kernel) {
		t.Errorf("found the block %+v", b)
	}
	if b.PointwiseConv.Has("pads") || b.PointwiseConv.Has("strides") || b.PointwiseConv.Has("auto_pad") || b.PointwiseConv.Has("dilations") {
		t.Error("the 1×1 convolution has what belongs to the bank's")
	}

	outcomes, err := transform.Merge(m)
	if err != nil || len(outcomes) != 1 || outcomes[0].Status != transform.Merged {
		t.Fatalf("merging: %+v, %v", outcomes, err)
	}
	m = transformtest.Reloaded(t, m)
	if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > bound {
		t.Errorf("the merged convolution differs from the source by %.2g", d)
	}
	mergedOperators, mergedParameters, mergedNames := transformtest.Census(m)
	if !maps.Equal(mergedOperators, operators) || mergedParameters != parameters || !maps.Equal(mergedNames, names) {
		t.Errorf("merged: %v with %d parameters %v; source: %v with %d parameters %v", mergedOperators, mergedParameters, mergedNames, operators, parameters, names)
	}
	if m.Graph.Nodes()[0].Name() != convcases.Node || len(m.MetadataKeys()) != 0 {
		t.Errorf("the node is called %q; the metadata still has %v", m.Graph.Nodes()[0].Name(), m.MetadataKeys())
	}
}

// TestBlocksOnRuntime compares block and merged convolution with the naive reference on ONNX Runtime, with a batch
// normalization that does something.
func TestBlocksOnRuntime(t *testing.T) {
	orttest.Init(t)
	for _, c := range convcases.Cases {
		if !c.Runs() {
			continue
		}
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			t.Run(fmt.Sprintf("%s/%s", c.Name, layout), func(t *testing.T) {
				t.Parallel()
				m := c.Model()
				o := spanning(c, layout, transform.BatchNorm)
				o.Pointwise = transform.Random
				if _, err := transform.Convert(m, o); err != nil {
					t.Fatal(err)
				}
				transformtest.DisturbNorm(t, m)
				bound := transformtest.Tolerance[m.Graph.Outputs()[0].DType()]
				want := transformtest.Evaluate(t, m, c.Data())
				if d := transformtest.Difference(t, transformtest.Execute(t, m, c.Data()), want); d > bound {
					t.Errorf("ONNX Runtime's block differs from the reference by %.2g", d)
				}
				if _, err := transform.Merge(m); err != nil {
					t.Fatal(err)
				}
				if d := transformtest.Difference(t, transformtest.Execute(t, m, c.Data()), want); d > bound {
					t.Errorf("the merged convolution differs from the block by %.2g", d)
				}
			})
		}
	}
}

// TestKernelSize changes the kernel's extent: a larger one holds the source's filters as they are.
func TestKernelSize(t *testing.T) {
	for _, c := range convcases.Cases {
		for _, k := range []int{3, 4, 5} {
			t.Run(fmt.Sprintf("%s/%d", c.Name, k), func(t *testing.T) {
				t.Parallel()
				m := c.Model()
				want := transformtest.Evaluate(t, m, c.Data())
				bound := 5 * transformtest.Tolerance[m.Graph.Outputs()[0].DType()]
				wide := c
				wide.Kernel = nil
				grows := true
				for _, old := range c.Kernel {
					wide.Kernel = append(wide.Kernel, int64(k))
					grows = grows && int(old) <= k
				}
				o := spanning(wide, transform.Depthwise, transform.None)
				o.KernelSize = k
				report, err := transform.Convert(m, o)
				if err != nil {
					t.Fatal(err)
				}
				if report[0].Status == transform.Skipped {
					if (c.AutoPad == "" || c.Name == "same upper, stride" && k%2 == 1) && grows {
						t.Errorf("skipped: %s", report[0].Reason)
					}
					return
				}
				got := transformtest.Evaluate(t, m, c.Data())
				if d := transformtest.Difference(t, got, want); grows && d > bound {
					t.Errorf("differs from the source by %.2g", d)
				}
				if fmt.Sprint(got.Dims) != fmt.Sprint(want.Dims) {
					t.Errorf("the output has dims %v, the source's %v", got.Dims, want.Dims)
				}
			})
		}
	}
}

// TestKernelSizeAtStrides takes a kernel for another under automatic padding only while the stride is no larger than the smaller
// kernel's extent: beyond it, the pads of the two differ.
func TestKernelSizeAtStrides(t *testing.T) {
	for _, c := range []struct {
		kernel, to, dilation, stride int64
		taken                        bool
	}{
		{3, 5, 1, 3, true}, {3, 5, 1, 4, false}, {5, 3, 1, 3, true}, {5, 3, 1, 4, false}, {3, 5, 2, 5, true}, {3, 5, 2, 6, false}, {3, 4, 1, 1, false},
	} {
		for _, autoPad := range []string{"SAME_UPPER", "SAME_LOWER"} {
			row := convcases.Case{Input: []int64{1, 2, 23}, Filters: 3, Kernel: []int64{c.kernel}, Strides: []int64{c.stride}, Dilations: []int64{c.dilation}, AutoPad: autoPad}
			m := row.Model()
			want := transformtest.Evaluate(t, m, row.Data())
			report, err := transform.Convert(m, transform.Options{KernelSize: int(c.to), Layout: transform.Depthwise, Expansion: 8})
			if err != nil || (report[0].Status == transform.Converted) != c.taken || c.taken && !slices.Equal(report[0].NewKernel, []int{int(c.to)}) {
				t.Errorf("%+v, %s: %+v, %v", c, autoPad, report, err)
			}
			same, err := transform.Plan(row.Model(), transform.Options{KernelSize: int(c.kernel)})
			if err != nil || same[0].Status != transform.Converted || same[0].NewKernel != nil {
				t.Errorf("%+v, %s: the same kernel: %+v, %v", c, autoPad, same, err)
			}
			if got := transformtest.Evaluate(t, m, row.Data()); c.taken && c.to > c.kernel && transformtest.Difference(t, got, want) > 1e-5 {
				t.Errorf("%+v, %s: differs by %.2g", c, autoPad, transformtest.Difference(t, got, want))
			}
		}
	}
}

// TestWindowStays gives the bank's convolution the source's attributes as they are, where the kernel stays.
func TestWindowStays(t *testing.T) {
	for _, c := range convcases.Cases {
		source, m := c.Model().Graph.Nodes()[0], transformtest.Converted(t, c, transform.Options{})
		bank := m.Graph.Nodes()[0]
		for _, name := range []string{"pads", "strides", "dilations"} {
			if !slices.Equal(source.Ints(name), bank.Ints(name)) || source.Has(name) != bank.Has(name) {
				t.Errorf("%s: %s are %v, were %v", c.Name, name, bank.Ints(name), source.Ints(name))
			}
		}
		if source.Str("auto_pad", "") != bank.Str("auto_pad", "") {
			t.Errorf("%s: auto_pad is %q, was %q", c.Name, bank.Str("auto_pad", ""), source.Str("auto_pad", ""))
		}
	}
}

// TestCondition compares the reported condition of a bank with the ratio of its singular values, of the worst of the parts that are
// solved for by themselves: the groups of a dense bank, the channels of a depthwise one.
func TestCondition(t *testing.T) {
	for _, name := range []string{"plain", "2 groups", "depthwise, twice the filters", "float64"} {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			for _, bank := range []string{"kaiming-uniform", "orthogonal"} {
				c := convcases.Named(name)
				m := c.Model()
				report, err := transform.Convert(m, transform.Options{Layout: layout, Bank: bank, Expansion: 3})
				if err != nil {
					t.Fatal(err)
				}
				b := transformtest.OnlyBlock(t, m)
				dims := b.Bank.Constant().Dims()
				parts, columns := int(max(1, c.Groups)), int(onnxgraph.ElementCount(dims[1:]))
				if layout == transform.Depthwise {
					parts = int(c.Input[1])
				}
				data := convcases.ArrayOf(b.Bank.Constant()).Data
				worst := 0.0
				for part := range slices.Chunk(data, len(data)/parts) {
					var svd mat.SVD
					svd.Factorize(mat.NewDense(len(part)/columns, columns, slices.Clone(part)), mat.SVDNone)
					values := svd.Values(nil)
					worst = max(worst, values[0]/values[len(values)-1])
				}
				if got := *report[0].Condition; got < worst/6 || got > 6*worst {
					t.Errorf("%s, %s, %s: %v, the singular values say %v", name, layout, bank, got, worst)
				}
			}
		}
	}
}

// TestPointwise checks how the 1×1 convolution starts other than by projection.
func TestPointwise(t *testing.T) {
	c := convcases.Cases[4]
	for _, between := range []transform.Between{transform.None, transform.ReLU, transform.BatchNorm, transform.BatchNormReLU} {
		m := c.Model()
		report, err := transform.Convert(m, transform.Options{Pointwise: transform.Identity, Between: between})
		if err != nil {
			t.Fatal(err)
		}
		if *report[0].Error != 0 || report[0].After.Bank != report[0].Before.Trainable-c.Filters {
			t.Errorf("identity, %s: report %+v", between, report[0])
		}
		m = c.Model()
		if _, err = transform.Convert(m, transform.Options{Pointwise: transform.Random, Between: between, Expansion: 4}); err != nil {
			t.Fatal(err)
		}
		blocks, err := transform.Blocks(m)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := blocks[0].Pointwise.Constant().Float64s()
		largest := 0.0
		for _, v := range p {
			largest = max(largest, v, -v)
		}
		if a := 1 / 3.4641; largest > a || largest < 0.8*a { // 3 filters per group × 4 = 12 maps
			t.Errorf("random, %s: the largest of %d weights is %v, the bound %v", between, len(p), largest, a)
		}
	}
	_, err := transform.Convert(c.Model(), transform.Options{Between: transform.ReLU})
	if err == nil || !strings.Contains(err.Error(), "random") {
		t.Errorf("projecting across a ReLU: %v", err)
	}
}

// TestIdentityComputesTheSame has the source's filters for a bank, also in a larger kernel: the block computes what the source does.
func TestIdentityComputesTheSame(t *testing.T) {
	for _, c := range convcases.Cases {
		for _, o := range []transform.Options{{}, {Between: transform.BatchNorm}, {KernelSize: 7}} {
			m := c.Model()
			want := transformtest.Evaluate(t, m, c.Data())
			o.Pointwise = transform.Identity
			rows, err := transform.Convert(m, o)
			if err != nil {
				t.Fatal(err)
			}
			if d := transformtest.Difference(t, transformtest.Evaluate(t, transformtest.Reloaded(t, m), c.Data()), want); d > 2e-6 && d > transformtest.Tolerance[c.DType] {
				t.Errorf("%s, %+v: differs by %.2g", c.Name, o, d)
			}
			if isNew := len(rows[0].NewKernel) > 0; rows[0].Status == transform.Converted && isNew != (o.KernelSize > 0) {
				t.Errorf("%s: the new kernel is %v", c.Name, rows[0].NewKernel)
			}
		}
	}
}

// TestBankDependsOnSeedAndName gives two models the same bank if seed and block name are the same.
func TestBankDependsOnSeedAndName(t *testing.T) {
	hash := func(c convcases.Case, seed uint64) string {
		m := c.Model()
		if _, err := transform.Convert(m, transform.Options{Seed: seed}); err != nil {
			t.Fatal(err)
		}
		blocks, err := transform.Blocks(m)
		if err != nil {
			t.Fatal(err)
		}
		return blocks[0].Record.BankHash
	}
	plain, bias := convcases.Cases[0], convcases.Cases[1]
	if hash(plain, 1) != hash(bias, 1) || hash(plain, 1) == hash(plain, 2) {
		t.Error("the bank depends on something else than seed, name and shape, or not on the seed")
	}
}

// TestOptionsAtTheirBounds tries the last values that are allowed, and the first that are not.
func TestOptionsAtTheirBounds(t *testing.T) {
	for _, c := range []struct {
		o    transform.Options
		want string // in the error, "" for none
	}{
		{transform.Options{}, ""},
		{transform.Options{Expansion: 1 << 20}, ""},
		{transform.Options{Expansion: 1<<20 + 1}, "must be from 1 to 1048576"},
		{transform.Options{Expansion: -1}, "--expansion -1"},
		{transform.Options{KernelSize: 2}, ""},
		{transform.Options{KernelSize: 1}, "--kernel-size 1"},
		{transform.Options{KernelSize: -1}, "--kernel-size -1"},
		{transform.Options{MinInChannels: -1}, "--min-in-channels -1"},
		{transform.Options{MinKernel: -1}, "--min-kernel -1, --max-kernel 0"},
		{transform.Options{MaxKernel: -1}, "--min-kernel 0, --max-kernel -1"},
		{transform.Options{MinKernel: 3, MaxKernel: 3}, ""},
		{transform.Options{MinKernel: 3}, ""},
		{transform.Options{MinKernel: 4, MaxKernel: 3}, "--min-kernel 4, --max-kernel 3"},
		{transform.Options{MaxError: 0.99}, ""},
		{transform.Options{MaxError: 1}, "--max-error 1"},
		{transform.Options{MaxError: -0.1}, "--max-error -0.1"},
		{transform.Options{KeepVariance: true, Pointwise: transform.Calibrate}, ""},
		{transform.Options{KeepVariance: true}, "--keep-variance: needs --pointwise calibrate, not project"},
		{transform.Options{Pointwise: transform.Identity}, ""},
		{transform.Options{Pointwise: transform.Identity, Between: transform.BatchNormReLU}, ""},
		{transform.Options{Pointwise: transform.Identity, MaxError: 0.1}, "has no error that --max-error could limit"},
		{transform.Options{Pointwise: transform.Identity, Bank: "orthogonal"}, "the fixed filters are the original ones"},
		{transform.Options{Pointwise: transform.Identity, Expansion: 2}, "needs dense and 1"},
		{transform.Options{Pointwise: transform.Identity, Layout: transform.Depthwise}, "needs dense and 1"},
		{transform.Options{Pointwise: transform.Random, Between: transform.ReLU}, ""},
		{transform.Options{Pointwise: transform.Random, Bank: "other"}, `--bank "other"`},
		{transform.Options{Pointwise: transform.Random, MaxError: 0.1}, "random weights have no error"},
		{transform.Options{Pointwise: transform.Calibrate, Between: transform.BatchNorm}, ""},
		{transform.Options{Pointwise: transform.Calibrate, Between: transform.ReLU}, "with a ReLU inside"},
		{transform.Options{Between: transform.BatchNormReLU}, "with a ReLU inside"},
		{transform.Options{Pointwise: "other"}, `--pointwise "other"`},
		{transform.Options{Include: []string{"c[a-z]*"}}, ""},
		{transform.Options{Skip: []string{"["}}, `pattern "["`},
	} {
		err := c.o.Validate()
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%+v: got error %v, want one with %q", c.o, err, c.want)
		}
		if c.want == "" {
			continue
		}
		for name, pass := range map[string]error{
			"plan": second(transform.Plan(convcases.Cases[0].Model(), c.o)), "convert": second(transform.Convert(convcases.Cases[0].Model(), c.o)),
		} {
			if pass == nil || !strings.Contains(pass.Error(), c.want) {
				t.Errorf("%s: %+v: got error %v, want one with %q", name, c.o, pass, c.want)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := transform.Plan(convcases.Cases[0].Model(), transform.Options{
		Bank: "b", Layout: "l", Between: "w", Expansion: -1, KernelSize: 1, MinKernel: 5, MaxKernel: 3, Include: []string{"[", "x*"},
	})
	for _, part := range []string{`bank "b"`, `layout "l"`, `between "w"`, "--expansion -1", "--kernel-size 1", "--min-kernel 5, --max-kernel 3", `pattern "["`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want it to name %s", err, part)
		}
	}
	_, err = transform.Plan(convcases.Cases[0].Model(), transform.Options{Include: []string{"x*", "c*"}, Skip: []string{"y"}})
	if err == nil || !strings.Contains(err.Error(), `"x*"`) || !strings.Contains(err.Error(), `"y"`) || strings.Contains(err.Error(), `"c*"`) {
		t.Errorf("patterns that match nothing: %v", err)
	}
}

// TestOldOpset refuses what this package would not write correctly.
// TestConversionFitsMemory converts with little memory: what needs more is refused by an error that names the convolution, and the model
// stays as it is. What draws its weights needs none.
func TestConversionFitsMemory(t *testing.T) {
	c := convcases.Cases[0]
	for _, k := range []struct {
		name    string
		o       transform.Options
		refused bool
	}{
		{"large", transform.Options{Expansion: 1 << 12, Memory: 1 << 20}, true},
		{"without a bound", transform.Options{Expansion: 1 << 12}, false},
		{"enough", transform.Options{Expansion: 1, Memory: 1 << 20}, false},
		{"drawn", transform.Options{Expansion: 1 << 12, Memory: 1, Pointwise: transform.Random}, false},
		{"the source's", transform.Options{Memory: 1, Pointwise: transform.Identity}, false},
		{"chosen", transform.Options{MaxError: 0.1, Memory: 1}, false},
	} {
		m := c.Model()
		before, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		_, err = transform.Convert(m, k.o)
		if (err != nil) != k.refused || err != nil && !strings.Contains(err.Error(), convcases.Node) {
			t.Errorf("%s: got error %v", k.name, err)
		}
		after, err2 := m.Bytes()
		if err2 != nil {
			t.Fatal(err2)
		}
		if err != nil && !bytes.Equal(before, after) {
			t.Errorf("%s: the model changed", k.name)
		}
	}
}

func TestOldOpset(t *testing.T) {
	c := convcases.Cases[0]
	c.Opset = 6
	report, err := transform.Plan(c.Model(), transform.Options{})
	if err != nil || report[0].Status != transform.Skipped {
		t.Errorf("planning: %+v, %v", report, err)
	}
	if _, err := transform.Convert(c.Model(), transform.Options{}); err == nil || !strings.Contains(err.Error(), "operator set 6") {
		t.Errorf("converting: %v", err)
	}
}
