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
)

// foldedIsCheaper estimates which form of a block takes less time per training step; trains has the values that train, or
// depend on some. With M filters, J bank filters and C input channels in g groups, K taps and S places of the output in all
// images, the operations are
//
//	two-conv  2·S·(2·J·C/g·K + 3·J·M/g)                     3·J·C/g·K if the bank trains
//	folded    2·S·3·M·C/g·K + 4·M·C/g·K·j                   the last for W = P·R and its gradient, for j filters that combine
//
// and the numbers moved S·J, with those for the gradient of a bank that trains, and S·(C + M). Where the input has no gradient,
// as in a network's first convolution, either form has a product less by the bank or the filters; two convolutions of which
// the bank does not train either have no gradient between them, and move half as much.
func foldedIsCheaper(block transform.Block, trains map[*onnxgraph.Value]bool) bool {
	bank, pointwise := block.Bank.Constant().Dims(), block.Pointwise.Constant().Dims()
	shape, ok := block.PointwiseConv.Output(0).StaticShape()
	if !ok || len(shape) < 3 {
		return bank[0] > pointwise[0]
	}
	groups := float64(block.PointwiseConv.Int("group", 1))
	places := float64(Segment{Shape: shape}.Len() / shape[1])
	j, m := float64(bank[0]), float64(pointwise[0])
	perGroup := float64(bank[1]) // C/g, or 1 with a depthwise bank
	taps := float64(Segment{Shape: bank[2:]}.Len())
	channels := perGroup * float64(block.BankConv.Int("group", 1))
	filters := m * channels / groups * taps // of the folded convolution
	mapCost := float64(bankMapCost)
	if perGroup == 1 && j > channels && channels > 1 {
		mapCost = plainMapCost
	}
	bankWork, pointwiseWork, filterWork, moved := 2*j*perGroup*taps, 3*j*m/groups, 3*filters, mapCost*j
	if inputTrains := trains[block.BankConv.Input(0)]; !inputTrains {
		bankWork, filterWork = bankWork/2, 2*filters
		if !trains[block.Bank] {
			pointwiseWork, moved = 2*j*m/groups, moved/2
		}
	}
	if trains[block.Bank] {
		bankWork += j * perGroup * taps
		moved += shiftCost * (channels + j)
	}
	twoConv := places * (2*(bankWork+pointwiseWork) + moved)
	folded := places*(2*filterWork+shiftCost*(channels+m)) + 4*filters*j*perGroup/channels
	return folded < twoConv
}
