package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// limit is far longer than a run of a scenario takes.
const limit = 2 * time.Minute

// stage is a scenario with the files that exist before it.
type stage struct {
	scenario
	program string
	site    site // copied for each run
	path    string
}

// newStage makes the files that exist before a scenario, below a folder.
func newStage(ctx context.Context, c *campaign, s scenario, below string) (*stage, error) {
	folder, err := os.MkdirTemp(below, "stage-")
	if err != nil {
		return nil, err
	}
	st := &stage{scenario: s, program: c.program, site: site(folder), path: os.Getenv("PATH")}
	if err := errors.Join(os.Mkdir(st.site.work(), 0o755), os.Mkdir(st.site.temporary(), 0o755)); err != nil {
		return nil, err
	}
	if s.script {
		return st, st.prepareSetup(c.setup)
	}
	if err := writeData(filepath.Join(st.site.work(), "data")); err != nil {
		return nil, err
	}
	for _, line := range s.before {
		if _, err := st.run(ctx, st.site, strings.Fields(line)); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// args returns the arguments of the command, for the first run or for repeating it.
func (st *stage) args(again bool) []string {
	if st.script {
		return nil
	}
	args := strings.Fields(st.command)
	if again {
		args = append(args, strings.Fields(st.again)...)
	}
	return args
}

// line returns the path of the program or script in a site, then its arguments.
func (st *stage) line(at site, args []string) ([]string, error) {
	if !st.script {
		return append([]string{st.program}, args...), nil
	}
	bash, err := exec.LookPath("bash")
	return []string{bash, filepath.Join(at.work(), "scripts", "setup.sh")}, err
}

func (st *stage) env(at site) []string {
	return []string{"PATH=" + st.path, "HOME=" + string(at), "TMPDIR=" + at.temporary(), "LC_ALL=C"}
}

// run runs the program in a site, undisturbed, and returns its standard output.
func (st *stage) run(ctx context.Context, at site, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	line, err := st.line(at, args)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir, cmd.Env = at.work(), st.env(at)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(line, " "), err, strings.TrimSpace(talk.String()))
	}
	return out.String(), nil
}

// writeData writes a small data set in MNIST's format: noise with a brighter square in the corner of the class.
func writeData(folder string) error {
	const side, classes = 12, 4
	faults := []error{os.Mkdir(folder, 0o755)}
	for prefix, count := range map[string]int{"train": 64, "t10k": 32} {
		rng := rand.New(rand.NewPCG(uint64(count), 1))
		images, labels := binary.BigEndian.AppendUint32(nil, 0x803), binary.BigEndian.AppendUint32(nil, 0x801)
		for _, n := range []int{count, side, side} {
			images = binary.BigEndian.AppendUint32(images, uint32(n))
		}
		labels = binary.BigEndian.AppendUint32(labels, uint32(count))
		for i := range count {
			class := i % classes
			labels = append(labels, byte(class))
			top, left := class/2*side/2, class%2*side/2
			for p := range side * side {
				v := rng.IntN(120)
				if y, x := p/side, p%side; y > top && y < top+5 && x > left && x < left+5 {
					v += 100
				}
				images = append(images, byte(v))
			}
		}
		faults = append(faults, os.WriteFile(filepath.Join(folder, prefix+"-images-idx3-ubyte"), images, 0o644),
			os.WriteFile(filepath.Join(folder, prefix+"-labels-idx1-ubyte"), labels, 0o644))
	}
	return errors.Join(faults...)
}

// prepareSetup copies the script into the site, with the checksum of a small file instead of the library's, and adds a fake npm
// that has a package with that file, so that nothing is downloaded.
func (st *stage) prepareSetup(script string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	library := bytes.Repeat([]byte("not a library\n"), 5000)
	sum := sha256.Sum256(library)
	system := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	pinned := regexp.MustCompile(`(packed=linux/` + system + `/(\S+)\n\s*sum=)[0-9a-f]{64}`)
	version := regexp.MustCompile(`(?m)^version=(\S+)$`).FindSubmatch(text)
	found := pinned.FindSubmatch(text)
	if version == nil || found == nil {
		return fmt.Errorf("looking in %s for the version and the checksum: they are not where they were: change prepareSetup, too", script)
	}
	text = pinned.ReplaceAll(text, []byte("${1}"+hex.EncodeToString(sum[:])))
	folder := filepath.Join(st.site.work(), ".cache", "onnxruntime")
	bin, scripts := filepath.Join(string(st.site), "bin"), filepath.Join(st.site.work(), "scripts")
	st.path = bin + ":" + st.path
	archive := filepath.Join(bin, fmt.Sprintf("onnxruntime-node-%s.tgz", version[1]))
	packed, err := tarball("package/bin/napi-v6/linux/"+system+"/"+string(found[2]), library)
	if err != nil {
		return err
	}
	faults := []error{os.MkdirAll(bin, 0o755), os.MkdirAll(scripts, 0o755), os.WriteFile(archive, packed, 0o644),
		os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\ncp "+archive+" .\n"), 0o755),
		os.WriteFile(filepath.Join(scripts, "setup.sh"), text, 0o755)}
	for _, old := range st.before {
		content, record := []byte("an older one\n"), "1.0.0.sha256"
		if old == "damaged" {
			content, record = library[:len(library)/2], string(version[1])+".sha256"
		}
		line := fmt.Sprintf("%s  %s\n", hex.EncodeToString(sum[:]), found[2])
		faults = append(faults, os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, string(found[2])), content, 0o644),
			os.WriteFile(filepath.Join(folder, record), []byte(line), 0o644))
	}
	return errors.Join(faults...)
}

func tarball(name string, content []byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	t := tar.NewWriter(z)
	err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(0, 0)})
	if err == nil {
		_, err = t.Write(content)
	}
	err = errors.Join(err, t.Close(), z.Close())
	return out.Bytes(), err
}
