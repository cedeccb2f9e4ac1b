package quant

import (
	"math"
	"math/rand/v2"
	"testing"
)

// dyadic bins samples as the observers do: width 2^e, zeros apart.
func dyadic(xs []float64, width float64) *Histogram {
	lo, hi := math.Inf(1), math.Inf(-1)
	counts := map[int]uint64{}
	var zeros uint64
	for _, x := range xs {
		lo, hi = min(lo, x), max(hi, x)
		if x == 0 {
			zeros++
			continue
		}
		counts[int(math.Floor(x/width))]++
	}
	bins := []Bin{{Count: zeros}}
	for i, n := range counts {
		bins = append(bins, Bin{Centre: (float64(i) + 0.5) * width, Width: width, Count: n})
	}
	return newHistogram(lo, hi, bins)
}

func meanSquare(xs []float64, p Params) float64 {
	var sum float64
	for _, x := range xs {
		d := float64(p.Round(float32(x))) - x
		sum += d * d
	}
	return sum
}

// heavyTailed draws Student-t like values: normal over the root of a uniform.
func heavyTailed(n int, oneSided bool) []float64 {
	r := rand.New(rand.NewPCG(1, 2))
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = r.NormFloat64() / math.Sqrt(r.Float64()+1e-3)
		if oneSided {
			xs[i] = max(xs[i], 0)
		}
	}
	return xs
}

// The histogram's error estimate must agree with the error on the values themselves.
func TestSquaredErrorMatchesValues(t *testing.T) {
	for _, oneSided := range []bool{false, true} {
		xs := heavyTailed(50000, oneSided)
		h := dyadic(xs, 1.0/64)
		for _, c := range []coding{codeSymmetric, codeCentred, codeAsymmetric, codeUnsigned} {
			if c == codeUnsigned && !oneSided {
				continue
			}
			for _, cut := range []float64{1, 0.5, 0.2} {
				p := c.params(h.Min*cut, h.Max*cut)
				want, got := meanSquare(xs, p), h.squaredError(p)
				if math.Abs(got/want-1) > 0.05 {
					t.Errorf("one-sided %v, coding %d, cut %g: estimate %g, values %g", oneSided, c, cut, got, want)
				}
			}
		}
	}
}

// No range on a fine grid may beat the search by more than three percent (the
// resolution of the histogram), the full range least of all.
func TestSearchMSE(t *testing.T) {
	for _, oneSided := range []bool{false, true} {
		xs := heavyTailed(20000, oneSided)
		h := dyadic(xs, 1.0/64)
		for _, c := range []coding{codeSymmetric, codeAsymmetric, codeUnsigned} {
			if c == codeUnsigned && !oneSided {
				continue
			}
			lo, hi := searchMSE(h, c, h.Min, h.Max, 1)
			found := meanSquare(xs, c.params(lo, hi))
			for f := 0.01; f <= 1; f += 0.01 {
				if other := meanSquare(xs, c.params(h.Min*f, h.Max*f)); other < found*0.97 {
					t.Errorf("one-sided %v, coding %d: factor %g gives %g, search %g", oneSided, c, f, other, found)
				}
			}
		}
	}
}

// One element far out must not take the codes of all others.
func TestSearchCutsOutlier(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	xs := make([]float64, 100000)
	for i := range xs {
		xs[i] = max(r.NormFloat64(), 0)
	}
	xs[17] = 40
	h := dyadic(xs, 1.0/128)
	_, hi := searchMSE(h, codeUnsigned, h.Min, h.Max, 1)
	full, found := meanSquare(xs, unsigned(40)), meanSquare(xs, unsigned(hi))
	if hi > 39 || found > 0.95*full {
		t.Errorf("range to %g, error %g against %g", hi, found, full)
	}
}

// A uniform tensor has nothing to clip.
func TestSearchKeepsUniform(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	xs := make([]float64, 20000)
	for i := range xs {
		xs[i] = r.Float64()*4 - 1
	}
	h := dyadic(xs, 1.0/512)
	lo, hi := searchMSE(h, codeAsymmetric, h.Min, h.Max, 1)
	if lo > 0.97*h.Min || hi < 0.97*h.Max {
		t.Errorf("[%g, %g] became [%g, %g]", h.Min, h.Max, lo, hi)
	}
}

func TestClipCap(t *testing.T) {
	h := dyadic(heavyTailed(50000, true), 1.0/64)
	lo, hi := searchMSE(h, codeUnsigned, h.Min, h.Max, 0.001)
	if c := h.Clipped(lo, hi); c > 0.001 {
		t.Errorf("clipped %g", c)
	}
}

func TestPercentile(t *testing.T) {
	var xs []float64
	for i := 1; i <= 10000; i++ {
		xs = append(xs, float64(i)/10000)
	}
	h := dyadic(xs, 1.0/4096)
	if _, hi := percentile(h, 99, h.Min, h.Max); math.Abs(hi-0.99) > 1e-3 {
		t.Errorf("99th percentile of 0..1 is %g", hi)
	}
	for i := range xs {
		xs[i] = 2*xs[i] - 1
	}
	h = dyadic(xs, 1.0/4096)
	if lo, hi := percentile(h, 99, h.Min, h.Max); math.Abs(lo+0.99) > 2e-3 || math.Abs(hi-0.99) > 2e-3 {
		t.Errorf("two-sided 99th percentile of -1..1 is [%g, %g]", lo, hi)
	}
}

func TestBoundsLimit(t *testing.T) {
	for _, tt := range []struct {
		b              Bounds
		lo, hi, wl, wh float64
	}{
		{Bounds{0, 6}, 0, 7, 0, 6},
		{Bounds{0, math.Inf(1)}, -1, 3, 0, 3},
		{unbounded, -1, 3, -1, 3},
		{Bounds{0, 1}, 0.2, 0.3, 0.2, 0.3},
	} {
		if lo, hi := tt.b.limit(tt.lo, tt.hi); lo != tt.wl || hi != tt.wh {
			t.Errorf("%v.limit(%g, %g) = %g, %g", tt.b, tt.lo, tt.hi, lo, hi)
		}
	}
}
