package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// decode returns the pixels of a file, red, green and blue in turn, plane by plane.
func decode(t *testing.T, data []byte) ([]uint8, *Image) {
	t.Helper()
	m, err := Decode(data, upTo(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	width, height := m.Size()
	n := width * height
	out := make([]uint8, 3*n)
	m.RGB(out[:n], out[n:2*n], out[2*n:], image.Rect(0, 0, width, height))
	return out, m
}

// withRestarts returns a file of several restarts.
func withRestarts() []byte {
	p := newPicture(37, 23, [][2]int{{2, 2}, {1, 1}, {1, 1}}, 1)
	p.interval = 2
	return p.encode()
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPillow compares with the pixels that Pillow reads; testdata/make.py says how they were made.
func TestPillow(t *testing.T) {
	names, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(names) != 10 {
		t.Fatalf("%d files, error %v: want 10", len(names), err)
	}
	for _, name := range names {
		name = filepath.Base(name)
		got, m := decode(t, readFile(t, name))
		want, err := png.Decode(bytes.NewReader(readFile(t, strings.TrimSuffix(name, ".jpg")+".png")))
		if err != nil {
			t.Fatal(err)
		}
		if size := want.Bounds().Size(); size != image.Pt(m.width, m.height) {
			t.Fatalf("%s: %d×%d, want %v", name, m.width, m.height, size)
		}
		different := 0
		for i := range m.width * m.height {
			r, g, b, _ := want.At(i%m.width, i/m.width).RGBA()
			for c, v := range []uint32{r, g, b} {
				if uint32(got[c*m.width*m.height+i]) != v>>8 {
					different++
				}
			}
		}
		if different > 0 {
			t.Errorf("%s: %d of %d pixels are not Pillow's", name, different, len(got))
		}
	}
}

// TestSampling decodes pictures of all ways to store components at different sizes, and compares with their definition in
// floating point: samples may be rounded otherwise, by 1, which the colors make up to 3.
func TestSampling(t *testing.T) {
	type factors = [][2]int
	cases := []struct {
		name    string
		factors factors
	}{
		{"4:4:4", factors{{1, 1}, {1, 1}, {1, 1}}},
		{"4:2:2", factors{{2, 1}, {1, 1}, {1, 1}}},
		{"4:2:0", factors{{2, 2}, {1, 1}, {1, 1}}},
		{"4:4:0", factors{{1, 2}, {1, 1}, {1, 1}}},
		{"4:1:1", factors{{4, 1}, {1, 1}, {1, 1}}},
		{"4:1:0", factors{{4, 2}, {1, 1}, {1, 1}}},
		{"4:4:4 with large factors", factors{{2, 2}, {2, 2}, {2, 2}}},
		{"4:2:2 with large factors", factors{{2, 2}, {1, 2}, {1, 2}}},
		{"colors of different sizes", factors{{2, 2}, {1, 1}, {1, 2}}},
		{"one color as large as luminance", factors{{2, 2}, {2, 1}, {2, 2}}},
		{"colors larger than luminance", factors{{1, 1}, {2, 2}, {2, 1}}},
		{"each the largest in its way", factors{{2, 1}, {1, 2}, {1, 1}}},
		{"thirds", factors{{3, 1}, {1, 1}, {1, 1}}},
		{"thirds down", factors{{1, 3}, {1, 3}, {1, 1}}},
		{"quarters down", factors{{1, 4}, {1, 1}, {1, 2}}},
		{"sixteenths", factors{{4, 4}, {1, 1}, {2, 4}}},
		{"gray", factors{{1, 1}}},
		{"gray with large factors", factors{{2, 2}}},
		{"CMYK", factors{{2, 2}, {1, 1}, {1, 2}, {2, 1}}},
	}
	sizes := [][2]int{{1, 1}, {3, 2}, {5, 4}, {16, 16}, {35, 21}}
	seed := uint64(0)
	for _, c := range cases {
		for _, size := range sizes {
			for kind := range 3 {
				seed++
				p := newPicture(size[0], size[1], c.factors, seed)
				if len(p.factors) == 1 {
					p.factors = factors{{1, 1}} // to which a single component's are equal, whatever they are
					p = newPicture(size[0], size[1], p.factors, seed)
				}
				p.progressive, p.interval = kind == 1, []int{0, 0, 3}[kind]
				data := p.encode()
				if len(c.factors) == 1 {
					at := bytes.Index(data, []byte{1, 1, 0x11, 0}) // in the frame: one component, number 1
					data[at+2] = byte(c.factors[0][0]<<4 | c.factors[0][1])
				}
				got, _ := decode(t, data)
				if at, off := p.worst(got); off > 3 {
					t.Errorf("%s, %d×%d, progressive %t, interval %d: off by %.1f at %s", c.name, size[0], size[1], p.progressive, p.interval, off, at)
				}
			}
		}
	}
}

// worst returns where pixels are farthest from the picture's definition, and by how much.
func (p *picture) worst(got []uint8) (at string, off float64) {
	planes := p.planes()
	n := p.width * p.height
	for i := range n {
		var v [4]float64
		for c := range planes {
			v[c] = p.at(planes[c], c, i%p.width, i/p.width)
		}
		for c, want := range colorOf(v, len(planes)) {
			want = min(max(want, 0), 255)
			if d := math.Abs(want - float64(got[c*n+i])); d > off {
				off, at = d, fmt.Sprintf("pixel %d,%d of color %d: %d, want %.1f", i%p.width, i/p.width, c, got[c*n+i], want)
			}
		}
	}
	return at, off
}

// colorOf is the definition of colors.
func colorOf(v [4]float64, components int) [3]float64 {
	switch components {
	case 1:
		return [3]float64{v[0], v[0], v[0]}
	case 4:
		return [3]float64{v[0] * v[3] / 255, v[1] * v[3] / 255, v[2] * v[3] / 255}
	}
	y, cb, cr := v[0], v[1]-128, v[2]-128
	return [3]float64{y + 1.402*cr, y - 0.344136*cb - 0.714136*cr, y + 1.772*cb}
}

// TestWindow checks that pixels outside a window stay as they were, and those in it are the same.
func TestWindow(t *testing.T) {
	all, m := decode(t, readFile(t, "420.jpg"))
	n := m.width * m.height
	for _, window := range []image.Rectangle{image.Rect(0, 0, 0, 0), image.Rect(1, 2, m.width-3, m.height-4), image.Rect(6, 3, 7, 4)} {
		got := slices.Repeat([]uint8{99}, 3*n)
		m.RGB(got[:n], got[n:2*n], got[2*n:], window)
		for i, v := range got {
			want := uint8(99)
			if image.Pt(i%n%m.width, i%n/m.width).In(window) {
				want = all[i]
			}
			if v != want {
				t.Fatalf("window %v: element %d is %d, want %d", window, i, v, want)
			}
		}
	}
}

// TestHarmless decodes files with what does not change their pixels.
func TestHarmless(t *testing.T) {
	plain := withRestarts()
	want, _ := decode(t, plain)
	after := func(at int, b ...byte) []byte { return slices.Concat(plain[:at], b, plain[at:]) }
	frame := bytes.Index(plain, []byte{0xff, startOfFrame1})
	end := len(plain) - 2
	exif := []byte("\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00") // orientation 6
	var wide []byte                                                                                                                               // the quantization tables with two bytes for each number
	for rest := plain; ; {
		at := bytes.Index(rest, []byte{0xff, quantization})
		if at < 0 {
			wide = append(wide, rest...)
			break
		}
		wide = append(wide, rest[:at]...)
		length := int(rest[at+2])<<8 + int(rest[at+3])
		for tables := rest[at+4 : at+2+length]; len(tables) > 0; tables = tables[65:] {
			wide = append(wide, 0xff, quantization, 0, 2+1+128, 0x10|tables[0])
			for _, v := range tables[1:65] {
				wide = append(wide, 0, v)
			}
		}
		rest = rest[at+2+length:]
	}
	third := slices.Clone(plain) // all components take table 3, which is table 0 by another number
	third[bytes.Index(third, []byte{0xff, quantization})+4] = 3
	for i := range 3 {
		third[frame+12+3*i] = 3
	}
	for name, data := range map[string][]byte{
		"wide quantization tables":       wide,
		"garbage after the end":          append(slices.Clone(plain), "\xff\xd8 garbage"...),
		"an orientation":                 after(2, exif...),
		"a comment":                      after(frame, 0xff, 0xfe, 0, 4, 1, 2),
		"fill bytes":                     after(frame, 0xff, 0xff, 0xff),
		"bytes that belong to nothing":   after(frame, 1, 2, 0xff, 0, 3),
		"restarts that are left over":    after(end, 0xff, restart0, 0xff, restart7),
		"a Huffman code without codes":   after(frame, slices.Concat([]byte{0xff, huffmanTables, 0, 19, 3}, make([]byte, 16))...),
		"quantization table 3":           third,
		"bytes after the data":           after(end, 0, 0, 0, 0),
		"a segment of an unknown kind":   after(frame, 0xff, 0xf7, 0, 3, 9),
		"fill bytes in front of the end": after(end, 0xff, 0xff),
	} {
		if got, _ := decode(t, data); !slices.Equal(got, want) {
			t.Errorf("%s: the pixels change", name)
		}
	}
}

// TestFillBytesInData decodes a file in which further bytes of 255 come before those that are data.
func TestFillBytesInData(t *testing.T) {
	var plain, filled []byte
	for seed := uint64(1); len(filled) == len(plain); seed++ { // until a byte of the data is 255
		plain = newPicture(64, 64, [][2]int{{1, 1}}, seed).encode()
		begin := bytes.Index(plain, []byte{0xff, startOfScan}) + 10
		filled = slices.Concat(plain[:begin], bytes.ReplaceAll(plain[begin:], []byte{0xff, 0}, []byte{0xff, 0xff, 0xff, 0}))
	}
	want, _ := decode(t, plain)
	if got, _ := decode(t, filled); !slices.Equal(got, want) {
		t.Error("the pixels change")
	}
}

// TestStandardCodes decodes a file without the Huffman codes that encoders take if they are not to find better ones.
func TestStandardCodes(t *testing.T) {
	for _, name := range []string{"420.jpg", "gray.jpg", "cmyk.jpg"} {
		whole := readFile(t, name)
		var without []byte
		for rest := whole; len(rest) > 0; {
			at := bytes.Index(rest, []byte{0xff, huffmanTables})
			if at < 0 {
				without = append(without, rest...)
				break
			}
			without = append(without, rest[:at]...)
			rest = rest[at+2+int(rest[at+2])<<8+int(rest[at+3]):]
		}
		want, _ := decode(t, whole)
		if got, _ := decode(t, without); len(without) == len(whole) || !slices.Equal(got, want) {
			t.Errorf("%s: %d of %d bytes are left, and give other pixels", name, len(without), len(whole))
		}
	}
}

// TestEachRestarts decodes a file that starts anew after each unit: its pixels are those of the same picture without restarts.
func TestEachRestarts(t *testing.T) {
	picture := newPicture(37, 23, [][2]int{{2, 2}, {1, 1}, {1, 1}}, 1)
	want, _ := decode(t, picture.encode())
	picture.interval = 1
	if got, _ := decode(t, picture.encode()); !slices.Equal(got, want) {
		t.Error("the pixels differ")
	}
}

// TestRefused checks what errors say.
func TestRefused(t *testing.T) {
	plain := readFile(t, "420.jpg")
	progressive := readFile(t, "420-progressive.jpg")
	frame := bytes.Index(plain, []byte{0xff, startOfFrame0}) + 2
	scan := bytes.Index(plain, []byte{0xff, startOfScan}) + 2
	set := func(at int, b ...byte) []byte { return slices.Concat(plain[:at], b, plain[at+len(b):]) }
	drop := func(marker byte) []byte {
		at := bytes.Index(plain, []byte{0xff, marker})
		return slices.Concat(plain[:at], plain[at+2+int(plain[at+2])<<8+int(plain[at+3]):])
	}
	tables := bytes.Index(plain, []byte{0xff, huffmanTables}) + 2
	further := func(table ...byte) []byte { // before the others
		return slices.Concat(plain[:tables-2], []byte{0xff, huffmanTables, byte((2 + len(table)) >> 8), byte(2 + len(table))}, table, plain[tables-2:])
	}
	code := func(kind byte, values int, counts ...byte) []byte {
		return further(slices.Concat([]byte{kind}, counts, make([]byte, 16-len(counts)+values))...)
	}
	band := func(first, last, bits byte) []byte { // the first scan is of all three components, and of what low frequencies have
		at := bytes.Index(progressive, []byte{0xff, startOfScan}) + 5 + 2*3
		return slices.Concat(progressive[:at], []byte{first, last, bits}, progressive[at+3:])
	}
	damaged := withRestarts()
	damaged[bytes.LastIndex(damaged, []byte{0xff, restart0 + 1})+1] = restart0 + 3
	two := slices.Concat(plain[:frame], []byte{0, 14, 8, 0, 9, 0, 9, 2, 1, 0x11, 0, 2, 0x11, 0}, plain[frame+17:])
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"not a JPEG", []byte("hello"), "not a JPEG"},
		{"nothing else", plain[:2], "truncated"},
		{"half", plain[:len(plain)/2], "truncated"},
		{"no end", plain[:len(plain)-2], "truncated"},
		{"half of the scans", progressive[:len(progressive)*2/3], "truncated"},
		{"ends in its data", slices.Concat(plain[:len(plain)*2/3], []byte{0xff, endOfImage}), "truncated"},
		{"12 bits", set(frame+2, 12), "12 bits per sample"},
		{"lossless", set(frame-1, 0xc3), "lossless"},
		{"hierarchical", set(frame-1, 0xc5), "hierarchical"},
		{"arithmetic", set(frame-1, 0xc9), "arithmetic"},
		{"arithmetic, progressive", set(frame-1, 0xca), "arithmetic"},
		{"conditions of arithmetic coding", set(frame-1, 0xcc), "arithmetic"},
		{"no height", set(frame+3, 0, 0), "0×37"},
		{"claims too much", set(frame+3, 0xff, 0xff, 0xff, 0xff), "65535×65535"},
		{"claims more than it can hold", set(frame+3, 3, 0xff, 3, 0xff), "truncated"},
		{"two components", two, "2 components"},
		{"not a whole ratio", set(frame+9, 0x31, 1, 2, 0x21), "not a whole ratio"},
		{"factor 5", set(frame+9, 0x51), "sampling factors 5×1"},
		{"vertical factor 5", set(frame+9, 0x15), "sampling factors 1×5"},
		{"no vertical factor", set(frame+9, 0x10), "sampling factors 1×0"},
		{"quantization table 4", set(frame+10, 4), "quantization table 4"},
		{"quantization table 3, which there is not", set(frame+10, 3), "not in the file"},
		{"a frame's head that is too short", set(frame+1, 16), "frame's head has a wrong length"},
		{"a restart interval of three bytes", slices.Concat(plain[:2], []byte{0xff, 0xdd, 0, 5, 0, 0, 0}, plain[2:]), "restart interval has a wrong length"},
		{"a band from the mean on", band(0, 5, 0), "band of coefficients"},
		{"a band of several components", band(1, 5, 0), "band of coefficients"},
		{"a band that ends before it begins", band(1, 0, 0), "band of coefficients"},
		{"a band beyond the end", band(0, 64, 0), "band of coefficients"},
		{"bits beyond 13", band(0, 0, 0x0e), "band of coefficients"},
		{"bits that are not the next", band(0, 0, 0x31), "band of coefficients"},
		{"no factor", set(frame+9, 0x01), "sampling factors 0×1"},
		{"a segment that is longer than the file", slices.Concat(plain[:2], []byte{0xff, 0xe1, 0xff, 0xff}, plain[2:]), "truncated"},
		{"a frame's head of five bytes", slices.Concat(plain[:2], []byte{0xff, startOfFrame0, 0, 7, 8, 0, 9, 0, 9}, plain[2:]), "frame's head has a wrong length"},
		{"claims more than it can hold, and has no scan", slices.Concat(set(frame+3, 3, 0xff, 3, 0xff)[:scan-2], []byte{0xff, endOfImage}), "truncated"},
		{"a mean of sixteen bits", sixteen(false), "invalid code"},
		{"a mean of sixteen bits, progressive", sixteen(true), "invalid code"},
		{"other component in scan", set(scan+3, 77), "component 77"},
		{"component twice in scan", set(scan+5, 1), "component 1"},
		{"no quantization", drop(quantization), "quantization table"},
		{"no such code", set(scan+4, 0x22), "Huffman table"},
		{"a code for means that there cannot be", set(scan+4, 0x40), "invalid Huffman table"},
		{"a code for others that there cannot be", set(scan+4, 0x04), "invalid Huffman table"},
		{"the height at the end", slices.Concat(plain[:frame-2], []byte{0xff, numberOfLines, 0, 4, 0, 9}, plain[frame-2:]), "DNL"},
		{"half of a quantization table", slices.Concat(plain[:2], []byte{0xff, quantization, 0, 3, 0}, plain[2:]), "quantization table is damaged"},
		{"an invalid code", ones(false), "invalid code"},
		{"an invalid code, progressive", ones(true), "invalid code"},
		{"a code of a third kind", code(0x20, 1, 1), "Huffman table is damaged"},
		{"code 4", code(0x04, 1, 1), "Huffman table is damaged"},
		{"a table without its values", code(0x00, 1, 0, 1, 1), "Huffman table is damaged"},
		{"half of a table", further(0, 0, 1), "Huffman table is damaged"},
		{"half of a second table", further(slices.Concat([]byte{0, 1}, make([]byte, 16), []byte{0x11, 0})...), "Huffman table is damaged"},
		{"more values than bytes have", code(0x00, 257, 0, 0, 0, 0, 0, 0, 0, 250, 7), "Huffman table is damaged"},
		{"three codes of one bit", code(0x00, 3, 3), "Huffman"},
		{"a segment of one byte", slices.Concat(plain[:2], []byte{0xff, 0xe0, 0, 1}, plain[2:]), "shorter than its head"},
		{"a segment of no bytes", slices.Concat(plain[:2], []byte{0xff, 0xe0, 0, 0}, plain[2:]), "shorter than its head"},
		{"no scan", slices.Concat(plain[:scan-2], []byte{0xff, endOfImage}), "has no data"},
		{"no frame", slices.Concat(plain[:frame-2], []byte{0xff, endOfImage}), "no frame"},
		{"two frames", slices.Concat(plain[:frame+17], plain[frame-2:]), "two frames"},
		{"other restart", damaged, "restart 1 should be"},
		{"scans without end", manyScans(progressive), "more than 100 scans"},
	} {
		_, err := Decode(c.data, upTo(1<<22))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// ones returns a file whose data are nothing but ones, which are no code.
func ones(progressive bool) []byte {
	p := newPicture(8, 8, [][2]int{{1, 1}}, 1)
	p.progressive = progressive
	return p.withData(bytes.Repeat([]byte{0xff, 0}, 50))
}

// sixteen returns a file in which the mean of a block is said to have 16 bits.
func sixteen(progressive bool) []byte {
	p := newPicture(8, 8, [][2]int{{1, 1}}, 1)
	p.progressive = progressive
	file := p.withData(make([]byte, 40)) // of the first code, which stands for 0 bits
	file[bytes.Index(file, []byte{0xff, huffmanTables})+5+16] = 16
	return file
}

// withData returns the file with other compressed data in its first scan.
func (p *picture) withData(data []byte) []byte {
	file := p.encode()
	begin := bytes.Index(file, []byte{0xff, startOfScan}) + 8 + 2*len(p.factors)
	end := begin
	for file[end] != 0xff || file[end+1] == 0 {
		end++
	}
	return slices.Concat(file[:begin], data, file[end:])
}

// TestBeyondTheBlock decodes runs of zeros that lead beyond a block's last coefficient: in codes of all lengths, with numbers of all sizes.
func TestBeyondTheBlock(t *testing.T) {
	for size := 1; size <= 15; size++ {
		for _, progressive := range []bool{false, true} {
			p := newPicture(8, 8, [][2]int{{1, 1}}, 1)
			p.coefficients[0][0] = [64]int{3}
			p.encode() // which chooses the codes
			var file []byte
			w := &writer{}
			w.flush()
			if p.progressive = progressive; !progressive {
				w.number(&means, 0, 3)
			}
			for range 5 {
				w.symbol(&others, byte(15<<4|size))
				w.put(1, size)
			}
			w.flush()
			data := append(w.out, make([]byte, 20)...)
			if !progressive {
				file = p.withData(data)
			} else { // the second scan is of a band
				file = p.encode()
				second := bytes.LastIndex(file, []byte{0xff, startOfScan, 0, 8, 1, 1, 0, 6, 63, 1})
				if size == 1 { // the next bits of the band say the same
					later := bytes.LastIndex(file, []byte{0xff, startOfScan, 0, 8, 1, 1, 0, 6, 63, 0x10})
					refined := slices.Concat(file[:later+10], data, file[later+10:])
					if _, err := Decode(refined, upTo(100)); !errors.Is(err, errCode) {
						t.Errorf("further bits: got error %v", err)
					}
				}
				file = slices.Concat(file[:second+10], data, file[second+10:])
			}
			if _, err := Decode(file, upTo(100)); !errors.Is(err, errCode) {
				t.Errorf("numbers of %d bits, progressive: %t: got error %v", size, progressive, err)
			}
		}
	}
}

// TestDense decodes a progressive file in which no coefficient is 0: after the first scan of their high bits, bits of all of them
// follow each other.
func TestDense(t *testing.T) {
	p := newPicture(8, 8, [][2]int{{1, 1}}, 1)
	p.progressive = true
	for k := range 64 {
		p.coefficients[0][0][k] = []int{2, -3, 3, -2, 5}[k%5]
	}
	got, _ := decode(t, p.encode())
	if at, off := p.worst(got); off > 3 {
		t.Errorf("off by %.1f at %s", off, at)
	}
}

// TestStoredColors decodes files that tell in all ways what their three components are: as libjpeg has it, JFIF means YCbCr, else
// Adobe's segment counts, else what they are called.
func TestStoredColors(t *testing.T) {
	jfif := []byte("\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
	adobe := func(transform byte) []byte {
		return append([]byte("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"), transform)
	}
	p := newPicture(9, 9, [][2]int{{1, 1}, {1, 1}, {1, 1}}, 3)
	plain := p.encode()
	planes := p.planes()
	for _, c := range []struct {
		name   string
		before []byte
		ids    string
		isRGB  bool
	}{
		{"nothing", nil, "\x01\x02\x03", false},
		{"numbers from 0", nil, "\x00\x01\x02", false},
		{"named", nil, "RGB", true},
		{"named in another order", nil, "RBG", false},
		{"named otherwise", nil, "XGB", false},
		{"named otherwise in the end", nil, "RGX", false},
		{"JFIF", jfif, "\x01\x02\x03", false},
		{"JFIF, named", jfif, "RGB", false},
		{"JFIF and a thumbnail's segment", slices.Concat(jfif, []byte("\xff\xe0\x00\x08JFXX\x00\x10")), "RGB", false},
		{"JFIF, too short", []byte("\xff\xe0\x00\x09JFIF\x00\x01\x01"), "RGB", true},
		{"Adobe's RGB", adobe(0), "\x01\x02\x03", true},
		{"Adobe's YCbCr", adobe(1), "RGB", false},
		{"Adobe, too short", []byte("\xff\xee\x00\x0dAdobe\x00\x64\x00\x00\x00\x00"), "\x01\x02\x03", false},
		{"JFIF and Adobe's RGB", slices.Concat(jfif, adobe(0)), "\x01\x02\x03", false},
	} {
		file := slices.Clone(plain)
		frame, scan := bytes.Index(file, []byte{0xff, startOfFrame1}), bytes.Index(file, []byte{0xff, startOfScan})
		for i := range 3 {
			file[frame+10+3*i], file[scan+5+2*i] = c.ids[i], c.ids[i]
		}
		got, _ := decode(t, slices.Concat(file[:2], c.before, file[2:]))
		off := 0.0
		for i, v := range got {
			if c.isRGB {
				off = max(off, math.Abs(planes[i/81][i%81]-float64(v)))
			}
		}
		if !c.isRGB {
			_, off = p.worst(got)
		}
		if off > 3 {
			t.Errorf("%s: off by %.1f of what it is as RGB: %t", c.name, off, c.isRGB)
		}
	}
}

// TestMemoryOfGray asks for as much memory for an image of one component, whatever its sampling factors say.
func TestMemoryOfGray(t *testing.T) {
	data := newPicture(9, 9, [][2]int{{1, 1}}, 1).encode()
	at := bytes.Index(data, []byte{1, 1, 0x11, 0}) + 2 // in the frame: one component, number 1
	for _, factors := range []byte{0x11, 0x21, 0x14, 0x44} {
		data[at] = factors
		if _, err := Decode(data, func(width, height int, memory int64) error {
			if width != 9 || height != 9 || memory != 4*64 {
				t.Errorf("factors %#x: %d×%d pixels in %d bytes, want those of 4 blocks", factors, width, height, memory)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestTruncated cuts files short at every length, and puts the end of an image behind what is left: no part of them is an image.
func TestTruncated(t *testing.T) {
	for name, whole := range map[string][]byte{"with restarts": withRestarts(), "4:2:0": readFile(t, "420.jpg"), "progressive": readFile(t, "420-progressive.jpg")} {
		for n := range len(whole) - 2 {
			for _, end := range []string{"", "\xff\xd9"} {
				if end != "" && name == "progressive" {
					continue // some scans are an image, too
				}
				if _, err := Decode(append(slices.Clone(whole[:n]), end...), upTo(1<<20)); err == nil {
					t.Fatalf("%s: the first %d of %d bytes, and %q, are an image", name, n, len(whole), end)
				}
			}
		}
	}
}

// manyScans repeats the first scan of a file, which is followed by a table.
func manyScans(file []byte) []byte {
	first := bytes.Index(file, []byte{0xff, startOfScan})
	end := first + bytes.Index(file[first:], []byte{0xff, huffmanTables})
	return slices.Concat(file[:end], bytes.Repeat(file[first:end], 1000), file[end:])
}

// TestDamaged changes files at random: an error or other pixels may come of it, but no panic.
func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	files := map[string][]byte{"with restarts": withRestarts()}
	for _, name := range []string{"420-progressive.jpg", "gray-progressive.jpg", "ycck.jpg"} {
		files[name] = readFile(t, name)
	}
	for _, whole := range files {
		for range 3000 {
			data := slices.Clone(whole)
			for range 1 + r.IntN(4) {
				data[r.IntN(len(data))] = byte(r.IntN(256))
			}
			attempt(data[:r.IntN(len(data)/8)+len(data)*7/8])
		}
	}
}

// upTo allows images of so many pixels.
func upTo(pixels int) func(width, height int, memory int64) error {
	return func(width, height int, memory int64) error {
		if width*height > pixels {
			return fmt.Errorf("%d×%d", width, height)
		}
		return nil
	}
}

func attempt(data []byte) {
	m, err := Decode(data, upTo(1<<16))
	if err != nil {
		return
	}
	width, height := m.Size()
	planes := make([]uint8, 3*width*height)
	n := width * height
	m.RGB(planes[:n], planes[n:2*n], planes[2*n:], image.Rect(0, 0, width, height))
}

func FuzzDecode(f *testing.F) {
	f.Add(withRestarts())
	for _, name := range []string{"420.jpg", "420-progressive.jpg", "gray.jpg", "ycck.jpg"} {
		f.Add(readFile(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) { attempt(data) })
}
