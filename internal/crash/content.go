package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// normal returns the content of a file without parts that differ between equal runs: times, and the order of unordered parts. A
// file that it cannot read is returned as it is.
func normal(name string, data []byte) []byte {
	var out []byte
	var err error
	switch filepath.Ext(name) {
	case ".json":
		out, err = untimedJSON(data)
	case ".csv":
		out, err = untimedCSV(data)
	case ".ckpt":
		out, err = normalZip(data)
	case ".html":
		out, err = untimedHTML(data)
	default:
		return data
	}
	if err != nil {
		return data
	}
	return out
}

// complete returns an error if the file alone shows that it is not complete.
func complete(name string, data []byte) error {
	var err error
	switch filepath.Ext(name) {
	case ".json":
		_, err = untimedJSON(data)
	case ".csv":
		_, err = untimedCSV(data)
	case ".ckpt":
		_, err = normalZip(data)
	case ".html":
		_, err = untimedHTML(data)
	case ".svg":
		if !bytes.HasSuffix(data, []byte("</svg>")) {
			err = io.ErrUnexpectedEOF
		}
	default:
		err = fmt.Errorf("only JSON, CSV, HTML, SVG and zip files can be judged by themselves")
	}
	return err
}

// timed is the name of a field or column of seconds.
const timed = "seconds"

func untimedJSON(data []byte) ([]byte, error) {
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, timed)
			for _, inner := range v {
				strip(inner)
			}
		case []any:
			for _, inner := range v {
				strip(inner)
			}
		}
	}
	strip(document)
	return json.Marshal(document)
}

func untimedCSV(data []byte) ([]byte, error) {
	if !bytes.HasSuffix(data, []byte("\n")) {
		return nil, io.ErrUnexpectedEOF
	}
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err
	}
	column := slices.Index(lines[0], timed)
	var out strings.Builder
	w := csv.NewWriter(&out)
	for _, line := range lines {
		if column >= 0 {
			line = slices.Delete(line, column, column+1)
		}
		w.Write(line)
	}
	w.Flush()
	return []byte(out.String()), w.Error()
}

// timedHTML finds what a report tells of seconds: elements of that class, and fields of its data.
var timedHTML = regexp.MustCompile(`class="[a-z ]*` + timed + `">[^<]*<|"` + timed + `":[^,}]*`)

func untimedHTML(data []byte) ([]byte, error) {
	if !bytes.HasSuffix(data, []byte("</html>\n")) {
		return nil, io.ErrUnexpectedEOF
	}
	return timedHTML.ReplaceAll(data, nil), nil
}

// normalZip returns the files of a zip file in the order of their names; their checksums are compared on the way.
func normalZip(data []byte) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(z.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	var out bytes.Buffer
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		fmt.Fprintf(&out, "%s\n%s\n", f.Name, normal(f.Name, content))
	}
	return out.Bytes(), nil
}

// masked returns the text that a command printed, without numbers and without the widths of tables, which depend on them.
func masked(text string) string {
	var out strings.Builder
	last := rune(0)
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9' || r == '.' || r == ',':
			r = '#'
		case r == '─':
			r = ' '
		}
		if (r == '#' || r == ' ') && r == last {
			continue
		}
		out.WriteRune(r)
		last = r
	}
	return out.String()
}
