package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// The cost of one number of a feature map in each form of a block, apart from the arithmetic. The unit is the time of one
// floating-point operation in a convolution. The costs were fitted to training steps of ResNets with dense and depthwise banks
// and of MobileNet v2. The benchmark compares the chosen form with the other one.
const (
	// bankMapCost is for a number between the bank and the 1×1 convolution, which is written and read in the forward and the
	// backward pass.
	bankMapCost = 800
	// plainMapCost is the same for a depthwise bank with several filters per channel, which has no blocked form.
	plainMapCost = 2000
	// shiftCost is for a number that the merged convolution reads or writes: the gradient of its filters needs shifted copies.
	shiftCost = 500
	// bankInferenceCost and plainInferenceCost are the first two costs without gradients. They were fitted to runs of
	// convolutions with 16 to 256 channels.
	bankInferenceCost  = 70
	plainInferenceCost = 250
)

// work is the number of multiplications in a block for one position of the output.
type work struct {
	bank, pointwise float64 // by the bank's filters, and by those of the 1×1 convolution
	filters         float64 // by the combined filters
	// how many numbers the position has: in the input, between the two convolutions, and in the output
	channels, between, outputs float64
	mapCost                    float64 // of a number between the two
	inferenceCost              float64 // the same cost without gradients
	combined                   float64 // how many numbers of the bank make one number of the combined filters
}

// workOf returns a block's work: with M filters, J bank filters and C input channels in g groups, and K taps,
// J·C/g·K, J·M/g and M·C/g·K.
func workOf(block transform.Block) work {
	bank, pointwise := block.Bank.Constant().Dims(), block.Pointwise.Constant().Dims()
	groups := float64(block.PointwiseConv.Int("group", 1))
	j, m := float64(bank[0]), float64(pointwise[0])
	perGroup := float64(bank[1]) // C/g, or 1 with a depthwise bank
	taps := float64(Segment{Shape: bank[2:]}.Len())
	channels := perGroup * float64(block.BankConv.Int("group", 1))
	w := work{bank: j * perGroup * taps, pointwise: j * m / groups, filters: m * channels / groups * taps, channels: channels, between: j, outputs: m, mapCost: bankMapCost, inferenceCost: bankInferenceCost, combined: j * perGroup / channels}
	if perGroup == 1 && j > channels && channels > 1 {
		w.mapCost, w.inferenceCost = plainMapCost, plainInferenceCost
	}
	return w
}

// shortens reports whether the gradient takes less work through the combined filters.
func (w work) shortens() bool { return w.filters <= w.bank+w.pointwise }

// cost is the number of operations that a form of a block takes in a training step. A multiplication with its addition counts as
// two.
type cost struct {
	perPlace float64 // for each position of the output in each image: arithmetic, and moving numbers
	once     float64 // once per step
}

func (c cost) total(places float64) float64 { return places*c.perPlace + c.once }

// combining is the work of W = P·R: each number of the filters combines several of the bank.
func (w work) combining() float64 { return 2 * w.filters * w.combined }

// twoConvCost is the cost of a block as two convolutions, y = P·(R·x). inputTrains says that x needs a gradient, which it does
// not in a network's first convolution. bankTrains says that R needs one.
func (w work) twoConvCost(inputTrains, bankTrains bool) cost {
	forthAndP := w.bank + w.pointwise + w.pointwise // R·x, P·(R·x), and the gradient of P
	moved := w.mapCost * w.between                  // between the convolutions, forward and backward
	switch {
	case bankTrains: // the gradient goes back to R·x, and from there to R and to x
		back := w.pointwise + w.bank
		if inputTrains {
			back += w.bank
		}
		return cost{perPlace: 2*(forthAndP+back) + moved + shiftCost*(w.channels+w.between)}
	case !inputTrains: // no gradient goes back
		return cost{perPlace: 2*forthAndP + moved/2}
	case w.shortens(): // the gradient goes back to x directly through W = P·R
		return cost{perPlace: 2*(forthAndP+w.filters) + moved/2, once: w.combining()}
	default:
		return cost{perPlace: 2*(forthAndP+w.pointwise+w.bank) + moved}
	}
}

// mergedCost is the cost of a block as one convolution, y = W·x with W = P·R.
func (w work) mergedCost(inputTrains bool) cost {
	products := w.filters + w.filters // W·x, and the gradient of W
	if inputTrains {
		products += w.filters // the gradient of x
	}
	return cost{
		perPlace: 2*products + shiftCost*(w.channels+w.outputs),
		once:     2 * w.combining(), // computing W, and the gradient of P from that of W
	}
}

// mergedIsCheaper estimates whether the merged form takes less time per training step. trains holds the values that train, and
// those that depend on them.
func mergedIsCheaper(block transform.Block, trains map[*onnxgraph.Value]bool) bool {
	w := workOf(block)
	shape, _ := block.PointwiseConv.Output(0).StaticShape()
	places := float64(Segment{Shape: shape}.Len() / shape[1])
	inputTrains, bankTrains := trains[block.BankConv.Input(0)], trains[block.Bank]
	return w.mergedCost(inputTrains).total(places) < w.twoConvCost(inputTrains, bankTrains).total(places)
}

// mergedInfersFaster estimates whether the merged form takes less time without gradients. That is always so with a dense bank
// that has at least as many filters as the source.
func (w work) mergedInfersFaster() bool {
	return 2*w.filters < 2*(w.bank+w.pointwise)+w.inferenceCost*w.between
}
