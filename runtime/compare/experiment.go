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

// experiment holds the settings that all runs in a comparison's folder share, because results of different experiments cannot be
// compared.
type experiment struct {
	Source   train.Source      `json:"source"`  // the source of all variants
	Recipe   train.Recipe      `json:"recipe"`  // without Seed and Trained, which differ between runs
	Convert  transform.Options `json:"convert"` // without Seed and the fields of Blocks, which differ between runs
	Settings settings          `json:"settings"`
}

// settings holds the settings of a Plan that are in no other field of experiment.
type settings struct {
	Classes int     `json:"num_classes"`
	Reinit  bool    `json:"reinit"`
	Epsilon float64 `json:"epsilon"`
}

func (p *Plan) experiment() (experiment, error) {
	e := experiment{Recipe: p.Recipe, Convert: shared(p.Convert), Settings: settings{p.Classes, p.Reinit, p.Epsilon}}
	e.Recipe.Seed, e.Recipe.Trained = 0, nil
	var err error
	e.Source, err = train.NewSource(p.Model, p.Train, p.Test, p.Normalize, p.Session)
	return e, err
}

// differences returns an error that lists the settings in which two experiments differ.
func (e experiment) differences(is experiment) error {
	return errors.Join(slices.Concat(train.Differences(e.Source, is.Source), train.Differences(e.Recipe, is.Recipe),
		train.Differences(e.Convert, is.Convert), train.Differences(e.Settings, is.Settings))...)
}

// The files besides those of train.Run.
const (
	experimentFile = "experiment.json" // in the comparison's folder
	resultFile     = "result.json"     // in a run's folder, after the run has finished
)

// finished returns the finished runs in the folder, also those that are not in the plan. It fails if they belong to another
// experiment.
func (p *Plan) finished(is experiment) (map[Cell]Row, error) {
	rows := map[Cell]Row{}
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
	case !p.hasWork():
		return rows, nil
	}
	if was.Convert.Bank != "" {
		return nil, fmt.Errorf("the comparison in %s was begun by an older version of rcfreeze, which gave runs other names: choose another folder", p.Folder)
	}
	if err := was.differences(is); err != nil {
		return nil, errors.Join(fmt.Errorf("the runs in %s are of another experiment; repeat it with the same settings, or choose another folder:", p.Folder), err)
	}
	for _, file := range files {
		atomicfile.RemoveStale(filepath.Dir(file)) // no later write will do this
		row, err := is.readRow(file)
		if err != nil {
			p.warn(fmt.Sprintf("reading a finished run: %v; if this comparison includes it, it is measured again from its last checkpoint", err))
			continue
		}
		rows[row.Cell] = row
	}
	return rows, nil
}

// hasWork reports whether the folder holds a run that did at least one step.
func (p *Plan) hasWork() bool {
	entries, err := os.ReadDir(p.Folder)
	return err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		folder := filepath.Join(p.Folder, e.Name())
		_, err := os.Stat(filepath.Join(folder, resultFile))
		return err == nil || e.IsDir() && train.Folder(folder).HasWork()
	})
}

// results returns the result files of finished runs. The folder need not exist.
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

// hasBegun reports whether the folder holds the description of the experiment, as it does from the first step of a run on.
func (p *Plan) hasBegun() bool {
	_, err := os.Stat(filepath.Join(p.Folder, experimentFile))
	return err == nil
}

// note writes the description of the experiment to the folder.
func (p *Plan) note(e experiment) error { return writeJSON(filepath.Join(p.Folder, experimentFile), e) }

// writeRow marks a run as finished.
func writeRow(folder string, row Row) error { return writeJSON(filepath.Join(folder, resultFile), row) }

// readRow reads the result of a finished run. It fails if the result does not match the name of the run's folder.
func (e experiment) readRow(file string) (row Row, err error) {
	if err := readJSON(file, &row); err != nil {
		return row, err
	}
	named := filepath.Base(filepath.Dir(file))
	if row.Folder = e.folder(row.Cell); row.Folder != named {
		return row, fmt.Errorf("%s: it is the result of %q, in the folder of %s", file, row.Folder, named)
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
