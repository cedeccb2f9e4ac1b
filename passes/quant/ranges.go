package quant

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// Range is the interval of a tensor that the 8-bit codes are spread over.
type Range struct{ Lo, Hi float64 }

// Bounds are limits that the graph implies, such as 0 for the output of a Relu. Infinite where there is none.
type Bounds struct{ Lo, Hi float64 }

// unbounded implies nothing.
var unbounded = Bounds{math.Inf(-1), math.Inf(1)}

// limit is the observed interval within the implied bounds.
func (b Bounds) limit(lo, hi float64) (float64, float64) {
	return min(max(lo, b.Lo), max(b.Hi, b.Lo)), max(min(hi, b.Hi), b.Lo)
}

// coding is how a tensor will be coded; it makes parameters from a range.
type coding int

const (
	codeSymmetric  coding = iota // int8, zero point 0
	codeCentred                  // uint8, zero point 128
	codeUnsigned                 // uint8, zero point 0
	codeAsymmetric               // uint8, any zero point
	codeInt8Any                  // int8, any zero point
	codeE4M3                     // float8e4m3fn
	codeE5M2                     // float8e5m2
)

// params makes the parameters of the coding for [lo, hi].
func (c coding) params(lo, hi float64) Params {
	switch c {
	case codeSymmetric:
		return symmetric(lo, hi)
	case codeCentred:
		return centred(lo, hi)
	case codeUnsigned:
		return unsigned(hi)
	case codeInt8Any:
		return asymmetric(onnx.Int8, lo, hi)
	case codeE4M3:
		return float8Params(onnx.Float8E4M3FN, lo, hi)
	case codeE5M2:
		return float8Params(onnx.Float8E5M2, lo, hi)
	}
	return asymmetric(onnx.Uint8, lo, hi)
}

// twoSided says whether both ends of the range can move independently.
func (c coding) twoSided() bool { return c == codeAsymmetric || c == codeInt8Any }

// grid is the number of shrink factors tried for each end of a range: 1.00, 0.98, ... 0.02.
const grid = 50

// golden is the ratio by which golden-section search shrinks its interval.
const golden = 0.6180339887498949

// searchMSE chooses the range with the least squared error on the histogram:
// a coarse grid of shrink factors per end, by coordinate descent where the
// ends are independent, then golden-section refinement. Of equal errors the
// wider range wins. No more than maxClip of the elements are cut off.
func searchMSE(h *Histogram, c coding, lo, hi, maxClip float64) (float64, float64) {
	cost := func(tl, th float64) float64 {
		if maxClip < 1 && h.Clipped(tl*lo, th*hi) > maxClip {
			return math.Inf(1)
		}
		return h.squaredError(c.params(tl*lo, th*hi))
	}
	if !c.twoSided() || lo >= 0 || hi <= 0 {
		t := searchFactor(func(t float64) float64 { return cost(t, t) })
		return t * lo, t * hi
	}
	tl, th := 1.0, 1.0
	for range 3 {
		before := [2]float64{tl, th}
		th = searchFactor(func(t float64) float64 { return cost(tl, t) })
		tl = searchFactor(func(t float64) float64 { return cost(t, th) })
		if before == [2]float64{tl, th} {
			break
		}
	}
	return tl * lo, th * hi
}

// searchFactor returns the factor in (0, 1] of least cost.
func searchFactor(cost func(float64) float64) float64 {
	best, least := 1.0, cost(1)
	for i := 1; i < grid; i++ {
		t := 1 - float64(i)/grid
		if c := cost(t); c < least {
			best, least = t, c
		}
	}
	t, c := goldenSection(cost, best-1.0/grid, min(best+1.0/grid, 1))
	if c < least {
		return t
	}
	return best
}

// goldenSection narrows [a, b] around the least cost and returns it with its argument.
func goldenSection(cost func(float64) float64, a, b float64) (float64, float64) {
	x1, x2 := b-golden*(b-a), a+golden*(b-a)
	c1, c2 := cost(x1), cost(x2)
	for range 10 {
		if c1 < c2 {
			b, x2, c2 = x2, x1, c1
			x1 = b - golden*(b-a)
			c1 = cost(x1)
		} else {
			a, x1, c1 = x1, x2, c2
			x2 = a + golden*(b-a)
			c2 = cost(x2)
		}
	}
	if c1 < c2 {
		return x1, c1
	}
	return x2, c2
}

// percentile cuts off the share 1 - p/100 of the elements: all of it above a
// one-sided tensor, half at each end of a two-sided one.
func percentile(h *Histogram, p float64, lo, hi float64) (float64, float64) {
	tail := 1 - p/100
	if lo >= 0 {
		return lo, min(hi, h.Quantile(1-tail))
	}
	if hi <= 0 {
		return max(lo, h.Quantile(tail)), hi
	}
	return max(lo, h.Quantile(tail/2)), min(hi, h.Quantile(1-tail/2))
}
