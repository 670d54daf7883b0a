package main

// scenario is a command to try, and the files that exist before it.
type scenario struct {
	name    string   // the command, a slash, and what is special
	before  []string // commands that make the files that exist before
	command string
	again   string // flags for repeating the command after it was stopped
	// script says that the command is scripts/setup.sh. It handles a power failure in its own way: it fetches the library again
	// if the library's checksum is not recorded, or differs.
	script bool
}

// Small models, so that hundreds of runs take minutes. The data set is made by writeData.
const (
	lenet  = "new lenet --input 1x12x12 --classes 4 -o source.onnx"
	resnet = "new cifar-resnet --depth 8 --width 2 --input 1x12x12 --classes 4 -o source.onnx"
	blocks = "convert source.onnx --pointwise random -o blocks.onnx"
	// for train and compare
	small = " --data data --epochs 2 --batch-size 16 --threads 1"
)

// scenarios lists all scenarios: combinations of a command, the old state of its output, and the place of its tensors.
var scenarios = []scenario{
	{name: "convert/new", before: []string{lenet}, command: "convert source.onnx -o out.onnx"},
	{name: "convert/replace", before: []string{lenet, "convert source.onnx -o out.onnx -E 2"}, command: "convert source.onnx -o out.onnx"},
	{name: "convert/external", before: []string{lenet}, command: "convert source.onnx -o out.onnx --external-data all"},
	{name: "convert/external-replace", before: []string{lenet, "convert source.onnx -o out.onnx -E 2 --external-data all"},
		command: "convert source.onnx -o out.onnx --external-data all"},
	{name: "convert/external-to-one-file", before: []string{lenet, "convert source.onnx -o out.onnx -E 2 --external-data all"},
		command: "convert source.onnx -o out.onnx --external-data none"},
	{name: "convert/external-same", before: []string{lenet, "convert source.onnx -o out.onnx --external-data all"},
		command: "convert source.onnx -o out.onnx --external-data all"},
	{name: "convert/calibrate", before: []string{lenet}, command: "convert source.onnx -o out.onnx --pointwise calibrate --data data --threads 1"},

	{name: "export/new", before: []string{lenet, blocks}, command: "export blocks.onnx -o out.onnx"},
	{name: "export/replace", before: []string{lenet, blocks, "convert source.onnx -o out.onnx"}, command: "export blocks.onnx -o out.onnx"},
	{name: "export/external-replace", before: []string{lenet, blocks, "convert source.onnx -o out.onnx --external-data all"},
		command: "export blocks.onnx -o out.onnx --external-data all"},
	{name: "export/in-place", before: []string{lenet, "convert source.onnx -o out.onnx --external-data all"}, command: "export out.onnx -o out.onnx"},
	{name: "export/second-opinion", before: []string{lenet, blocks}, command: "export blocks.onnx -o out.onnx --second-opinion"},

	{name: "train/new", before: []string{lenet, blocks}, command: "train blocks.onnx -o out.onnx" + small, again: "--resume"},
	{name: "train/replace", before: []string{lenet, blocks, "export blocks.onnx -o out.onnx"}, command: "train blocks.onnx -o out.onnx --variant learned --lr 0.1" + small, again: "--resume"},
	{name: "train/external-replace", before: []string{lenet, blocks, "convert source.onnx -o out.onnx -E 2 --external-data all"},
		command: "train blocks.onnx -o out.onnx --external-data all --keep best --lr 0.1" + small, again: "--resume"},
	{name: "train/recalibrate", before: []string{resnet}, command: "train source.onnx -o out.onnx --batchnorm recalibrate --reinit" + small, again: "--resume"},

	{name: "compare/new", before: []string{lenet}, command: "compare source.onnx -o out --variants baseline,frozen" + small},
	{name: "compare/add", before: []string{lenet, "compare source.onnx -o out --variants baseline" + small},
		command: "compare source.onnx -o out --variants baseline,frozen" + small},

	{name: "setup/new", script: true},
	{name: "setup/older", script: true, before: []string{"older"}},
	{name: "setup/damaged", script: true, before: []string{"damaged"}},
}
