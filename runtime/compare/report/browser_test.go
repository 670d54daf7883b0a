package report

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
)

// TestBrowser opens the page in a browser that finds no host, and looks for each figure, the table and the data in what it shows.
func TestBrowser(t *testing.T) {
	chromium := peer.Chromium(t)
	folder := t.TempDir()
	r := made(t, folder)
	written(t, folder, r)
	// It may run as root, which its sandbox refuses.
	open := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+t.TempDir(),
		"--dump-dom", "file://"+filepath.Join(folder, File))
	var said strings.Builder
	open.Stderr = &said
	shown, err := open.Output()
	if err != nil {
		t.Fatalf("%s: %v:\n%s", open, err, said.String())
	}
	dom := string(shown)
	for _, name := range figureNames {
		_, figure, found := strings.Cut(dom, `<figure id="`+name+`"><svg `)
		picture, _, closed := strings.Cut(figure, "</svg>")
		if !found || !closed || strings.Count(picture, "<path") < 5 || strings.Count(picture, "<text") < 5 {
			t.Errorf("the browser does not show the figure %s", name)
		}
	}
	if rows := strings.Count(dom, "<tr>"); rows != 8 {
		t.Errorf("the browser shows %d rows, want a header and 7", rows)
	}
	if strings.Count(dom, "<script") != 1 || strings.Contains(dom, "<img") {
		t.Error("the browser has made elements of a name")
	}
}
