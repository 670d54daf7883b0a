package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion"
	"github.com/spf13/cobra"
)

// doctorResult is what doctor prints as JSON.
type doctorResult struct {
	ort.Diagnosis
	SecondEngine string `json:"second_engine,omitempty"` // the program for export --second-opinion, empty without one
}

func newDoctor(p *printer) *cobra.Command {
	var library string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show which ONNX Runtime is used, and what works here",
		Long: `Show which ONNX Runtime library is used, where rcfreeze looks for it, which execution providers it has (such as cuda),
and which of them work here. Without a library, say what to do.`,
		Example: `# Check the installation
rcfreeze doctor
# Print the same as JSON, for a bug report
rcfreeze doctor --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.doctor(library) },
	}
	addLibrary(cmd.Flags(), &library)
	return cmd
}

// doctor prints a diagnosis; without a usable library it is an error.
func (p *printer) doctor(library string) error {
	d := doctorResult{Diagnosis: ort.Diagnose(library)}
	d.SecondEngine, _ = secondopinion.Find()
	if err := p.result(d, func() { p.diagnosis(d) }); err != nil {
		return err
	}
	return d.Err
}

func (p *printer) diagnosis(d doctorResult) {
	facts := [][2]string{{"needs", "ONNX Runtime " + d.NeededVersion + " or newer"}, {"CPU threads", fmt.Sprint(d.CPUThreads)}}
	if d.Library == nil {
		p.facts(append(facts, [2]string{"library", "none"})...)
		return
	}
	facts = append(facts, [2]string{"library", d.Library.Path}, [2]string{"version", d.Library.Version}, [2]string{"found by", d.Library.FoundBy})
	if d.Library.Warning != "" {
		facts = append(facts, [2]string{"warning", d.Library.Warning})
	}
	second := "none: only export --second-opinion needs one"
	if d.SecondEngine != "" {
		second = d.SecondEngine
	}
	p.facts(append(facts, [2]string{"second engine", second})...)
	yes := map[bool]string{true: "yes", false: "no"}
	var rows []tableRow
	for _, s := range d.Providers {
		rows = append(rows, tableRow{string(s.Provider), yes[s.CompiledIn], yes[s.Usable], s.Reason})
	}
	p.table(tableRow{"provider", "in the library", "usable", "reason"}, rows)
	p.searched(d.Searched)
}

// searched prints where the library is looked for, in order. Without a library the error tells that.
func (p *printer) searched(list []ort.Searched) {
	var rows []tableRow
	for _, s := range list {
		rows = append(rows, tableRow{s.Folder, s.Place, s.Found})
	}
	p.table(tableRow{"looked in", "which is", "found"}, rows)
}
