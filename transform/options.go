package transform

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Layout says which input channels the filters of a bank read.
type Layout string

// The layouts.
const (
	Dense     Layout = "dense"     // every bank filter reads all input channels of its group
	Depthwise Layout = "depthwise" // every input channel has its own bank filters
)

// Between says what is between the bank's convolution and the 1×1 convolution.
//
// An added BatchNormalization starts with mean 0, variance 1, shift 0 and the scale √(1 + epsilon), so that at first it changes
// nothing: with BatchNorm, a converted block computes the same as with None. Its scale and shift train, and in training it
// normalizes by the statistics of the batch. Blocks with a ReLU are not linear: they allow only the Pointwise values Random and
// Identity, and Merge skips them.
type Between string

// The kinds of Between.
const (
	None          Between = "none"           // nothing
	ReLU          Between = "relu"           // a Relu
	BatchNorm     Between = "batchnorm"      // a BatchNormalization
	BatchNormReLU Between = "batchnorm-relu" // a BatchNormalization, then a Relu
)

// Pointwise says how the weights of the 1×1 convolution start.
type Pointwise string

// The kinds of Pointwise.
const (
	Project   Pointwise = "project"   // the combined filters are as close to the source's as the bank allows
	Calibrate Pointwise = "calibrate" // the outputs on data are as close as the bank allows: see Calibration
	Random    Pointwise = "random"    // uniform in ±1/√fan_in, where fan_in is the number of bank filters per group

	// Identity takes the source's own filters as the bank, and a 1×1 convolution that starts as the identity: each output is the
	// output of one bank filter. It draws nothing, so that Seed does not matter, and needs the layout Dense, the expansion 1, no
	// MaxError, and Bank "" or "source".
	Identity Pointwise = "identity"
)

// sourceBank is the name in records for the bank of Identity, which is not from package filterbank.
const sourceBank = "source"

// betweenOperators lists the operators of each kind of Between, in order.
var betweenOperators = map[Between][]string{
	None:          nil,
	ReLU:          {"Relu"},
	BatchNorm:     {"BatchNormalization"},
	BatchNormReLU: {"BatchNormalization", "Relu"},
}

func (b Between) isLinear() bool { return !slices.Contains(betweenOperators[b], "Relu") }

// Options says which convolutions Convert rewrites, and how. The zero value is the default block: a dense
// kaiming-uniform bank of as many filters as the source has, nothing between, projected.
type Options struct {
	Bank      string    `json:"bank"`      // a name that filterbank knows; "" is filterbank.Default
	Layout    Layout    `json:"layout"`    // "" is Dense
	Expansion int       `json:"expansion"` // Dense: bank filters per source filter; Depthwise: bank filters per input channel; 0 is 1
	Between   Between   `json:"between"`   // "" is None
	Pointwise Pointwise `json:"pointwise"` // "" is Project
	Seed      uint64    `json:"seed"`      // of the bank and of random 1×1 weights, which also depend on the block's name

	// MaxError, if above 0, chooses the expansion of each convolution instead of Expansion: the smallest whose Conversion.Error
	// (for Calibrate, OutputError) is at most MaxError; or, if there is none, the one whose bank spans all filters. It works with
	// Project and Calibrate only, and must be below 1.
	MaxError float64 `json:"max_error"`

	Calibration Calibration `json:"-"` // what Calibrate needs of the data; Plan does not need it

	// KeepVariance makes Calibrate multiply the filters of each output by a factor, so that the output has the same variance
	// on the data as the source's. Without it, outputs vary less than the source's where the bank cannot reach its filters. The
	// error of each block gets larger, but that of a whole network with a small expansion gets smaller. Only Calibrate allows it.
	KeepVariance bool `json:"keep_variance"`

	// KernelSize is the new size of every kernel along all axes; 0 keeps it. The size of the output stays, and the source's
	// filters are centered in the new kernel.
	KernelSize int `json:"kernel_size"`

	// Shapes, if not nil, is a copy of the model that declares the shapes of the values of the main graph for one image. Costs
	// (MACs) are computed from it where the model itself declares no sizes. It is not changed.
	Shapes *onnxgraph.Model `json:"-"`

	// Memory, if above 0, is how many bytes the conversion may take. Convert fails at once if it needs more.
	Memory int64 `json:"-"`

	// Progress, if not nil, is called after each block with the number of finished blocks and of all blocks, one call at a time.
	// If it returns an error, the work stops, and that error is returned. With Calibrate it is not called.
	Progress func(done, total int) error `json:"-"`

	// Include and Skip select convolutions by the names that their blocks get (see Block.Name; Conversion.Node has these names,
	// too). A convolution is converted if one of the patterns of Include matches its name, or Include is empty, and none of Skip
	// does: Skip wins. A pattern is written as for path.Match (* is any text, ? is one character, [a-f] is one of a range, and \
	// goes before a character that is meant as such), except that "/" is an ordinary character, which * and ? match, too. It must
	// match the whole name. A pattern that matches no convolution at all is an error. The patterns of parameter.Selection
	// know only * and ?.
	Include []string `json:"include"`
	Skip    []string `json:"skip"`

	MinKernel     int `json:"min_kernel"`      // leave out convolutions whose largest kernel size is smaller; 0 means no limit
	MaxKernel     int `json:"max_kernel"`      // leave out those whose largest kernel size is larger; 0 means no limit
	MinInChannels int `json:"min_in_channels"` // leave out convolutions with fewer input channels in all groups; 0 means no limit
}

