package filterbank

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestBanksGolden pins every bank to the bit, since a seed stands for the same filters on every platform and for ever.
func TestBanksGolden(t *testing.T) {
	want := map[string]string{
		"kaiming-uniform": "1008db1afb073a17",
		"kaiming-normal":  "f25ccff15c19ee92",
		"orthogonal":      "bce99c57937ae600",
	}
	spec := Spec{Seed: 3, Stream: "layer2.0.conv1", Filters: 96, Shape: []int{8, 3, 3}, Groups: 2}
	for _, name := range Names() {
		bank, err := Generate(name, spec)
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := binary.Append(nil, binary.LittleEndian, bank)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(bytes))[:16]; got != want[name] {
			t.Errorf("%s: hash is %s, want %s", name, got, want[name])
		}
	}
}

func TestBanksAreDescribed(t *testing.T) {
	if Names()[0] != Default {
		t.Errorf("first bank is %s, want %s", Names()[0], Default)
	}
	seen := map[string]bool{}
	for _, b := range Banks() {
		if b.Name == "" || b.Doc == "" || b.draw == nil || seen[b.Name] {
			t.Errorf("bank %+v is incomplete or not the first of its name", b)
		}
		seen[b.Name] = true
	}
}

// TestKaimingUniform compares with the definition: bounds, and the two separate float32 roundings of the ONNX form.
func TestKaimingUniform(t *testing.T) {
	spec := Spec{Seed: 1, Stream: "c", Filters: 64, Shape: []int{16, 3, 3}, Groups: 1}
	bank, err := Generate(Default, spec)
	if err != nil {
		t.Fatal(err)
	}
	if a := spec.UniformBound(); a != float32(1/12.) {
		t.Fatalf("bound is %v, want 1/12", a)
	}
	s := NewStream(1, "c")
	lowest, highest := bank[0], bank[0]
	for i, v := range bank {
		product := float32(s.Uniform(uint32(i)) * float32(1/6.))
		if want := product - float32(1/12.); v != want {
			t.Fatalf("weight %d is %v, want %v", i, v, want)
		}
		lowest, highest = min(lowest, v), max(highest, v)
	}
	if lowest < -1/12. || lowest > -0.083 || highest > 1/12. || highest < 0.083 {
		t.Errorf("weights lie in [%v, %v], want them to fill ±1/12", lowest, highest)
	}
}

// TestLargestBank draws from a bank of exactly as many weights as a random stream has, and refuses one of more.
func TestLargestBank(t *testing.T) {
	for filters, sound := range map[int]bool{1 << 12: true, 1<<12 + 1: false} {
		for _, err := range Pieces(Default, Spec{Filters: filters, Shape: []int{1 << 20}, Groups: 1}) {
			if (err == nil) != sound {
				t.Errorf("%d filters: %v", filters, err)
			}
			break
		}
	}
}

func TestKaimingNormal(t *testing.T) {
	const n = 256 * 32 * 9
	bank, err := Generate("kaiming-normal", Spec{Filters: 256, Shape: []int{32, 3, 3}, Groups: 4})
	if err != nil {
		t.Fatal(err)
	}
	sum, squares, distinct := 0.0, 0.0, map[float32]bool{}
	for _, v := range bank {
		sum += float64(v)
		squares += float64(v) * float64(v)
		distinct[v] = true
	}
	deviation := math.Sqrt(2 / (32 * 9.))
	if z := sum / deviation / math.Sqrt(n); math.Abs(z) > 4 {
		t.Errorf("mean is %.2f standard deviations off", z)
	}
	if z := (squares/deviation/deviation - n) / math.Sqrt(2*n); math.Abs(z) > 4 {
		t.Errorf("variance is %.2f standard deviations off", z)
	}
	if len(distinct) < n*999/1000 {
		t.Errorf("%d of %d weights differ", len(distinct), n)
	}
}

