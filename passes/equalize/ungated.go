package equalize

import (
	"math"
	"slices"
)

// findUngated lists what convolutions write in front of sites that are y * f(y),
// for a target that quantizes the outputs of convolutions: dividing the product
// divides y as well, whose channels have other sizes.
func (e *equalizer) findUngated() {
	if e.opt.Mode != Auto || !e.profile.NeedsOutput("Conv") {
		return
	}
	for _, s := range e.sites {
		f := gateOf(s.value.Def())
		if f == nil {
			continue
		}
		y := onlyComputed(f)
		if d := y.Def(); d != nil && d.Is("Conv") && channelsAt(y, 1) == s.stats.channels {
			e.ungated = append(e.ungated, &site{value: y, axis: 1, stats: newChannelStats(y.Name(), 1, s.stats.channels)})
		}
	}
}

// beforeGates are models of what the target quantizes in front of the gates of the class as well: all must do with one set of factors.
func (e *equalizer) beforeGates(c *class, models []*model) []*model {
	var out []*model
	for _, s := range e.ungated {
		if _, ok := c.values[s.value]; !ok || len(c.gates) == 0 || len(models) == 0 || s.reason != "" || !s.stats.usable() {
			continue
		}
		m := measured(s.stats, s.codingOf(e.profile.Quant))
		m.weigh = m.throughGate(models[0].spread)
		out = append(out, m)
	}
	return out
}

// throughGate is what an error in each channel in front of SiLU does behind it, against what varies there, the mean over channels.
func (m *model) throughGate(spread []float64) []float64 {
	st, most := m.stats, slices.Max(spread)
	out := make([]float64, st.channels)
	for c := range out {
		sum := 0.25 * float64(st.zeros[c])
		for i := range bars {
			if n := st.pos[c*bars+i]; n > 0 {
				sum += float64(n) * slope(middle(i)) * slope(middle(i))
			}
			if n := st.neg[c*bars+i]; n > 0 {
				sum += float64(n) * slope(-middle(i)) * slope(-middle(i))
			}
		}
		out[c] = sum / m.pos[c].total / (spread[c] + nearlyDead*most + math.SmallestNonzeroFloat32) / float64(st.channels)
	}
	return out
}

// slope is that of SiLU.
func slope(x float64) float64 {
	s := 1 / (1 + math.Exp(-x))
	return s * (1 + x*(1-s))
}
