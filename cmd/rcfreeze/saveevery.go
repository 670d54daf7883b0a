package main

import (
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/spf13/pflag"
)

// addSaveEvery adds the flag that says how much work a run that is killed can lose.
func addSaveEvery(flags *pflag.FlagSet, every *time.Duration) {
	flags.DurationVar(every, "save-every", train.DefaultSaveEvery, fmt.Sprintf("save a checkpoint this often within an epoch, such as 30s or 1h (default %gm; 0: only after each epoch)", train.DefaultSaveEvery.Minutes()))
}

func checkSaveEvery(every time.Duration) error {
	if every < 0 {
		return fmt.Errorf("--save-every %v: needs 0 or more, such as 5m", every)
	}
	return nil
}
