package main

import (
	"fmt"
	"os"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
	"github.com/rcfreeze/rcfreeze/transform"
)

// modelFacts is how large one of several models is, and how fast.
type modelFacts struct {
	Name       string         `json:"name"`
	Bytes      int64          `json:"bytes"` // of the file, and of what its tensors take in others
	Parameters parameterCount `json:"parameters"`
	Operators  map[string]int `json:"operators"`
	Latency    *verify.Timing `json:"latency,omitempty"`
}

func describeModels(names []string, models []*onnxgraph.Model) ([]modelFacts, error) {
	var list []modelFacts
	for i, m := range models {
		parameters, err := countParameters(m)
		if err != nil {
			return nil, err
		}
		bytes, err := fileSize(m)
		if err != nil {
			return nil, err
		}
		list = append(list, modelFacts{Name: names[i], Bytes: bytes, Parameters: parameters, Operators: operators(m)})
	}
	return list, nil
}

// fileSize returns the bytes of the file that a model was loaded from, and of what its tensors take in other files.
func fileSize(m *onnxgraph.Model) (int64, error) {
	var bytes int64
	if info, err := os.Stat(m.Path()); err == nil {
		bytes = info.Size()
	} else { // it came from a stream
		data, err := m.Bytes()
		if err != nil {
			return 0, fmt.Errorf("measuring %s: %w", m.Path(), err)
		}
		bytes = int64(len(data))
	}
	for _, g := range m.Graphs() {
		for _, v := range g.Initializers() {
			if t := v.Constant(); t != nil && t.IsExternal() {
				bytes += (t.Len()*int64(t.DType().Bits()) + 7) / 8
			}
		}
	}
	return bytes, nil
}

func (c *exportCommand) print(r exportResult) {
	var rows []tableRow
	for _, part := range []struct {
		kind string
		list []transform.Outcome
	}{{"frozen block", r.Merged}, {"BatchNormalization", r.Folded}} {
		for _, o := range part.list {
			rows = append(rows, tableRow{o.Node, part.kind, noted{string(o.Status), o.Reason}})
		}
	}
	if len(rows) > 0 {
		c.table(tableRow{"node", "kind", "outcome"}, rows)
	}
	c.models(r.Models)
	var facts [][2]string
	if len(r.Merged) > 0 {
		facts = append(facts, [2]string{"merged", fmt.Sprintf("%d of %d frozen blocks", countMerged(r.Merged), len(r.Merged))})
	}
	if r.Differences == nil {
		facts = append(facts, [2]string{"verified", "no"})
	}
	for _, inputs := range r.VerifiedOn {
		facts = append(facts, [2]string{"verified on", inputs})
	}
	for _, d := range r.Differences {
		text := fmt.Sprintf("differs by at most %.3g, relative %.3g (tolerance %g)", d.MaxAbs, d.MaxRel, r.Tolerance)
		if d.Compared == 0 {
			text = "not verified: it has no finite number"
		}
		facts = append(facts, [2]string{"output " + d.Output, text})
	}
	if d := r.SecondOpinion; d != nil {
		facts = append(facts, [2]string{"second engine", fmt.Sprintf("differs by at most %.3g, relative %.3g", d.MaxAbs, d.MaxRel)})
	}
	c.facts(append(facts, [2]string{"written", r.Output})...)
}

// countMerged returns how many blocks were merged.
func countMerged(list []transform.Outcome) int {
	n := 0
	for _, o := range list {
		if o.Status == transform.Merged {
			n++
		}
	}
	return n
}

// warnOfBlocks says which part of the blocks is left, if not all of them were merged.
func (c *exportCommand) warnOfBlocks(path string, list []transform.Outcome) {
	switch merged := countMerged(list); {
	case len(list) == 0:
		c.say("%s has no frozen blocks, so there was nothing to merge", path)
	case merged == 0:
		c.say("none of the %d frozen blocks was merged: the exported model still has all of them; the table tells why", len(list))
	case merged < len(list):
		c.say("only %d of %d frozen blocks were merged: the exported model still has the others; the table tells why", merged, len(list))
	}
}

// models prints sizes, and times where they are known.
func (c *exportCommand) models(list []modelFacts) {
	header := tableRow{"model", "trainable", "in banks", "statistics", "nodes", "Conv nodes", "file size"}
	var rows, times []tableRow
	for _, m := range list {
		nodes := 0
		for _, n := range m.Operators {
			nodes += n
		}
		rows = append(rows, tableRow{m.Name, count(m.Parameters.Trainable), count(m.Parameters.Bank), count(m.Parameters.Statistics), count(nodes), count(m.Operators["Conv"]), number(size(m.Bytes))})
		if t := m.Latency; t != nil {
			times = append(times, tableRow{m.Name, count(t.Images), milliseconds(t.Median), milliseconds(t.Min), rate(t.PerSecond())})
		}
	}
	c.table(header, rows)
	if times != nil {
		c.table(tableRow{"model", "images at a time", "median ms", "min ms", "images per second"}, times)
	}
}

// rate writes how many images a second a model computes.
func rate(perSecond float64) number {
	if perSecond < 100 {
		return decimal(perSecond)
	}
	return count(int64(perSecond))
}

func milliseconds(d time.Duration) number { return decimal(float64(d) / float64(time.Millisecond)) }
