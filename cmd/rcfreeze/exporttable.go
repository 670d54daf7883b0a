package main

import (
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/transform"
)

func (c *exportCommand) print(r *rcfreeze.Exported) {
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
		facts = append(facts, [2]string{"merged", fmt.Sprintf("%d of %d frozen blocks", rcfreeze.CountMerged(r.Merged), len(r.Merged))})
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

// models prints sizes, and times where they are known.
func (c *exportCommand) models(list []rcfreeze.ModelFacts) {
	header := tableRow{"model", "trainable", "in banks", "statistics", "nodes", "Conv nodes", "file size"}
	var rows, times []tableRow
	for _, m := range list {
		nodes := 0
		for _, n := range m.Operators {
			nodes += n
		}
		rows = append(rows, tableRow{m.Name, count(m.Parameters.Trainable), count(m.Parameters.Bank), count(m.Parameters.Statistics), count(nodes), count(m.Operators["Conv"]), number(figures.Bytes(m.Bytes))})
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
