package equalize

import "math"

// zeros are the zero points that are tried for codes on both sides of zero.
var zeros = []float64{4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 240, 248}

// narrowing steps by powers of shrink: the least span is a quarter of a channel's range.
const narrowings = 20

// spans is the step that suits each channel best when all steps are free and
// the zero point is shared, the largest 1: of every channel the one with the
// least squared error. Readers that keep channels apart want nothing else.
func (m *model) spans() []float64 {
	full := rng{-127, 127}
	switch m.coding {
	case unsigned:
		full = rng{0, 255}
	case asymmetric:
		return m.spansAround()
	}
	steps, _ := m.steps(full)
	return steps
}

// spansAround is spans with the best zero point.
func (m *model) spansAround() []float64 {
	var best []float64
	least := math.Inf(1)
	for _, z := range zeros {
		if steps, e := m.steps(rng{-z, 255 - z}); e < least {
			best, least = steps, e
		}
	}
	return best
}

// steps is the best step of each channel for codes from x.lo to x.hi, the
// largest 1, and the mean over channels of noise to signal with them.
func (m *model) steps(x rng) ([]float64, float64) {
	out, e := make([]float64, m.stats.channels), make([]float64, m.stats.channels)
	most := 0.0
	for c := range out {
		out[c], e[c] = m.bestStep(c, x)
		most = max(most, out[c])
	}
	for c := range out {
		out[c] = max(out[c]/most, math.SmallestNonzeroFloat32)
	}
	return out, m.separate(e)
}

// bestStep is the step of channel c with the least mean squared error, and that error.
func (m *model) bestStep(c int, x rng) (float64, float64) {
	full := m.stats.hi[c] / x.hi
	if x.lo < 0 {
		full = max(full, m.stats.lo[c]/x.lo)
	}
	if !(full > 0) {
		return 0, 0
	}
	best, least := full, math.Inf(1)
	for i := range narrowings {
		s := full * math.Pow(shrink, float64(i))
		if e, _ := m.channelError(c, s, x); e < least {
			best, least = s, e
		}
	}
	return best, least / m.pos[c].total
}
