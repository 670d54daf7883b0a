package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// lab is what contestants work with: models and data in a folder, made when they are asked for.
type lab struct {
	folder  *atomicfile.Temporary
	library *ort.Library
	python  string // the one that has PyTorch
	torch   string // the version of PyTorch, "" if there is none
	cores   int
}

func newLab(library *ort.Library) (*lab, error) {
	folder, err := atomicfile.NewTemporary(os.TempDir())
	if err != nil {
		return nil, err
	}
	l := &lab{folder: folder, library: library, cores: runtime.GOMAXPROCS(0)}
	for _, python := range []string{"/usr/bin/python3", "python3"} { // Debian's packages are in the first
		version, err := exec.Command(python, "-c", "import torch, torchvision, onnx; print(torch.__version__)").Output()
		if err == nil && l.torch == "" {
			l.python, l.torch = python, strings.TrimSpace(string(version))
		}
	}
	return l, nil
}

func (l *lab) close() error { return l.folder.Remove() }

func (l *lab) scratch(name string) string { return filepath.Join(l.folder.Path, name) }

// model names a model.
type model struct {
	source    string
	expansion int // of frozen blocks, 0 for the source
	layout    transform.Layout
	isMerged  bool
	ofZoo     bool // by torchvision
}

// cifar is the architecture of Gavrikov & Keuper for CIFAR-10.
var cifar = model{source: "cifar-resnet"}

// zoo is a model by torchvision, for 224×224 pixels and 1000 classes.
func zoo(name string) model { return model{source: name, ofZoo: true} }

func (m model) frozen(expansion int) model {
	m.expansion, m.layout = expansion, transform.Dense
	return m
}

func (m model) depthwise(expansion int) model {
	m.expansion, m.layout = expansion, transform.Depthwise
	return m
}

// merged is the model converted with E = 1 and merged again.
func (m model) merged() model { m.isMerged = true; return m }

// flags are those by which our worker learns what trains.
func (m model) flags() []string {
	if m.expansion > 0 {
		return []string{"--variant", string(parameter.Frozen)}
	}
	return []string{"--variant", string(parameter.Baseline)}
}

func (m model) file() string {
	name := m.source
	if m.expansion > 0 {
		name += fmt.Sprintf(".%s-x%d", m.layout, m.expansion)
	}
	if m.isMerged {
		name += ".merged"
	}
	return name + ".onnx"
}

// path returns the file of a model, which is made first if it is not there.
func (l *lab) path(ctx context.Context, m model) (string, error) {
	path := l.scratch(m.file())
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	switch {
	case m.isMerged, m.expansion > 0:
		return path, l.derive(ctx, m, path)
	case m.ofZoo:
		return path, l.export(ctx, m, path)
	}
	built, err := architecture.New(m.source, architecture.Options{})
	if err != nil {
		return "", err
	}
	return path, built.Save(path, onnxgraph.ExternalAsRead)
}

// derive converts the source, and merges it again if that is asked for.
func (l *lab) derive(ctx context.Context, m model, path string) error {
	source := m
	source.expansion, source.layout, source.isMerged = 0, "", false
	from, err := l.path(ctx, source)
	if err != nil {
		return err
	}
	converted, err := onnxgraph.Load(from)
	if err != nil {
		return err
	}
	if _, err := transform.Convert(converted, transform.Options{Expansion: max(1, m.expansion), Layout: m.layout, Pointwise: transform.Random}); err != nil {
		return err
	}
	if m.isMerged {
		if _, err := transform.Merge(converted); err != nil {
			return err
		}
	}
	return converted.Save(path, onnxgraph.ExternalAsRead)
}

// export lets torchvision make a model.
func (l *lab) export(ctx context.Context, m model, path string) error {
	if l.torch == "" {
		return fmt.Errorf("torchvision, which makes the model: %w", errNotInstalled)
	}
	cmd := exec.CommandContext(ctx, l.python, filepath.Join("testdata", "torch", "zoo.py"), l.folder.Path,
		"--models", m.source, "--modes", "eval", "--size", "224", "--classes", "1000")
	if err := quietly(cmd); err != nil {
		return err
	}
	return os.Rename(l.scratch(m.source+".eval.onnx"), path)
}

// frozenNames writes the names of a converted model's banks, one a line, and returns the file.
func (l *lab) frozenNames(path string) (string, error) {
	m, err := onnxgraph.Load(path)
	if err != nil {
		return "", err
	}
	blocks, err := transform.Blocks(m)
	if err != nil {
		return "", err
	}
	var names []string
	for _, b := range blocks {
		names = append(names, b.Bank.Name())
	}
	list := path + ".frozen.txt"
	return list, os.WriteFile(list, []byte(strings.Join(names, "\n")+"\n"), 0o644)
}

// quietly runs a command, whose output is told only if it fails.
func quietly(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("running %s: %w", cmd, err), errors.New(string(out)))
	}
	return nil
}
