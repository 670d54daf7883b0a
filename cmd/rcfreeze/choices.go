package main

import (
	"maps"
	"slices"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choices has the values of the flags that take one of a list, or several. Shells complete them.
var choices = map[string][]string{
	"bank":          filterbank.Names(),
	"batchnorm":     texts(train.BatchNorms()),
	"between":       {"none", "relu", "batchnorm", "batchnorm-relu"},
	"block-form":    texts(trainstep.BlockForms()),
	"channels":      {"rgb", dataset.BGR},
	"external-data": slices.Sorted(maps.Keys(externalModes)),
	"format":        append([]string{"auto"}, dataset.Formats()...),
	"keep":          texts([]train.Keep{train.KeepLast, train.KeepBest}),
	"layout":        texts([]transform.Layout{transform.Dense, transform.Depthwise}),
	"normalize":     append(dataset.Normalizations(), "none"),
	"optimizer":     train.Optimizers(),
	"pointwise":     texts([]transform.Pointwise{transform.Project, transform.Calibrate, transform.Random, transform.Identity}),
	"precision":     slices.Sorted(maps.Keys(precision.Types)),
	"provider":      texts([]ort.Provider{ort.CPU, ort.CUDA, ort.Auto}),
	"scheduler":     train.Schedules(),
	"split":         texts([]dataset.Split{dataset.Test, dataset.Val, dataset.Train}),
	"variant":       texts(parameter.Variants()),
	"variants":      texts(parameter.Variants()),
}

func texts[T ~string](list []T) []string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = string(v)
	}
	return names
}

// complete tells shells how to complete the flags of a command. It is for when a shell asks: Cobra keeps all that it is told here, and the
// command with it, for as long as the process lives.
func complete(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		values := choices[f.Name]
		if word := words[f.Name]; word != "" {
			values = []string{word}
		}
		if values != nil {
			cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	})
}
