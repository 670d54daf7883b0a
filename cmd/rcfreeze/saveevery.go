package main

import (
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/spf13/pflag"
)

// addSaveEvery adds the flag that says how much work a run that is killed can lose.
func addSaveEvery(flags *pflag.FlagSet, every *time.Duration) {
	flags.DurationVar(every, "save-every", train.DefaultSaveEvery, "time between two checkpoints within an epoch, such as 30s, 5m or 1h (0: only after each epoch)")
}

func checkSaveEvery(every time.Duration) error {
	if every < 0 {
		return fmt.Errorf("--save-every %v: needs 0 or more, such as 5m", every)
	}
	return nil
}