// TestOrthogonal checks each group's Gram matrix, and that the filters come from the draw as Gram-Schmidt's do: the last
// vector has a positive product with its own draw, and the first is its draw, normalized.
func TestOrthogonal(t *testing.T) {
	for _, spec := range []Spec{
		{Filters: 1, Shape: []int{1}, Groups: 1},
		{Filters: 40, Shape: []int{7, 3, 3}, Groups: 1},
		{Filters: 63, Shape: []int{7, 3, 3}, Groups: 1},
		{Filters: 150, Shape: []int{5, 3, 3}, Groups: 1},
		{Filters: 24, Shape: []int{1, 3, 3}, Groups: 4},
		{Filters: 48, Shape: []int{1, 3, 3}, Groups: 4},
	} {
		bank, err := Generate("orthogonal", spec)
		if err != nil {
			t.Fatal(err)
		}
		random, rows, columns := NewStream(0, ""), spec.Filters/spec.Groups, spec.fanIn()
		for g := range spec.Groups {
			vectors := normalVectors(random, g*rows*columns, rows, columns)
			element := func(v, k int) float64 { // element k of vector v: a row, or a column if there are more rows
				if rows > columns {
					v, k = k, v
				}
				return float64(bank[(g*rows+v)*columns+k])
			}
			for v := range vectors {
				for w := range vectors {
					product, own := 0.0, 0.0
					for k := range vectors[v] {
						product += element(v, k) * element(w, k)
						own += element(v, k) * vectors[w][k]
					}
					if want := map[bool]float64{true: 1}[v == w]; math.Abs(product-want) > 1e-6 {
						t.Fatalf("%+v: product of vectors %d and %d is %g", spec, v, w, product)
					}
					// R = Qᵀ·A is upper triangular with a positive diagonal.
					if v == w && own <= 0 || v > w && math.Abs(own) > 1e-5 {
						t.Fatalf("%+v: R has %g at (%d, %d)", spec, own, v, w)
					}
				}
			}
		}
	}
}

// TestNormalQuantile compares with math.Erfinv, whose last bits differ between platforms.
func TestNormalQuantile(t *testing.T) {
	for i := range 1 << 16 {
		q := (float64(i) + 0.5 - 1<<15) / (1 << 16)
		for _, q := range []float64{q, math.Copysign(0.5-math.Abs(q)*0x1p-16-0x1p-33, q)} {
			if got, want := normalQuantile(q), math.Sqrt2*math.Erfinv(2*q); math.Abs(got-want) > 4e-15*math.Abs(want) {
				t.Fatalf("quantile at 1/2%+g is %.17g, want %.17g", q, got, want)
			}
		}
	}
	if got := normalQuantile(0.5 - 0x1p-33); math.Abs(got-6.338) > 0.001 {
		t.Errorf("largest draw is %v", got)
	}
}

func TestGenerateBadInput(t *testing.T) {
	good := Spec{Stream: "conv1", Filters: 4, Shape: []int{2, 3, 3}, Groups: 2}
	for _, c := range []struct {
		bank   string
		change func(*Spec)
		want   []string
	}{
		{"gauss", func(*Spec) {}, []string{`"conv1"`, `no bank is named "gauss"`, "kaiming-uniform, kaiming-normal, orthogonal"}},
		{Default, func(s *Spec) { s.Filters = 0 }, []string{`"conv1"`, "number of filters is 0"}},
		{Default, func(s *Spec) { s.Filters = 5 }, []string{"5 filters do not divide into 2 groups"}},
		{Default, func(s *Spec) { s.Groups = 0 }, []string{"number of groups is 0"}},
		{Default, func(s *Spec) { s.Shape = nil; s.Groups = -1 }, []string{"shape is empty", "number of groups is -1"}},
		{"orthogonal", func(s *Spec) { s.Shape = []int{2, -3, 3} }, []string{"[2 -3 3] has the dimension -3"}},
		{Default, func(s *Spec) { s.Shape = []int{1 << 30, 1 << 30} }, []string{"more than the 4294967296"}},
	} {
		spec := good
		c.change(&spec)
		bank, err := Generate(c.bank, spec)
		if err == nil || bank != nil {
			t.Errorf("%s of %+v: %d weights and no error", c.bank, spec, len(bank))
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error is %q, want %q in it", err, want)
			}
		}
	}
}

