package dtype

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// reference decodes by the definition: (-1)^s * 2^(e-bias) * 1.m, written out
// bit by bit and independent of the code under test.
func reference(code uint32, f format) float64 {
	sign := 1.0
	if code>>(f.exp+f.man)&1 == 1 {
		sign = -1
	}
	e, allOnes := 0, true
	for i := range f.exp {
		bit := int(code >> (f.man + i) & 1)
		e += bit << i
		allOnes = allOnes && bit == 1
	}
	fraction, manOnes := 0.0, true
	for i := range f.man {
		bit := code >> (f.man - 1 - i) & 1
		fraction += float64(bit) * math.Pow(0.5, float64(i+1))
		manOnes = manOnes && bit == 1
	}
	switch {
	case f.specials == ieee && allOnes && fraction == 0:
		return sign * math.Inf(1)
	case f.specials == ieee && allOnes:
		return math.NaN()
	case f.specials == nanOnly && allOnes && manOnes:
		return math.NaN()
	case f.specials == nanMinus && sign < 0 && e == 0 && fraction == 0:
		return math.NaN()
	case e == 0:
		return sign * math.Pow(2, float64(1-f.bias)) * fraction
	default:
		return sign * math.Pow(2, float64(e-f.bias)) * (1 + fraction)
	}
}

// nearest searches all finite codes for the closest value; of two equally
// close ones the even code wins. Beyond half a step above the largest value
// the format overflows.
type nearest struct {
	f      format
	values []float64 // of the codes 0..largest
}

func newNearest(f format) *nearest {
	n := &nearest{f: f}
	for c := range f.largest() + 1 {
		n.values = append(n.values, reference(c, f))
	}
	return n
}

func (n *nearest) encode(x float64, saturate bool) uint32 {
	sign := uint32(0)
	if math.Signbit(x) {
		sign = n.f.signBit()
		x = -x
	}
	last := len(n.values) - 1
	step := n.values[last] - n.values[last-1]
	limit := n.values[last] + step/2
	// The largest code is even in some formats: then half a step still rounds down.
	over := x > limit || x == limit && last&1 == 1
	if n.f.specials == finite || saturate {
		over = false
	}
	if over {
		return n.special(sign)
	}
	i, _ := slices.BinarySearch(n.values, x)
	best := min(i, last)
	if i > 0 && i <= last {
		below, above := x-n.values[i-1], n.values[i]-x
		if below < above || below == above && (i-1)&1 == 0 {
			best = i - 1
		}
	}
	if best == 0 && n.f.specials == nanMinus {
		return 0
	}
	return sign | uint32(best)
}

func (n *nearest) special(sign uint32) uint32 {
	switch n.f.specials {
	case ieee:
		return sign | uint32(len(n.values))
	case nanOnly:
		return sign | (n.f.signBit() - 1)
	default:
		return n.f.signBit()
	}
}

func equal(a, b float64) bool {
	return a == b && math.Signbit(a) == math.Signbit(b) || math.IsNaN(a) && math.IsNaN(b)
}

var formats = map[string]format{
	"float16": half, "e4m3fn": e4m3fn, "e4m3fnuz": e4m3fnuz, "e5m2": e5m2, "e5m2fnuz": e5m2fnuz,
	"e2m1": e2m1, "e2m3": e2m3, "e3m2": e3m2,
}

func TestDecodeEveryCode(t *testing.T) {
	for name, f := range formats {
		for c := range f.signBit() << 1 {
			if got, want := float64(f.decode(c)), reference(c, f); !equal(got, want) {
				t.Fatalf("%s code %#x: got %v, want %v", name, c, got, want)
			}
		}
	}
	for c := range 1 << 16 {
		if got, want := float64(F16ToF32(uint16(c))), reference(uint32(c), half); !equal(got, want) {
			t.Fatalf("half %#04x: got %v, want %v", c, got, want)
		}
	}
}

// probes are the values at which rounding decides: every value of the format,
// the middles between neighbours, and the float32 numbers next to them.
func probes(n *nearest) []float32 {
	var out []float32
	add := func(v float64) {
		x := float32(v)
		for _, p := range []float32{x, math.Nextafter32(x, math.MaxFloat32), math.Nextafter32(x, 0)} {
			out = append(out, p, -p)
		}
	}
	for i, v := range n.values {
		add(v)
		if i > 0 {
			add((v + n.values[i-1]) / 2)
		}
	}
	last := len(n.values) - 1
	step := n.values[last] - n.values[last-1]
	for _, k := range []float64{0.25, 0.5, 0.75, 1, 1.5, 2, 1e6} {
		add(n.values[last] + k*step)
	}
	return append(out, 1e-45, -1e-45, 1e-40, math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)))
}

