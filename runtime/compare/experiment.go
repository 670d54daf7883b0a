package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
)

// experiment is what all runs in a comparison's folder have in common: results of different experiments do not compare.
type experiment struct {
	Source   train.Source      `json:"source"`  // of the model that is compared with its variants
	Recipe   train.Recipe      `json:"recipe"`  // without what differs by run: Seed and Trained
	Convert  transform.Options `json:"convert"` // likewise: Expansion and Seed
	Settings settings          `json:"settings"`
}

// settings are those of a Plan that are not part of anything else.
type settings struct {
	Classes int     `json:"num_classes"`
	Reinit  bool    `json:"reinit"`
	Epsilon float64 `json:"epsilon"`
}

func (p *Plan) experiment() (experiment, error) {
	e := experiment{Recipe: p.Recipe, Convert: p.Convert.WithDefaults(), Settings: settings{p.Classes, p.Reinit, p.Epsilon}}
	e.Recipe.Seed, e.Recipe.Trained, e.Convert.Expansion, e.Convert.Seed = 0, nil, 0, 0
	var err error
	e.Source, err = train.NewSource(p.Model, p.Train, p.Test, p.Normalize, p.Session)
	return e, err
}

// differences lists in what one experiment differs from another, by name.
func (e experiment) differences(is experiment) error {
	return errors.Join(slices.Concat(train.Differences(e.Source, is.Source), train.Differences(e.Recipe, is.Recipe),
		train.Differences(e.Convert, is.Convert), train.Differences(e.Settings, is.Settings))...)
}

// The files beside those of train.Run.
const (
	experimentFile = "experiment.json" // of the comparison's folder
	resultFile     = "result.json"     // of a run's folder, once the run is finished
)

// finished returns the finished runs in the folder, which must be of the plan's experiment, and be asked for by Resume.
func (p *Plan) finished(is experiment) (map[run]Row, error) {
	rows := map[run]Row{}
	files, err := p.results()
	if err != nil {
		return nil, err
	}
	var was experiment
	switch err := readJSON(filepath.Join(p.Folder, experimentFile), &was); {
	case errors.Is(err, fs.ErrNotExist):
		if len(files) > 0 {
			return nil, fmt.Errorf("the folder %s holds finished runs, such as %s, but no %s that records their settings: choose another folder",
				p.Folder, files[0], experimentFile)
		}
		return rows, nil
	case err != nil:
		return nil, fmt.Errorf("reading the settings of the comparison in %s: %w", p.Folder, err)
	case !p.Resume && p.hasWork():
		return nil, fmt.Errorf("the folder %s holds a comparison: continue it with --resume, or choose another folder, or empty this one", p.Folder)
	}
	if !p.Resume {
		return rows, nil
	}
	if err := was.differences(is); err != nil {
		return nil, errors.Join(fmt.Errorf("the runs in %s are of another experiment; repeat it with the same settings, or choose another folder:", p.Folder), err)
	}
	for _, file := range files {
		atomicfile.RemoveStale(filepath.Dir(file)) // nothing more is written there
		row, err := readRow(file)
		if err != nil {
			p.warn(fmt.Sprintf("reading a finished run: %v; if this comparison includes it, it is measured again from its last checkpoint", err))
			continue
		}
		rows[run{row.Variant, row.Expansion, row.Seed}] = row
	}
	return rows, nil
}

// hasWork reports whether the folder holds a run that did some steps.
func (p *Plan) hasWork() bool {
	entries, err := os.ReadDir(p.Folder)
	return err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		folder := filepath.Join(p.Folder, e.Name())
		_, err := os.Stat(filepath.Join(folder, resultFile))
		return err == nil || e.IsDir() && train.Folder(folder).HasWork()
	})
}

// results returns the files of finished runs in the folder, which need not be there.
func (p *Plan) results() ([]string, error) {
	entries, err := os.ReadDir(p.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	for _, e := range entries {
		file := filepath.Join(p.Folder, e.Name(), resultFile)
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	return files, err
}

// note writes down what the runs in the folder are made of.
func (p *Plan) note(e experiment) error { return writeJSON(filepath.Join(p.Folder, experimentFile), e) }

// writeRow marks a run as finished.
func writeRow(folder string, row Row) error { return writeJSON(filepath.Join(folder, resultFile), row) }

// readRow reads the result of a finished run, which must be of the run that the folder is named after.
func readRow(file string) (row Row, err error) {
	if err := readJSON(file, &row); err != nil {
		return row, err
	}
	named := filepath.Base(filepath.Dir(file))
	if name := (run{row.Variant, row.Expansion, row.Seed}).name(); name != named {
		return row, fmt.Errorf("%s: it is the result of %q, in the folder of %s", file, name, named)
	}
	return row, nil
}

func readJSON(path string, to any) error {
	const most = 1 << 26 // bytes
	data, err := plainfile.Read(path, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, from any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(from)
	})
}