// TestBanksAreNested guards what the choice of expansions relies on: with one group, and no more filters than weights, a
// bank begins with the filters of every smaller one.
func TestBanksAreNested(t *testing.T) {
	for _, name := range Names() {
		for _, filters := range []int{1, 7, 17, 40} {
			small, err := Generate(name, Spec{Seed: 3, Stream: "s", Filters: filters, Shape: []int{5, 3, 3}, Groups: 1})
			if err != nil {
				t.Fatal(err)
			}
			large, err := Generate(name, Spec{Seed: 3, Stream: "s", Filters: 45, Shape: []int{5, 3, 3}, Groups: 1})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(small, large[:len(small)]) {
				t.Errorf("%s: %d filters are not the first of 45", name, filters)
			}
		}
	}
}

// TestPieces draws banks that make one piece, several, and a part of one at the end: together they are what Generate
// returns.
func TestPieces(t *testing.T) {
	for _, name := range Names() {
		for _, filters := range []int{1, pieceSize / 1024, pieceSize/1024 + 1, pieceSize/512 + 1} {
			spec := Spec{Seed: 3, Stream: "s", Filters: filters, Shape: []int{64, 4, 4}, Groups: 1}
			want, err := Generate(name, spec)
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			for piece, err := range Pieces(name, spec) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, piece...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: the pieces of %d filters are not the bank", name, filters)
			}
		}
	}
	for piece, err := range Pieces("gauss", Spec{}) {
		if piece != nil || err == nil {
			t.Errorf("a bank that does not exist: got %d numbers, error %v", len(piece), err)
		}
	}
}

// BenchmarkGenerate draws the bank of the largest 3×3 layer of ResNet-50, whole and in pieces.
func BenchmarkGenerate(b *testing.B) {
	spec := Spec{Filters: 512, Shape: []int{512, 3, 3}, Groups: 1}
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Generate(name, spec); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(4 * int64(spec.Filters*spec.fanIn()))
		})
	}
	b.Run("pieces", func(b *testing.B) {
		for b.Loop() {
			for _, err := range Pieces(Default, spec) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.SetBytes(4 * int64(spec.Filters*spec.fanIn()))
	})
}

// TestRegister adds a bank, which then is made whole and in pieces as the others are, and refuses names that are taken.
func TestRegister(t *testing.T) {
	before := len(Banks())
	defer func() { banks = banks[:before] }()
	err := Register("counting", "numbers from 0 on", func(random Stream, spec Spec, bank []float32) {
		for i := range bank {
			bank[i] = float32(i) + random.Uniform(0)
		}
	})
	if err != nil || len(Banks()) != before+1 || Names()[before] != "counting" {
		t.Fatalf("got %v and %v", err, Names())
	}
	spec := Spec{Seed: 3, Stream: "conv", Filters: 400, Shape: []int{10, 3, 3}, Groups: 1}
	first := NewStream(3, "conv").Uniform(0)
	i := 0
	for piece, err := range Pieces("counting", spec) {
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range piece {
			if v != float32(i)+first {
				t.Fatalf("number %d is %v, want %v", i, v, float32(i)+first)
			}
			i++
		}
	}
	if i != 400*90 {
		t.Errorf("%d numbers, want %d", i, 400*90)
	}
	for _, name := range []string{"", "counting", Default} {
		if err := Register(name, "", nil); err == nil || len(Banks()) != before+1 {
			t.Errorf("%q was registered", name)
		}
	}
}