// WithDefaults returns the options with the defaults in place of empty values.
func (o Options) WithDefaults() Options {
	if o.Pointwise == "" {
		o.Pointwise = Project
	}
	if o.Bank == "" {
		o.Bank = filterbank.Default
		if o.Pointwise == Identity {
			o.Bank = sourceBank
		}
	}
	if o.Layout == "" {
		o.Layout = Dense
	}
	if o.Expansion == 0 {
		o.Expansion = 1
	}
	if o.Between == "" {
		o.Between = None
	}
	return o
}

// Validate lists everything that is wrong with the options themselves, for any model. Empty values have their defaults.
func (o Options) Validate() error { return o.WithDefaults().check() }

// check lists everything that is wrong with o, which has its defaults.
func (o Options) check() error {
	var faults []error
	demand := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	_, known := betweenOperators[o.Between]
	demand(known, "--between %q: choose none, relu, batchnorm or batchnorm-relu", o.Between)
	demand(o.Layout == Dense || o.Layout == Depthwise, "--layout %q: choose dense or depthwise", o.Layout)
	demand(o.Expansion > 0 && o.Expansion <= 1<<20, "--expansion %d: must be from 1 to %d", o.Expansion, 1<<20)
	demand(o.KernelSize == 0 || o.KernelSize > 1, "--kernel-size %d: must be 2 or more, or 0 to keep the source's", o.KernelSize)
	demand(o.MinInChannels >= 0, "--min-in-channels %d: must be 0 or more", o.MinInChannels)
	demand(o.MinKernel >= 0 && o.MaxKernel >= 0 && (o.MaxKernel == 0 || o.MinKernel <= o.MaxKernel),
		"--min-kernel %d, --max-kernel %d: no kernel has such a size", o.MinKernel, o.MaxKernel)
	demand(!o.KeepVariance || o.Pointwise == Calibrate, "--keep-variance: needs --pointwise calibrate, not %s", o.Pointwise)
	demand(o.MaxError >= 0 && o.MaxError < 1, "--max-error %v: must be above 0 and below 1", o.MaxError)
	switch o.Pointwise {
	case Identity:
		demand(o.MaxError == 0, "--pointwise identity: has no error that --max-error could limit: leave out --max-error, and --expansion auto")
		demand(o.Bank == sourceBank, "--bank %q: with --pointwise identity, the fixed filters are the original ones: leave --bank out, or choose another --pointwise", o.Bank)
		demand(o.Layout == Dense && o.Expansion == 1, "--layout %s, --expansion %d: --pointwise identity needs dense and 1", o.Layout, o.Expansion)
	case Project, Calibrate:
		demand(o.Between.isLinear(), "--between %s: with a ReLU inside, a block cannot come close to the original convolution: choose --pointwise random, and train from scratch", o.Between)
		o.demandBank(demand)
	case Random:
		demand(o.MaxError == 0, "--pointwise random: random weights have no error that --max-error could limit: choose --pointwise project or calibrate")
		o.demandBank(demand)
	default:
		demand(false, "--pointwise %q: choose project, calibrate, random or identity", o.Pointwise)
	}
	for _, pattern := range slices.Concat(o.Include, o.Skip) {
		_, err := path.Match(pattern, "")
		demand(err == nil, "pattern %q: not a pattern of names, such as \"layer1.*\": %w", pattern, err)
	}
	return errors.Join(faults...)
}

func (o Options) demandBank(demand func(ok bool, format string, args ...any)) {
	demand(slices.Contains(filterbank.Names(), o.Bank), "--bank %q: choose one of %s", o.Bank, strings.Join(filterbank.Names(), ", "))
}

// unmatched returns an error for each pattern that matches none of the names.
func (o Options) unmatched(names []string) error {
	var faults []error
	for _, pattern := range slices.Concat(o.Include, o.Skip) {
		if !slices.ContainsFunc(names, func(name string) bool { return matches(pattern, name) }) {
			faults = append(faults, fmt.Errorf("pattern %q matches no convolution; the model has %s", pattern, cmp.Or(strings.Join(names, ", "), "none")))
		}
	}
	return errors.Join(faults...)
}

// reasonAgainst says why the convolution of that name is not selected, "" if it is.
func (o Options) reasonAgainst(name string, c weights.Convolution) string {
	match := func(pattern string) bool { return matches(pattern, name) }
	largest := slices.Max(c.Kernel)
	switch {
	case len(o.Include) > 0 && !slices.ContainsFunc(o.Include, match):
		return "not selected: no pattern to include matches its name"
	case slices.ContainsFunc(o.Skip, match):
		return "not selected: a pattern to skip matches its name"
	case largest < o.MinKernel:
		return fmt.Sprintf("not selected: its kernel is smaller than %d", o.MinKernel)
	case o.MaxKernel > 0 && largest > o.MaxKernel:
		return fmt.Sprintf("not selected: its kernel is larger than %d", o.MaxKernel)
	case c.In < o.MinInChannels:
		return fmt.Sprintf("not selected: it has fewer than %d input channels", o.MinInChannels)
	}
	return ""
}

// matches reports whether a valid pattern matches a name. A "/" is an ordinary character, because ONNX names are not paths,
// although some exporters put slashes into them.
func matches(pattern, name string) bool {
	noBorder := strings.NewReplacer("/", "\x00")
	ok, _ := path.Match(noBorder.Replace(pattern), noBorder.Replace(name))
	return ok
}
