package dataset

import (
	"cmp"
	"errors"
	"fmt"
)

// fitShape scales the samples to the shape that the model takes, or returns an error that says why it cannot.
func (d *Dataset) fitShape(o Options) error {
	if d.scales {
		return nil
	}
	want := o.Shape.or(d.Shape)
	var problems []error
	if want.Channels != d.Shape.Channels {
		problems = append(problems, fmt.Errorf("the model takes %d-channel images, the data set has %d-channel images: "+
			"use a model for %[2]d-channel images, or convert the images to %[1]d channels", want.Channels, d.Shape.Channels))
	}
	isCut := o.ShortSide != 0 && o.ShortSide != min(d.Shape.Height, d.Shape.Width)
	sameSize := want.Height == d.Shape.Height && want.Width == d.Shape.Width && !isCut
	if !sameSize && !o.Resize && !isCut {
		problems = append(problems, fmt.Errorf("the model takes images of %d×%d (height×width), the data set has %d×%d: "+
			"add --resize, or use a model that takes %[3]d×%[4]d",
			want.Height, want.Width, d.Shape.Height, d.Shape.Width))
	}
	if len(problems) > 0 || sameSize {
		return errors.Join(problems...)
	}
	r, err := newResampler(d.Shape.Height, d.Shape.Width, want.Height, want.Width, o.ShortSide)
	if err != nil {
		return err
	}
	d.read = resized(d.read, d.Shape, r)
	d.Shape = want
	return nil
}

// or returns s with its zero components taken from other.
func (s Shape) or(other Shape) Shape {
	return Shape{
		cmp.Or(s.Channels, other.Channels),
		cmp.Or(s.Height, other.Height),
		cmp.Or(s.Width, other.Width),
	}
}

// resized returns a read function that scales the images of read, which have the shape from.
func resized(read func(int, []uint8) error, from Shape, r *resampler) func(int, []uint8) error {
	return func(i int, dst []uint8) error {
		src := borrow(from.Size() + r.room())
		defer src.giveBack()
		if err := read(i, src.data[:from.Size()]); err != nil {
			return err
		}
		r.image(dst, src.data)
		return nil
	}
}
