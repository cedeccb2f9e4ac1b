package quant

import (
	"math"
	"sort"
)

// Bin is one bar of a histogram.
type Bin struct {
	Centre, Width float64
	Count         uint64
}

// Histogram is the distribution of a tensor over all samples, by rising
// centre. Min and Max are exact; exact zeros are a bin of width 0.
type Histogram struct {
	Min, Max float64
	Bins     []Bin

	response     func(float64) float64 // through which errors count; nil: the identity
	value, slope []float64             // of the response at the centres

	below, above float64 // weights of errors beyond the ends of the range
	total        uint64
}

// newHistogram sorts the bins and drops empty ones.
func newHistogram(lo, hi float64, bins []Bin) *Histogram {
	h := &Histogram{Min: lo, Max: hi, below: 1, above: 1}
	for _, b := range bins {
		if b.Count > 0 {
			b.Centre = min(max(b.Centre, lo), hi) // the last bin reaches beyond the extreme
			h.Bins = append(h.Bins, b)
			h.total += b.Count
		}
	}
	sort.SliceStable(h.Bins, func(i, j int) bool { return h.Bins[i].Centre < h.Bins[j].Centre })
	return h
}

// Quantile is the value below which the share p of all elements lies, at the
// resolution of the bins and never outside [Min, Max].
func (h *Histogram) Quantile(p float64) float64 {
	need := p * float64(h.total)
	var seen float64
	for _, b := range h.Bins {
		seen += float64(b.Count)
		if seen >= need {
			return min(max(b.Centre+b.Width/2, h.Min), h.Max)
		}
	}
	return h.Max
}

// Clipped is the share of elements outside [lo, hi], counted by whole bins.
func (h *Histogram) Clipped(lo, hi float64) float64 {
	var n uint64
	for _, b := range h.Bins {
		if b.Centre < lo || b.Centre > hi {
			n += b.Count
		}
	}
	return float64(n) / float64(max(h.total, 1))
}

// squaredError is the expected sum of squared differences between the tensor
// and its quantized form under p. Where a bin is narrow against the step, the
// error at its centre is exact enough; a wide bin is taken as uniform, with the
// mean error of rounding, step^2/12. What is saturated counts with its distance.
func (h *Histogram) squaredError(p Params) float64 {
	if p.Elem.IsFloat8() {
		return h.float8Error(p)
	}
	if h.response != nil {
		return h.responseError(p)
	}
	lo32, hi32 := p.Bounds()
	lo, hi, s := float64(lo32), float64(hi32), float64(p.Scale[0])
	uniform := s * s / 12
	var sum float64
	for _, b := range h.Bins {
		var r float64
		switch c := b.Centre; {
		case c < lo:
			r = h.below * (lo - c) * (lo - c)
		case c > hi:
			r = h.above * (c - hi) * (c - hi)
		case b.Width >= s/2:
			r = uniform
		default:
			d := c - s*math.RoundToEven(c/s)
			r = d * d
		}
		sum += float64(b.Count) * r
	}
	return sum
}

// respond makes errors count as they pass f: its value and slope are tabulated at the centres.
func (h *Histogram) respond(f func(float64) float64) {
	h.response = f
	h.value, h.slope = make([]float64, len(h.Bins)), make([]float64, len(h.Bins))
	for i, b := range h.Bins {
		d := max(b.Width, 1e-6)
		h.value[i] = f(b.Centre)
		h.slope[i] = (f(b.Centre+d) - f(b.Centre-d)) / (2 * d)
	}
}

// responseError is squaredError behind the response: of every code the
// response is computed once.
func (h *Histogram) responseError(p Params) float64 {
	first, last := codes(p.Elem)
	var table [256]float64
	s, zero := float64(p.Scale[0]), float64(p.Zero[0])
	for q := first; q <= last; q++ {
		table[q-first] = h.response((float64(q) - zero) * s)
	}
	lo, hi := float64(first)-zero, float64(last)-zero
	uniform := s * s / 12
	var sum float64
	for i, b := range h.Bins {
		q := math.RoundToEven(b.Centre / s)
		d := table[int(min(max(q, lo), hi)-lo)] - h.value[i]
		r := d * d
		if b.Width >= s/2 && q >= lo && q <= hi {
			r = h.slope[i] * h.slope[i] * uniform
		}
		sum += float64(b.Count) * r
	}
	return sum
}

// sqnr is the signal to quantization noise ratio in dB under p.
func (h *Histogram) sqnr(p Params) float64 {
	var signal float64
	for i, b := range h.Bins {
		y := b.Centre
		if h.response != nil {
			y = h.value[i]
		}
		signal += float64(b.Count) * y * y
	}
	return 10 * math.Log10(signal/h.squaredError(p))
}
