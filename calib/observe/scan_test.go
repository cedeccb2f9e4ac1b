package observe

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// anyFloat draws bit patterns: denormals, both zeros, NaN and infinities included.
func anyFloat(t *rapid.T, label string) float32 {
	switch rapid.IntRange(0, 9).Draw(t, label+" kind") {
	case 0:
		return math.Float32frombits(rapid.Uint32().Draw(t, label))
	case 1:
		return 0
	case 2:
		return float32(math.Copysign(0, -1))
	}
	return rapid.Float32Range(-1e6, 1e6).Draw(t, label)
}

func drawFloats(t *rapid.T, label string) []float32 {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float32 { return anyFloat(t, "x") }), 0, 100).Draw(t, label)
}

func finite(x []float32) (y []float32) {
	for _, v := range x {
		if v-v == 0 {
			y = append(y, v)
		}
	}
	return y
}

func TestScanAgainstPlainLoops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawFloats(t, "x")
		m := Scan(x)
		var want Moments
		lo, hi := math.Inf(1), math.Inf(-1)
		var sum, squares Sum
		for _, v := range x {
			want.Count++
			switch d := float64(v); {
			case d != d:
				want.NaN++
			case math.IsInf(d, 0):
				want.Inf++
			default:
				if d == 0 {
					want.Zeros++
				}
				lo, hi = min(lo, d), max(hi, d)
				sum.Add(d)
				squares.Add(d * d)
			}
		}
		if m.Count != want.Count || m.NaN != want.NaN || m.Inf != want.Inf || m.Zeros != want.Zeros ||
			float64(m.Min) != lo || float64(m.Max) != hi {
			t.Fatalf("Scan(%v) = %+v, want %+v min %v max %v", x, m, want, lo, hi)
		}
		// 100 float64 additions lose at most 100 ulp of the sum of magnitudes.
		if bound := 1e-13 * math.Sqrt(float64(len(x))*squares.Value()); math.Abs(m.Sum-sum.Value()) > bound {
			t.Fatalf("sum %v, want %v", m.Sum, sum.Value())
		}
		if math.Abs(m.Squares-squares.Value()) > 1e-13*squares.Value() {
			t.Fatalf("squares %v, want %v", m.Squares, squares.Value())
		}
	})
}

// The assembly must give the bits of the portable kernel on any data: that makes files equal on all processors.
func FuzzKernel(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := make([]float32, len(b)/4&^7)
		for i := range x {
			x[i] = math.Float32frombits(uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24)
		}
		if len(x) == 0 {
			return
		}
		fast, plain := newLanes(), newLanes()
		kernel(x, &fast)
		scanGo(x, &plain)
		if (fast.bad != [8]uint32{}) != (plain.bad != [8]uint32{}) {
			t.Fatalf("bad lanes %v and %v", fast.bad, plain.bad)
		}
		if fast.bad != [8]uint32{} {
			return // both kernels say that their other results are void
		}
		for j := range 8 {
			if fast.sum[j] != plain.sum[j] || fast.squares[j] != plain.squares[j] || fast.zeros[j] != plain.zeros[j] ||
				fast.min[j] != plain.min[j] || fast.max[j] != plain.max[j] {
				t.Fatalf("lane %d: %+v and %+v", j, fast, plain)
			}
		}
	})
}

func TestSumIsExactAndOrderIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOf(rapid.Float64Range(-1e200, 1e200)).Draw(t, "x")
		y := rapid.Permutation(x).Draw(t, "y")
		cut := rapid.IntRange(0, len(y)).Draw(t, "cut")
		var a, b, c Sum
		for _, v := range x {
			a.Add(v)
		}
		for _, v := range y[:cut] {
			b.Add(v)
		}
		for _, v := range y[cut:] {
			c.Add(v)
		}
		b.Merge(c)
		if a.Value() != b.Value() || !slices.Equal(a.Canonical(), b.Canonical()) || a.Canonical().Value() != a.Value() {
			t.Fatalf("%v and %v", a.Canonical(), b.Canonical())
		}
	})
	s := Sum{}
	for _, v := range []float64{1e100, 1, -1e100, 0x1p-60} {
		s.Add(v)
	}
	if want := 1 + 0x1p-60; s.Value() != want {
		t.Errorf("sum %v, want %v", s.Value(), want)
	}
}
