package dataset

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"
)

// LoaderOptions says how a [Loader] makes batches.
type LoaderOptions struct {
	BatchSize int    // samples in a batch, at least 1
	Shuffle   bool   // draw the order of every epoch from Seed; otherwise samples come in the order of the data set
	DropLast  bool   // leave out a last batch with fewer than BatchSize samples
	Workers   int    // goroutines that fill a batch; 0 means one per core that the process may use. It never changes a batch.
	Seed      uint64 // seed of the order and of augmentations

	Augment   []Augmentation // applied in this order, before normalization
	Normalize Normalization  // its zero value only divides pixels by 255
}

// Batch holds BatchSize samples. If the last batch has fewer samples, they are repeated to fill it.
type Batch struct {
	Step   int       // the batch's index in its epoch, from 0
	Count  int       // the number of real samples; the rest are repeats
	Images []float32 // [N, C, H, W]
	Labels []int64   // [N]
}

// Loader makes batches from a data set. It is immutable, and several goroutines can use it.
//
// A batch depends only on the data set, the options except for Workers, the epoch and the step. The order of an epoch is drawn
// from (seed, epoch), and the augmentation of a sample from (seed, epoch, index of the sample). So a training run that was
// stopped can continue at any epoch and step.
type Loader struct {
	data    *Dataset
	options LoaderOptions
	tables  [][256]float32
	steps   int
}

// NewLoader returns a loader for a data set. It fails if BatchSize is below 1, if Normalize does not fit the channels of the
// images (see [Normalization.For]), and if there is not a single batch, because of DropLast or because the data set is empty.
func NewLoader(d *Dataset, o LoaderOptions) (*Loader, error) {
	if o.BatchSize < 1 {
		return nil, fmt.Errorf("loading %s: batch size %d, needs at least 1", d.Path, o.BatchSize)
	}
	var err error
	if o.Normalize, err = o.Normalize.For(d.Shape.Channels); err != nil {
		return nil, fmt.Errorf("loading %s: %w", d.Path, err)
	}
	steps := d.Len() / o.BatchSize
	if !o.DropLast && d.Len()%o.BatchSize != 0 {
		steps++
	}
	if steps == 0 {
		return nil, fmt.Errorf("loading %s: its %d samples do not fill a batch of %d: choose a smaller batch size", d.Path, d.Len(), o.BatchSize)
	}
	if o.Workers < 1 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return &Loader{data: d, options: o, tables: o.Normalize.tables(d.Shape.Channels), steps: steps}, nil
}

// Steps returns the number of batches of an epoch.
func (l *Loader) Steps() int { return l.steps }

// prefetch is the number of batches that are prepared ahead for the caller.
const prefetch = 2

// BatchesHeld is how many batches a loader keeps in memory: those prepared ahead, one that is being made, and one that the caller
// has.
const BatchesHeld = prefetch + 2

// Batches returns the batches of an epoch, starting at step first. Epochs and steps are counted from 0; first may be at most
// [Loader.Steps]. Other goroutines prepare the batches ahead; they end when the iteration ends or ctx is done.
//
// A batch and its slices are valid until the next iteration, which reuses their memory. If a sample cannot be read, or ctx is
// done, the iteration ends with a nil batch and an error.
func (l *Loader) Batches(ctx context.Context, epoch, first int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if first < 0 || first > l.steps {
			yield(nil, fmt.Errorf("loading %s: no step %d in an epoch of %d", l.data.Path, first, l.steps))
			return
		}
		var producer sync.WaitGroup
		defer producer.Wait()
		making, stop := context.WithCancel(ctx)
		defer stop()
		free := make(chan *Batch, BatchesHeld)
		for range min(cap(free), l.steps-first) {
			free <- l.newBatch()
		}
		ready := make(chan made, cap(free)+1) // space for all batches and an error, so that sending never blocks
		producer.Go(func() {
			defer close(ready)
			l.produce(making, epoch, first, free, ready)
		})
		for m := range ready {
			if err := ctx.Err(); err != nil {
				m = made{err: err}
			}
			if m.err != nil {
				yield(nil, fmt.Errorf("loading %s: %w", cmp.Or(l.data.Path, "images"), m.err))
				return
			}
			if !yield(m.batch, nil) {
				return
			}
			free <- m.batch
		}
	}
}

// made is a batch or the error that ended the making of batches.
type made struct {
	batch *Batch
	err   error
}

// produce sends the batches to ready in order, starting at step first.
func (l *Loader) produce(ctx context.Context, epoch, first int, free <-chan *Batch, ready chan<- made) {
	order := l.order(epoch)
	for step := first; step < l.steps; step++ {
		var b *Batch
		select {
		case b = <-free:
		case <-ctx.Done():
			ready <- made{err: ctx.Err()}
			return
		}
		b.Step = step
		start := step * l.options.BatchSize
		samples := order[start:min(start+l.options.BatchSize, len(order))]
		if err := l.fill(ctx, b, epoch, samples); err != nil {
			ready <- made{err: err}
			return
		}
		ready <- made{batch: b}
	}
}

func (l *Loader) newBatch() *Batch {
	n := l.options.BatchSize
	return &Batch{Images: make([]float32, n*l.data.Shape.Size()), Labels: make([]int64, n)}
}

// order returns the samples in the order of an epoch.
func (l *Loader) order(epoch int) []int {
	if l.options.Shuffle {
		var source rand.PCG
		source.Seed(orderKey(l.options.Seed, epoch))
		return rand.New(&source).Perm(l.data.Len())
	}
	order := make([]int, l.data.Len())
	for i := range order {
		order[i] = i
	}
	return order
}

// fill fills a batch with the given samples, and repeats them up to the batch size.
func (l *Loader) fill(ctx context.Context, b *Batch, epoch int, samples []int) error {
	size := l.data.Shape.Size()
	err := parallel(ctx, l.options.Workers, len(samples), func() func(int) error {
		s := newSampler(l, epoch)
		return func(j int) error { return s.write(b.Images[j*size:][:size], samples[j]) }
	})
	if err != nil {
		return err
	}
	b.Count = len(samples)
	for j := range b.Labels {
		b.Labels[j] = l.data.Label(samples[j%b.Count])
		if j >= b.Count {
			copy(b.Images[j*size:][:size], b.Images[(j%b.Count)*size:])
		}
	}
	return nil
}
