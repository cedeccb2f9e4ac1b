package equalize

import (
	"math"
	"slices"
	"sort"
)

// What is tried and what it must gain. Measured on ten networks: see docs/equalize.md.
const (
	// peak is the weight of the largest magnitude in the size of a channel, beside its
	// root mean square: extremes alone leave too coarse a step to heavy-tailed channels.
	peak = 0.2
	// smallest is the least size of a channel against the largest: a channel that the samples hardly exercise keeps codes for more than they show.
	// Channels of SiLU that are never positive, a hundredth of the largest, count as much as others (YOLOX-nano: 17.4 dB with 0.03, 19.8 with 0.003).
	smallest = 0.003
	foldGain = 0.5 // dB that folding must gain before layers that keep channels apart
	// A Mul costs time. It must gain nodeGain dB on a tensor of which 8 bits leave less than nodeSNR dB at the readers, and whose largest channel
	// is uneven times the median one. Of 22 tensors of YOLOX-nano the five that this takes bring all of the gain.
	nodeGain = 2
	nodeSNR  = 24
	uneven   = 2.5
	// Layers that mix channels pay with coarser weights, and what noise is left averages out in them: equalizing pays only for tensors that
	// lose much, as those with outlier channels in transformers.
	mixedGain = 3
	mixedSNR  = 30 // dB at the readers above which such a tensor is left alone
)

var alphas = []float64{0.15, 0.25, 0.5, 0.75, 0.95, 1}

// decide chooses the factors of every class.
func (e *equalizer) decide() {
	for _, c := range e.classes {
		models := make([]*model, len(c.sites))
		for i, s := range c.sites {
			models[i] = newModel(s, e.profile.Quant)
		}
		others := e.beforeGates(c, models)
		if c.why = c.hopeless(e, models, others); c.why != "" {
			continue
		}
		c.choose(models, others...)
		c.accept()
	}
}

// hopeless is why no factors can be worth their cost; empty when some may. It
// looks only at what is there before factors are tried, which takes the time.
func (c *class) hopeless(e *equalizer, models, others []*model) string {
	c.insert, c.before = c.reason != "", 0
	flat := slices.Repeat([]float64{1}, c.channels)
	for _, m := range models {
		c.ratio = max(c.ratio, m.ratio())
		c.before += m.noise(flat)
	}
	for _, m := range others {
		c.before += m.noise(flat)
	}
	c.after = c.before
	switch apart := c.apart(); {
	case !apart && c.snr() > mixedSNR:
		return "the layers that read it mix channels, and lose little"
	case c.insert && !apart:
		return c.reason
	case c.insert && !e.insertable(c.sites[0]):
		return c.reason + ", and a Mul would cost the fusion before it"
	case c.node() && (c.snr() > nodeSNR || c.ratio < uneven):
		return "a Mul would be needed, and gains too little"
	}
	return ""
}

// choose tries factors size^alpha, with the magnitudes of the channels as sizes and
// the steps that suit each of them, and keeps those of the least noise. Others are
// tensors that are divided too.
func (c *class) choose(models []*model, others ...*model) {
	all := append(slices.Clone(models), others...)
	noise := func(r []float64) float64 {
		var sum float64
		for _, m := range all {
			sum += m.noise(r)
		}
		return sum
	}
	shapes := [][]float64{sizes(models, c.channels, (*model).magnitudes)}
	if c.apart() {
		shapes = append(shapes, sizes(models, c.channels, (*model).spans))
		if len(others) > 0 {
			shapes = append(shapes, sizes(all, c.channels, (*model).spans), sizes(others, c.channels, (*model).spans))
		}
	}
	c.before = noise(power(shapes[0], 0))
	c.after = c.before
	for _, size := range shapes {
		for _, alpha := range alphas {
			r := power(size, alpha)
			if n := noise(r); n < c.after {
				c.factors, c.after, c.alpha = r, n, alpha
			}
		}
	}
}

// accept drops factors that gain too little for what they cost, with the reason.
func (c *class) accept() {
	switch gain := c.gain(); {
	case c.factors == nil:
		c.why = "no factors lower the noise"
	case !c.apart() && gain < mixedGain, gain < foldGain:
		c.why = "the gain is too small"
	case c.node() && gain < nodeGain:
		c.why = "a Mul would be needed, and gains too little"
	default:
		return
	}
	c.factors = nil
}

// node says whether dividing the class takes a node of its own.
func (c *class) node() bool { return c.insert || len(c.gates) > 0 }

// snr is the signal to noise ratio at the readers before equalization, in dB.
func (c *class) snr() float64 { return -10 * math.Log10(c.before) }

// gain is by how many dB the factors lower the noise at the readers.
func (c *class) gain() float64 { return 10 * math.Log10(c.before/c.after) }

// apart says whether a reader keeps channels apart.
func (c *class) apart() bool {
	for _, s := range c.sites {
		for _, r := range s.readers {
			if r.apart() {
				return true
			}
		}
	}
	return false
}

// sizes is the size of each channel against the largest one, the geometric mean over the sites.
func sizes(models []*model, channels int, of func(*model) []float64) []float64 {
	out := make([]float64, channels)
	for _, m := range models {
		mine := of(m)
		most := max(slices.Max(mine), math.SmallestNonzeroFloat32)
		for c, s := range mine {
			out[c] += math.Log(max(s/most, smallest))
		}
	}
	for c := range out {
		out[c] = math.Exp(out[c] / float64(len(models)))
	}
	return out
}

// magnitudes of the channels.
func (m *model) magnitudes() []float64 {
	out := make([]float64, m.stats.channels)
	for c := range out {
		out[c] = math.Sqrt(m.average[c]) + peak*m.extreme(c)
	}
	return out
}

// power is size^alpha, at most 1.
func power(size []float64, alpha float64) []float64 {
	r := make([]float64, len(size))
	most := 0.0
	for c, s := range size {
		r[c] = math.Pow(s, alpha)
		most = max(most, r[c])
	}
	for c := range r {
		r[c] /= most
	}
	return r
}

// extreme is the largest magnitude in a channel.
func (m *model) extreme(c int) float64 { return max(m.stats.hi[c], -m.stats.lo[c]) }

// ratio is that of the largest to the median channel.
func (m *model) ratio() float64 {
	x := make([]float64, m.stats.channels)
	for c := range x {
		x[c] = m.extreme(c)
	}
	sort.Float64s(x)
	return x[len(x)-1] / max(x[len(x)/2], math.SmallestNonzeroFloat32)
}

// insertable says whether a Mul may stand before the readers of a site: not
// where the target fuses the quantization into the layer that computes it.
func (e *equalizer) insertable(s *site) bool {
	if e.opt.Mode == Fold || rankOf(s.value) == 0 {
		return false
	}
	n := s.value.Def()
	for i := 0; n != nil && i < 8; i++ {
		switch {
		case e.profile.NeedsOutput(n.Op()):
			return false
		case n.In(0) == nil || !e.profile.Fuses(n.Op()) && !e.profile.Moves(n.Op()):
			return true
		}
		n = n.In(0).Def()
	}
	return true
}
