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

	total uint64
}

// newHistogram sorts the bins and drops empty ones.
func newHistogram(lo, hi float64, bins []Bin) *Histogram {
	h := &Histogram{Min: lo, Max: hi}
	for _, b := range bins {
		if b.Count > 0 {
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
	lo32, hi32 := p.Bounds()
	lo, hi, s := float64(lo32), float64(hi32), float64(p.Scale[0])
	uniform := s * s / 12
	var sum float64
	for _, b := range h.Bins {
		var r float64
		switch c := b.Centre; {
		case c < lo:
			r = (lo - c) * (lo - c)
		case c > hi:
			r = (c - hi) * (c - hi)
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

// sqnr is the signal to quantization noise ratio in dB under p.
func (h *Histogram) sqnr(p Params) float64 {
	var signal float64
	for _, b := range h.Bins {
		signal += float64(b.Count) * b.Centre * b.Centre
	}
	return 10 * math.Log10(signal/h.squaredError(p))
}
