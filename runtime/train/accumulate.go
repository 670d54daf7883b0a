package train

// updates returns how many updates an epoch with the given number of steps has. As in timm, the steps that are left over at the
// end make one more update with the mean of their gradients.
func (r Recipe) updates(steps int) int { return (steps + r.GradAccumSteps - 1) / r.GradAccumSteps }

// share returns the value of trainstep.UpdateInput for a step, counted from 0, of an epoch with the given number of steps.
func (r Recipe) share(step, steps int) float32 {
	first := step - step%r.GradAccumSteps
	end := min(first+r.GradAccumSteps, steps)
	if step+1 < end {
		return 0
	}
	return 1 / float32(end-first)
}

// rate returns the learning rate of a step in an epoch; both are counted from 0.
func (t *trainer) rate(epoch, step int) float64 {
	updates := t.Recipe.updates(t.loader.Steps())
	return t.Recipe.rate(epoch*updates+step/t.Recipe.GradAccumSteps, updates)
}