func TestEncodeAgainstSearch(t *testing.T) {
	for name, f := range formats {
		n := newNearest(f)
		for _, x := range probes(n) {
			for _, saturate := range []bool{false, true} {
				got, want := f.encode(x, saturate), n.encode(float64(x), saturate)
				if got != want {
					t.Fatalf("%s saturate=%v: %v (%#x) became %#x, want %#x", name, saturate, x, math.Float32bits(x), got, want)
				}
			}
		}
	}
}

func TestHalfAgainstSearch(t *testing.T) {
	n := newNearest(half)
	for _, x := range probes(n) {
		if got, want := uint32(F16FromF32(x)), n.encode(float64(x), false); got != want {
			t.Fatalf("%v (%#x) became %#04x, want %#04x", x, math.Float32bits(x), got, want)
		}
	}
	// A stride through all float32 bit patterns, against the general encoder.
	for bits := uint64(0); bits < 1<<32; bits += 4093 {
		x := math.Float32frombits(uint32(bits))
		if x != x {
			continue
		}
		if got, want := uint32(F16FromF32(x)), half.encode(x, false); got != want {
			t.Fatalf("%v (%#x) became %#04x, want %#04x", x, bits, got, want)
		}
	}
}

func TestEveryCodeReturns(t *testing.T) {
	for c := range 1 << 16 {
		h := uint16(c)
		if back := F16FromF32(F16ToF32(h)); back != h && (h&0x7c00 != 0x7c00 || h&0x3ff == 0 || back&0x7e00 != 0x7e00) {
			t.Fatalf("half %#04x came back as %#04x", h, back)
		}
		if back := BF16FromF32(BF16ToF32(h)); back != h && (h&0x7f80 != 0x7f80 || h&0x7f == 0) {
			t.Fatalf("bfloat16 %#04x came back as %#04x", h, back)
		}
	}
	type codec struct {
		dec func(uint8) float32
		enc func(float32, bool) uint8
	}
	for name, k := range map[string]codec{
		"e4m3fn": {E4M3FNToF32, E4M3FNFromF32}, "e4m3fnuz": {E4M3FNUZToF32, E4M3FNUZFromF32},
		"e5m2": {E5M2ToF32, E5M2FromF32}, "e5m2fnuz": {E5M2FNUZToF32, E5M2FNUZFromF32},
	} {
		for c := range 256 {
			v := k.dec(uint8(c))
			back := k.enc(v, false)
			if v != v {
				if b := k.dec(back); b == b {
					t.Errorf("%s: NaN %#02x became %v", name, c, b)
				}
				continue
			}
			if back != uint8(c) {
				t.Errorf("%s: %#02x (%v) came back as %#02x", name, c, v, back)
			}
		}
	}
}

// TestBF16Rounding takes every bfloat16, its middle to the next and the
// numbers around it: nearest by distance, even on a tie.
func TestBF16Rounding(t *testing.T) {
	for c := range uint32(0x7f80) {
		low, high := c<<16, (c+1)<<16
		for _, bits := range []uint32{low, low + 1, low + 0x7fff, low + 0x8000, low + 0x8001, high - 1} {
			want := c
			if d := bits - low; d > 0x8000 || d == 0x8000 && c&1 == 1 {
				want = c + 1
			}
			for _, sign := range []uint32{0, 1} {
				got := BF16FromF32(math.Float32frombits(sign<<31 | bits))
				if uint32(got) != sign<<15|want {
					t.Fatalf("%#08x became %#04x, want %#04x", sign<<31|bits, got, sign<<15|want)
				}
			}
		}
	}
}

func TestNaNStaysNaN(t *testing.T) {
	for _, bits := range []uint32{0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc00000} {
		x := math.Float32frombits(bits)
		for name, v := range map[string]float32{
			"float16": F16ToF32(F16FromF32(x)), "bfloat16": BF16ToF32(BF16FromF32(x)),
			"e4m3fn": E4M3FNToF32(E4M3FNFromF32(x, true)), "e4m3fnuz": E4M3FNUZToF32(E4M3FNUZFromF32(x, true)),
			"e5m2": E5M2ToF32(E5M2FromF32(x, true)), "e5m2fnuz": E5M2FNUZToF32(E5M2FNUZFromF32(x, true)),
		} {
			if v == v {
				t.Errorf("%s: NaN %#x became %v", name, bits, v)
			}
		}
	}
}

