package rcfreeze

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Settings say how models are trained.
type Settings struct {
	// Recipe, if not nil, changes the default recipe. This is train.PaperRecipe if training starts with random weights: with Reinit,
	// with random spatial filters (parameter.FrozenBaseline), or with blocks whose 1×1 convolutions are random (transform.Random)
	// and not trained yet. Otherwise it is train.TuneRecipe, also if only the last layer is new (NumClasses).
	//
	// The function gets the default recipe with LearningRate and BatchSize set to 0. If they stay 0, Train chooses them; that
	// depends on the optimizer, on which weights are random, and on the number of images. Seed, Trained and Augment are set
	// afterwards, from other options. The function may be called several times.
	Recipe func(*train.Recipe)

	// Augment lists augmentations, such as "pad-crop=4,flip=0.5" (see dataset.ParseAugmentations), or is "none" or "auto". Auto
	// means pad-crop=4,flip=0.5 for the formats cifar10 and cifar100, and none for others. "" means auto.
	Augment string
}

// formatAugmentations has the augmentations that auto means for each format.
var formatAugmentations = map[string]string{"cifar10": "pad-crop=4,flip=0.5", "cifar100": "pad-crop=4,flip=0.5"}

// defaultRate returns an optimizer's learning rate. It is small for a trained model, which then keeps what it has learned, and
// larger if some weights are random, because these would train too slowly with small steps.
func defaultRate(optimizer string, random bool) float64 {
	rate := train.TuneRecipe().LearningRate
	if random {
		rate = train.PaperRecipe().LearningRate
	}
	if optimizer == "adamw" {
		rate /= 10
	}
	return rate
}

// recipe returns the recipe for training from scratch, or for fine-tuning, perhaps with a new last layer. chosen says that the
// user did not set the batch size.
func (s Settings) recipe(scratch, newHead bool) (r train.Recipe, chosen bool) {
	r = train.TuneRecipe()
	if scratch {
		r = train.PaperRecipe()
	}
	usual := r.BatchSize
	r.LearningRate, r.BatchSize = 0, 0
	if s.Recipe != nil {
		s.Recipe(&r)
	}
	if r.LearningRate == 0 {
		r.LearningRate = defaultRate(r.Optimizer, scratch || newHead)
	}
	if chosen = r.BatchSize == 0; chosen {
		r.BatchSize = usual
	}
	if r.BlockForm == "" {
		r.BlockForm = trainstep.AutoForm
	}
	return r, chosen
}

// check lists what is wrong with the settings, before any data is read.
func (s Settings) check() error {
	r, _ := s.recipe(false, false)
	faults := []error{r.Validate()}
	if !slices.Contains(trainstep.BlockForms(), r.BlockForm) {
		faults = append(faults, fmt.Errorf("--block-form %q: choose one of %v", r.BlockForm, trainstep.BlockForms()))
	}
	if _, err := s.augmentations(""); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// augmentations returns what the settings name for a data set of the given format.
func (s Settings) augmentations(format string) ([]dataset.Augmentation, error) {
	text := s.Augment
	switch text {
	case "auto", "":
		text = formatAugmentations[format]
	case "none":
		text = ""
	}
	list, err := dataset.ParseAugmentations(text)
	if err != nil {
		return nil, fmt.Errorf("--augment: %w", err)
	}
	return list, nil
}

// settle returns the final recipe and its augmentations, for the given number of training images and the format of the data set.
func (s Settings) settle(rep Reporter, format string, images int, scratch, newHead bool) (train.Recipe, []dataset.Augmentation, error) {
	r, chosen := s.recipe(scratch, newHead)
	usual, because := r.BatchSize, ""
	if chosen && r.BatchSize > images {
		r.BatchSize, because = images, "there are no more training images"
	}
	if small := batchForMany(images, r); newHead && chosen && small < r.BatchSize {
		r.BatchSize, because = small, fmt.Sprintf("so the new last layer gets about %s updates from %s images", figures.Count(updates(images, r, small)), figures.Count(images))
	}
	var said []string
	if because != "" {
		said = append(said, fmt.Sprintf("the batch size is %d instead of %d: %s", r.BatchSize, usual, because))
	}
	if left := images % r.BatchSize; left > 0 && r.BatchSize < images {
		said = append(said, fmt.Sprintf("each epoch leaves out %s of %s images, different ones each time, since all batches have %d%s", figures.Count(left), figures.Count(images), r.BatchSize, betterBatch(images, r.BatchSize)))
	}
	if said != nil {
		rep.say("%s", strings.Join(said, "; "))
	}
	augment, err := s.augmentations(format)
	r.Augment = nil // what Recipe may have put there does not change any image
	for _, a := range augment {
		r.Augment = append(r.Augment, a.String())
	}
	return r, augment, err
}

// betterBatch returns advice to use another batch size, if that leaves out fewer images: one that is at least half of the current
// size, and at least smallBatch.
func betterBatch(images, size int) string {
	best := size
	for b := size - 1; b >= max((size+1)/2, smallBatch); b-- {
		if images%b < images%best {
			best = b
		}
	}
	switch {
	case best == size:
		return ""
	case images%best == 0:
		return fmt.Sprintf(": --batch-size %d leaves out none", best)
	}
	return fmt.Sprintf(": --batch-size %d leaves out %d", best, images%best)
}
