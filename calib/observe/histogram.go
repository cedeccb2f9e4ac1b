package observe

import "math"

// Bins is the number of histogram bins for each sign.
const Bins = 2048

// MinExp is the exponent a histogram starts with: bins as narrow as the
// smallest normal float32.
const MinExp = -126

// Histogram counts finite values in bins of width 2^Exp anchored at 0: bin k
// of Pos counts k*w <= x < (k+1)*w for x > 0, bin k of Neg the same of -x.
// Zeros are not in it. Exp is the smallest exponent (at least MinExp) for
// which Bins bins hold the largest magnitude seen, so it depends on nothing
// else, and merging does not depend on the order. It holds at most 32 KiB.
type Histogram struct {
	Exp      int
	Pos, Neg []uint64 // nil, or Bins counts
}

// NewHistogram is an empty histogram.
func NewHistogram() *Histogram { return &Histogram{Exp: MinExp} }

// Width is the width of a bin.
func (h *Histogram) Width() float64 { return math.Ldexp(1, h.Exp) }

// Total is the sum of all counts.
func (h *Histogram) Total() (n uint64) {
	for _, b := range [][]uint64{h.Pos, h.Neg} {
		for _, c := range b {
			n += c
		}
	}
	return n
}

// exponent is the smallest e >= MinExp with limit < Bins * 2^e.
func exponent(limit float32) int {
	_, p := math.Frexp(float64(limit)) // limit < 2^p
	return max(MinExp, p-11)
}

// Cover widens the bins so that magnitudes up to limit (finite) have one.
func (h *Histogram) Cover(limit float32) {
	if limit > 0 {
		h.widen(exponent(limit))
	}
}

// widen adds up bins until the width is 2^e.
func (h *Histogram) widen(e int) {
	if e <= h.Exp {
		return
	}
	shift := uint(min(e-h.Exp, 63))
	for _, bins := range [][]uint64{h.Pos, h.Neg} {
		for k, c := range bins {
			if to := k >> shift; to != k {
				bins[to] += c
				bins[k] = 0
			}
		}
	}
	h.Exp = e
}

// Merge adds the counts of o, which stays as it is.
func (h *Histogram) Merge(o *Histogram) {
	h.widen(o.Exp)
	shift := uint(min(h.Exp-o.Exp, 63))
	h.Pos = mergeBins(h.Pos, o.Pos, shift)
	h.Neg = mergeBins(h.Neg, o.Neg, shift)
}

func mergeBins(to, from []uint64, shift uint) []uint64 {
	if from != nil && to == nil {
		to = make([]uint64, Bins)
	}
	for k, c := range from {
		to[k>>shift] += c
	}
	return to
}

// Counter is the scratch memory that Histogram.Add counts in; one for each goroutine.
type Counter struct {
	even, odd [2 * Bins]uint32
}

// Add counts every stride-th element of x, weight times each. m must be the
// moments of the whole of x: the bins are widened to hold its extremes, which
// makes the final width independent of the stride.
func (h *Histogram) Add(x []float32, m Moments, stride int, weight uint64, c *Counter) {
	if m.Finite() == m.Zeros {
		return
	}
	h.Cover(max(m.Max, -m.Min))
	scale := float32(math.Ldexp(1, -h.Exp))
	for len(x) > 0 {
		n := min(len(x), chunk*stride)
		if m.NaN+m.Inf == 0 {
			c.count(x[:n], stride, scale)
		} else {
			c.countFinite(x[:n], stride, scale)
		}
		h.take(c, weight)
		x = x[n:]
	}
}

// count files x under floor(|x| * scale), offset by Bins for negative numbers.
// scale is a power of two, so the product is exact or, below 1, truncated to 0
// all the same. Two tables take turns, because increments of one counter wait
// for each other. Zeros land in the first positive bin and are taken out again.
func (c *Counter) count(x []float32, stride int, scale float32) {
	var zeros uint32
	i := 0
	for ; i+stride < len(x); i += 2 * stride {
		a, b := x[i]+0, x[i+stride]+0 // -0 becomes +0
		c.even[slot(a, scale)]++
		c.odd[slot(b, scale)]++
		zeros += isZero(a) + isZero(b)
	}
	if i < len(x) {
		c.even[slot(x[i]+0, scale)]++
		zeros += isZero(x[i])
	}
	c.even[0] -= zeros // may wrap; the sum with odd[0] does not
}

// countFinite is count for data with NaN or infinities, which it leaves out.
func (c *Counter) countFinite(x []float32, stride int, scale float32) {
	for i := 0; i < len(x); i += stride {
		if v := x[i]; v != 0 && v-v == 0 {
			c.even[slot(v, scale)]++
		}
	}
}

func slot(v, scale float32) uint32 {
	bits := math.Float32bits(v)
	k := uint32(int32(math.Float32frombits(bits&^(1<<31)) * scale))
	return (k | bits>>31<<11) & (2*Bins - 1)
}

// isZero is 1 for +0 and -0, else 0, without a branch.
func isZero(v float32) uint32 {
	return (math.Float32bits(v)&^(1<<31) - 1) >> 31
}

// take moves the counts of c into the bins.
func (h *Histogram) take(c *Counter, weight uint64) {
	h.Pos = takeSide(h.Pos, c.even[:Bins], c.odd[:Bins], weight)
	h.Neg = takeSide(h.Neg, c.even[Bins:], c.odd[Bins:], weight)
}

func takeSide(bins []uint64, even, odd []uint32, weight uint64) []uint64 {
	for k := range even {
		n := even[k] + odd[k]
		if n == 0 {
			continue
		}
		if bins == nil {
			bins = make([]uint64, Bins)
		}
		bins[k] += uint64(n) * weight
	}
	clear(even)
	clear(odd)
	return bins
}

// Sample is the number of elements up to which Stride is 1.
const Sample = 1 << 14

// Stride is the distance of the elements to count of an array of the given
// dimensions, so that about Sample of them are counted: 1 up to Sample
// elements, and coprime to every dimension, so that each position along each
// axis is visited alike.
func Stride(dims []int64) int {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	k := (n + Sample - 1) / Sample
	for k > 1 && !coprime(k, dims) {
		k++
	}
	return int(max(k, 1))
}

func coprime(k int64, dims []int64) bool {
	for _, d := range dims {
		for a, b := k, d; ; a, b = b, a%b {
			if b == 0 {
				if a != 1 {
					return false
				}
				break
			}
		}
	}
	return true
}