// TestKnownValues pins the constants of the formats' specifications.
func TestKnownValues(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want float32
	}{
		{"e4m3fn largest", E4M3FNToF32(0x7e), 448},
		{"e4m3fn smallest", E4M3FNToF32(1), 1.0 / 512},
		{"e5m2 largest", E5M2ToF32(0x7b), 57344},
		{"e5m2 smallest", E5M2ToF32(1), 1.0 / 65536},
		{"e4m3fnuz largest", E4M3FNUZToF32(0x7f), 240},
		{"e5m2fnuz largest", E5M2FNUZToF32(0x7f), 57344},
		{"e2m1 largest", E2M1ToF32(7), 6},
		{"e2m3 largest", E2M3ToF32(31), 7.5},
		{"e3m2 largest", E3M2ToF32(31), 28},
		{"e8m0 one", E8M0ToF32(127), 1},
		{"e8m0 smallest", E8M0ToF32(0), float32(math.Ldexp(1, -127))},
		{"half largest", F16ToF32(0x7bff), 65504},
		{"half smallest", F16ToF32(1), float32(math.Ldexp(1, -24))},
		{"e4m3fn saturated infinity", E4M3FNToF32(E4M3FNFromF32(float32(math.Inf(-1)), true)), -448},
		{"e5m2 saturated infinity", E5M2ToF32(E5M2FromF32(float32(math.Inf(1)), true)), 57344},
		{"e2m1 saturated", E2M1ToF32(E2M1FromF32(-100)), -6},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if v := E8M0ToF32(255); v == v {
		t.Errorf("e8m0 255: got %v, want NaN", v)
	}
}

// TestSlices checks that slice functions agree with the element functions.
func TestSlices(t *testing.T) {
	src := make([]float32, 1001)
	for i := range src {
		src[i] = float32(i-500) * 0.37
	}
	raw := make([]byte, 2*len(src))
	back := make([]float32, len(src))
	EncodeF16(raw, src)
	DecodeF16(back, raw)
	for i, x := range src {
		if h := binary.LittleEndian.Uint16(raw[2*i:]); h != F16FromF32(x) || back[i] != F16ToF32(h) {
			t.Fatalf("float16 element %d", i)
		}
	}
	EncodeBF16(raw, src)
	DecodeBF16(back, raw)
	for i, x := range src {
		if h := binary.LittleEndian.Uint16(raw[2*i:]); h != BF16FromF32(x) || back[i] != BF16ToF32(h) {
			t.Fatalf("bfloat16 element %d", i)
		}
	}
	EncodeE4M3FN(raw, src, true)
	DecodeE4M3FN(back, raw)
	for i, x := range src {
		if raw[i] != E4M3FNFromF32(x, true) || back[i] != E4M3FNToF32(raw[i]) {
			t.Fatalf("e4m3fn element %d", i)
		}
	}
	EncodeE5M2(raw, src, false)
	DecodeE5M2(back, raw)
	for i, x := range src {
		if raw[i] != E5M2FromF32(x, false) || back[i] != E5M2ToF32(raw[i]) {
			t.Fatalf("e5m2 element %d", i)
		}
	}
}

func BenchmarkDecodeF16(b *testing.B) {
	src, dst := make([]byte, 2<<20), make([]float32, 1<<20)
	for i := range src {
		src[i] = byte(i * 7)
	}
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		DecodeF16(dst, src)
	}
}

func BenchmarkEncode(b *testing.B) {
	src, dst := make([]float32, 1<<20), make([]byte, 2<<20)
	for i := range src {
		src[i] = float32(i%2001-1000) * 0.01
	}
	run := func(name string, fn func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(src)))
			for b.Loop() {
				fn()
			}
		})
	}
	run("f16", func() { EncodeF16(dst, src) })
	run("bf16", func() { EncodeBF16(dst, src) })
	run("e4m3fn", func() { EncodeE4M3FN(dst, src, true) })
	run("e5m2", func() { EncodeE5M2(dst, src, true) })
}
