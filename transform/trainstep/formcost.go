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
	// how many numbers there are at the place: of the input, between the two convolutions, and of the output
	channels, between, outputs float64
	mapCost                    float64 // of a number between the two
	inferenceCost              float64 // the same without gradients
	combined                   float64 // how many of the bank's numbers make one of the filters'
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

// cost is what a form of a block takes in a training step, in operations, of which a product takes two.
type cost struct {
	perPlace float64 // for each place of the output in all images: products, and numbers moved
	once     float64 // for the step
}

func (c cost) total(places float64) float64 { return places*c.perPlace + c.once }

// combining is the work of W = P·R: each of the filters' numbers combines some of the bank's.
func (w work) combining() float64 { return 2 * w.filters * w.combined }

// twoConvCost is the cost of a block as two convolutions, y = P·(R·x). inputTrains says that x has a gradient, which a network's
// first convolution has not, and bankTrains that R has one.
func (w work) twoConvCost(inputTrains, bankTrains bool) cost {
	forthAndP := w.bank + w.pointwise + w.pointwise // R·x, P·(R·x), and the gradient of P
	moved := w.mapCost * w.between                  // between the convolutions, forth and back
	switch {
	case bankTrains: // the gradient goes back to R·x, from there to R, and to x
		back := w.pointwise + w.bank
		if inputTrains {
			back += w.bank
		}
		return cost{perPlace: 2*(forthAndP+back) + moved + shiftCost*(w.channels+w.between)}
	case !inputTrains: // no gradient goes back
		return cost{perPlace: 2*forthAndP + moved/2}
	case w.shortens(): // the gradient goes back to x through W = P·R, and not through what is between
		return cost{perPlace: 2*(forthAndP+w.filters) + moved/2, once: w.combining()}
	default:
		return cost{perPlace: 2*(forthAndP+w.pointwise+w.bank) + moved}
	}
}

// foldedCost is the cost of a block as one convolution, y = W·x with W = P·R.
func (w work) foldedCost(inputTrains bool) cost {
	products := w.filters + w.filters // W·x, and the gradient of W
	if inputTrains {
		products += w.filters // the gradient of x
	}
	return cost{
		perPlace: 2*products + shiftCost*(w.channels+w.outputs),
		once:     2 * w.combining(), // of W, and of the gradient of P by that of W
	}
}

// foldedIsCheaper estimates which form of a block takes less time per training step; trains has the values that train, or
// depend on some.
func foldedIsCheaper(block transform.Block, trains map[*onnxgraph.Value]bool) bool {
	w := workOf(block)
	shape, _ := block.PointwiseConv.Output(0).StaticShape()
	places := float64(Segment{Shape: shape}.Len() / shape[1])
	inputTrains, bankTrains := trains[block.BankConv.Input(0)], trains[block.Bank]
	return w.foldedCost(inputTrains).total(places) < w.twoConvCost(inputTrains, bankTrains).total(places)
}

// foldedInfersFaster estimates whether the folded form takes less time where there are no gradients. It always does with a
// dense bank, of at least as many filters as there are in all.
func (w work) foldedInfersFaster() bool {
	return 2*w.filters < 2*(w.bank+w.pointwise)+w.inferenceCost*w.between
}
