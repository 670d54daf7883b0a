package dataset

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// keepFirst leaves out all but the first samples, as many as the limit, or 0 for all. For sorted samples, these are the first of each
// class in turn, so that the classes stay balanced as far as possible. They keep their order.
func (d *Dataset) keepFirst(limit int, sorted bool) {
	d.Limit = limit
	all := d.Len()
	if limit == 0 || limit >= all {
		return
	}
	kept, how := make([]int, all), "the first"
	for i := range kept {
		kept[i] = i
	}
	if sorted {
		how = "the first of each class"
		place := d.placesInClasses()
		slices.SortStableFunc(kept, func(a, b int) int { return cmp.Compare(place[a], place[b]) })
	}
	kept = kept[:limit]
	slices.Sort(kept)
	d.keep(kept)
	split := ""
	if d.Split != All {
		split = string(d.Split) + " "
	}
	d.Notes = append(d.Notes, fmt.Sprintf("using %d of the %d %simages: %s (--limit %[1]d)", limit, all, split, how))
}

// placesInClasses returns how many samples of the same class are before each sample.
func (d *Dataset) placesInClasses() []int {
	before := map[int64]int{}
	places := make([]int, d.Len())
	for i, label := range d.labels {
		places[i] = before[label]
		before[label]++
	}
	return places
}

// keep leaves out all samples but those with the given indices.
func (d *Dataset) keep(kept []int) {
	labels, read, content, sample := make([]int64, len(kept)), d.read, d.content, d.sample
	for i, from := range kept {
		labels[i] = d.labels[from]
	}
	d.labels = labels
	d.read = func(i int, dst []uint8) error { return read(kept[i], dst) }
	d.content = func(w io.Writer, i int) error { return content(w, kept[i]) }
	d.sample = func(i int) string { return sample(kept[i]) }
}
