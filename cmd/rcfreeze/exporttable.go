package main

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
	"github.com/rcfreeze/rcfreeze/transform"
)

// modelFacts is how large one of several models is, and how fast.
type modelFacts struct {
	Name       string         `json:"name"`
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
		list = append(list, modelFacts{Name: names[i], Parameters: parameters, Operators: operators(m)})
	}
	return list, nil
}

func (c *exportCommand) print(r exportResult) {
	var rows []table.Row
	for _, part := range []struct {
		kind string
		list []transform.Outcome
	}{{"frozen block", r.Merged}, {"BatchNormalization", r.Folded}} {
		for _, o := range part.list {
			rows = append(rows, table.Row{o.Node, part.kind, string(o.Status), o.Reason})
		}
	}
	if len(rows) > 0 {
		c.table(table.Row{"node", "kind", "outcome", "reason"}, rows)
	}
	c.models(r.Models)
	var facts [][2]string
	if r.Differences == nil {
		facts = append(facts, [2]string{"verified", "no"})
	}
	for _, d := range r.Differences {
		facts = append(facts, [2]string{"output " + d.Output, fmt.Sprintf("differs by at most %.3g, relative %.3g (tolerance %g)", d.MaxAbs, d.MaxRel, r.Tolerance)})
	}
	if d := r.SecondOpinion; d != nil {
		facts = append(facts, [2]string{"second engine", fmt.Sprintf("differs by at most %.3g, relative %.3g", d.MaxAbs, d.MaxRel)})
	}
	c.facts(append(facts, [2]string{"written", r.Output})...)
}

// models prints sizes, and times where they are known.
func (c *exportCommand) models(list []modelFacts) {
	header := table.Row{"model", "trainable", "in banks", "statistics", "nodes", "Conv nodes"}
	if c.time {
		header = append(header, "median ms", "min ms")
	}
	var rows []table.Row
	for _, m := range list {
		nodes := 0
		for _, n := range m.Operators {
			nodes += n
		}
		row := table.Row{m.Name, count(m.Parameters.Trainable), count(m.Parameters.Bank), count(m.Parameters.Statistics), count(nodes), count(m.Operators["Conv"])}
		if m.Latency != nil {
			row = append(row, milliseconds(m.Latency.Median), milliseconds(m.Latency.Min))
		}
		rows = append(rows, row)
	}
	c.table(header, rows)
}

func milliseconds(d time.Duration) number { return decimal(float64(d) / float64(time.Millisecond)) }
