package onnxgraph

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// TestWindow reads what nodes say of two axes, and what they leave to the defaults.
func TestWindow(t *testing.T) {
	ones, none := []int64{1, 1}, []int64{0, 0, 0, 0}
	for name, c := range map[string]struct {
		attrs []Attribute
		want  Window
	}{
		"nothing":            {nil, Window{ones, ones, none, "NOTSET"}},
		"everything":         {[]Attribute{Ints("strides", 2, 3), Ints("dilations", 4, 5), Ints("pads", 1, 2, 3, 4)}, Window{[]int64{2, 3}, []int64{4, 5}, []int64{1, 2, 3, 4}, "NOTSET"}},
		"empty":              {[]Attribute{Ints("strides"), Ints("dilations"), Ints("pads"), Str("auto_pad", "")}, Window{ones, ones, none, "NOTSET"}},
		"without automatic":  {[]Attribute{Ints("pads", 1, 2, 3, 4), Str("auto_pad", "NOTSET")}, Window{ones, ones, []int64{1, 2, 3, 4}, "NOTSET"}},
		"empty, with pads":   {[]Attribute{Ints("pads", 1, 2, 3, 4), Str("auto_pad", "")}, Window{ones, ones, []int64{1, 2, 3, 4}, "NOTSET"}},
		"valid":              {[]Attribute{Ints("pads", 1, 2, 3, 4), Str("auto_pad", "VALID")}, Window{ones, ones, none, "VALID"}},
		"same":               {[]Attribute{Ints("pads", 1, 2, 3, 4), Str("auto_pad", "SAME_LOWER")}, Window{ones, ones, none, "SAME_LOWER"}},
		"of another length":  {[]Attribute{Ints("strides", 2), Ints("pads", 1, 2)}, Window{[]int64{2}, ones, []int64{1, 2}, "NOTSET"}},
		"another attribute":  {[]Attribute{Int("group", 3), Ints("kernel_shape", 3, 3)}, Window{ones, ones, none, "NOTSET"}},
		"an unknown padding": {[]Attribute{Str("auto_pad", "AROUND")}, Window{ones, ones, none, "AROUND"}},
	} {
		n := New("m", 8, 18).Graph.AddNode("Conv", nil, c.attrs...)
		got := n.Window(2)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if isSame := c.want.AutoPad == "SAME_LOWER"; got.IsSame() != isSame {
			t.Errorf("%s: the padding follows from the sizes: %v", name, got.IsSame())
		}
		before := fmt.Sprint(n.Ints("strides"), n.Ints("pads"))
		got.Strides[0], got.Pads[0] = 9, 9
		if after := fmt.Sprint(n.Ints("strides"), n.Ints("pads")); after != before {
			t.Errorf("%s: changing what was read changes the node", name)
		}
	}
}

// TestSamePads looks for the pads by trying: as little as possible so that the kernel fits ceil(size/stride) times, with more at
// one end than at the other by one at most.
func TestSamePads(t *testing.T) {
	for size := int64(1); size < 8; size++ {
		for stride := int64(1); stride < 5; stride++ {
			for extent := int64(1); extent < 6; extent++ {
				wanted := int64(0)
				for at := int64(0); at < size; at += stride {
					wanted++
				}
				total := -size
				for size+total < extent || (size+total-extent)/stride+1 < wanted {
					total++
				}
				for mode, more := range map[string]int{"SAME_UPPER": 1, "SAME_LOWER": 0} {
					w := Window{Strides: []int64{1, stride}, AutoPad: mode}
					pads := w.SamePads([]int64{5, size}, []int64{3, extent})
					if !slices.Equal([]int64{pads[0], pads[2]}, []int64{1, 1}) || pads[1]+pads[3] != total {
						t.Fatalf("size %d, stride %d, extent %d: pads %d, want 1 and 1, and %d together", size, stride, extent, pads, total)
					}
					ends := []int64{pads[1], pads[3]}
					if d := ends[more] - ends[1-more]; total >= 0 && d != total%2 {
						t.Errorf("%s: size %d, stride %d, extent %d: pads %d", mode, size, stride, extent, pads)
					}
				}
			}
		}
	}
}
