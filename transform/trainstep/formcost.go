package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// What a number of a feature map costs in the forms of a block beside the arithmetic, in floating-point operations of
// the convolutions that take as long. They were fitted to training steps of ResNets with dense and depthwise banks and of
// MobileNet v2; the benchmark has rows that compare the form that is chosen with the other one.
const (
	// bankMapCost is for those between bank and 1×1 convolution: written and read forth and back.
	bankMapCost = 800
	// plainMapCost is the same where the bank's convolution has several filters for each channel by itself: it has no
	// blocked form.
	plainMapCost = 2000
	// shiftCost is for those that the folded convolution reads and writes: the gradient of its filters takes shifted copies.
	shiftCost = 500
	// bankInferenceCost and plainInferenceCost are what the first two come to where there are no gradients. They were fitted to
	// runs of convolutions of 16 to 256 channels.
	bankInferenceCost  = 70
	plainInferenceCost = 250
)

// work is that of the products of a block, for one place of the output, in multiplications.
type work struct {
	bank, pointwise float64 // with the bank's filters, and with the 1×1 convolution's
	filters         float64 // with the filters that combine the two
	// how many numbers there are at the place: of the input, and between the two convolutions
	channels, between float64
	mapCost           float64 // of a number between the two
	inferenceCost     float64 // the same without gradients
	combined          float64 // how many of the bank's numbers make one of the filters'
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
	w := work{bank: j * perGroup * taps, pointwise: j * m / groups, filters: m * channels / groups * taps, channels: channels, between: j, mapCost: bankMapCost, inferenceCost: bankInferenceCost, combined: j * perGroup / channels}
	if perGroup == 1 && j > channels && channels > 1 {
		w.mapCost, w.inferenceCost = plainMapCost, plainInferenceCost
	}
	return w
}

// shortens reports whether the gradient takes less work through the combined filters.
func (w work) shortens() bool { return w.filters <= w.bank+w.pointwise }

// foldedIsCheaper estimates which form of a block takes less time per training step; trains has the values that train, or
// depend on some. In operations, of which a product takes two for each place of the output in all images, the forms take
//
//	two-conv  forth  bank + pointwise     P  pointwise     back  bank + pointwise, or filters by a shortcut
//	folded    forth  filters              W  filters       back  filters
//
// with a further bank if the bank trains, and without the way back if the input has no gradient, as in a network's first
// convolution. Filters that combine j others take 2·M·C/g·K·j more, once for W = P·R, and in the folded form once for its
// gradient. The numbers moved are those between the convolutions, fewer of them where no gradient is; with those for the
// gradient of spatial filters.
func foldedIsCheaper(block transform.Block, trains map[*onnxgraph.Value]bool) bool {
	w := workOf(block)
	shape, _ := block.PointwiseConv.Output(0).StaticShape()
	places := float64(Segment{Shape: shape}.Len() / shape[1])
	inputTrains, bankTrains := trains[block.BankConv.Input(0)], trains[block.Bank]
	twoConv, moved := w.bank+2*w.pointwise, w.mapCost*w.between
	folded := 2 * w.filters
	filters := float64(shape[1])
	combining := 2 * w.filters * w.combined // W = P·R
	foldedOnce, twoConvOnce := 2*combining, 0.0
	switch {
	case bankTrains:
		twoConv += w.bank + w.pointwise
		moved += shiftCost * (w.channels + w.between)
	case !inputTrains:
		moved /= 2
	}
	if inputTrains {
		folded += w.filters
		switch {
		case bankTrains:
			twoConv += w.bank
		case w.shortens():
			twoConv += w.filters
			twoConvOnce = combining
			moved /= 2
		default:
			twoConv += w.bank + w.pointwise
		}
	}
	return places*(2*folded+shiftCost*(w.channels+filters))+foldedOnce < places*(2*twoConv+moved)+twoConvOnce
}

// foldedInfersFaster estimates whether the folded form takes less time where there are no gradients. It always does with a
// dense bank, of at least as many filters as there are in all.
func (w work) foldedInfersFaster() bool {
	return 2*w.filters < 2*(w.bank+w.pointwise)+w.inferenceCost*w.between
}
