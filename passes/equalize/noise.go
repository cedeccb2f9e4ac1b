package equalize

import (
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// coding is how the target codes an activation.
type coding int

const (
	symmetric  coding = iota // int8, zero point 0
	unsigned                 // uint8 from 0
	asymmetric               // 256 codes anywhere
)

// codingOf is the coding of a site: unsigned where no channel is negative and the target has it.
func (s *site) codingOf(q target.Quantization) coding {
	if q.ZeroPoint == target.ZeroOnly {
		return symmetric
	}
	for _, lo := range s.stats.lo {
		if lo < 0 {
			return asymmetric
		}
	}
	if q.Unsigned == onnx.Uint8 {
		return unsigned
	}
	return asymmetric
}

// mostClipped is the share of elements that the range search of the quant pass may cut off; symmetric codes have no limit.
const mostClipped = 0.001

// model computes the noise that 8 bits add to the outputs of a site's readers.
type model struct {
	coding   coding
	stats    *channelStats
	pos, neg []moments
	loads    []load
	average  []float64 // mean square of each channel
	spread   []float64 // variance of each channel
	weigh    []float64 // what an error in each channel counts; nil where readers say
}

// load is one reader: what an error in each input channel does to its output,
// and its weights as far as their rounding depends on the factors.
type load struct {
	inputs
	gain    []float64 // of each input channel: sum of its squared weights
	signal  float64   // mean square of the output, summed over channels, of uncorrelated inputs
	peaks   []float32 // largest |w| by output channel and input channel of its group; nil when rounding does not depend on the factors
	average []float64 // mean square of each input channel
}

// rng is the range that the codes are spread over.
type rng struct{ lo, hi float64 }

func (c coding) step(r rng) float64 {
	if c == symmetric {
		return max(r.hi, -r.lo) / 127
	}
	return (r.hi - r.lo) / 255
}

// newModel prepares the sums for a site.
func newModel(s *site, q target.Quantization) *model {
	m := measured(s.stats, s.codingOf(q))
	for _, r := range s.readers {
		if l, ok := newLoad(r, m.average); ok {
			m.loads = append(m.loads, l)
		}
	}
	return m
}

// measured is a model without readers.
func measured(st *channelStats, k coding) *model {
	n := st.channels
	m := &model{coding: k, stats: st, pos: make([]moments, n), neg: make([]moments, n), average: make([]float64, n), spread: make([]float64, n)}
	for c := range n {
		m.pos[c].fill(st.pos[c*bars:(c+1)*bars], st.hi[c])
		m.neg[c].fill(st.neg[c*bars:(c+1)*bars], -st.lo[c])
		count := max(m.pos[c].count[0]+m.neg[c].count[0]+float64(st.zeros[c]), 1)
		m.pos[c].total = count
		m.average[c] = (m.pos[c].square[0] + m.neg[c].square[0]) / count
		mean := (m.pos[c].sum[0] - m.neg[c].sum[0]) / count
		m.spread[c] = max(m.average[c]-mean*mean, 0)
	}
	return m
}

// newLoad reads the weights of a reader.
func newLoad(r *reader, average []float64) (load, bool) {
	w, err := r.node.In(1).Const().Float32s()
	if err != nil {
		return load{}, false
	}
	l := load{inputs: r.layout, gain: make([]float64, r.layout.channels), average: average}
	width := l.channels / l.groups
	if width > 1 {
		l.peaks = make([]float32, l.outputs*width)
	}
	for i, f := range w {
		c := l.channel(i)
		l.gain[c] += float64(f) * float64(f)
		if width > 1 {
			p := &l.peaks[l.output(i)*width+c%width]
			*p = max(*p, max(f, -f))
		}
	}
	for c, g := range l.gain {
		l.signal += g * average[c]
	}
	return l, l.signal > 0
}

// The range search tries ends shrunk by powers of shrink.
const (
	shrink  = 0.93
	shrinks = 40
)

// searchRange chooses the range with the least squared error of the tensor
// divided by r, as the quant pass will: over shrink factors of either end.
func (m *model) searchRange(r []float64) rng {
	var full rng
	for c, f := range r {
		full.lo, full.hi = min(full.lo, m.stats.lo[c]/f), max(full.hi, m.stats.hi[c]/f)
	}
	best := full
	least := m.error(r, full)
	try := func(x rng) {
		if e := m.error(r, x); e < least {
			best, least = x, e
		}
	}
	for i := 1; i < shrinks; i++ {
		t := math.Pow(shrink, float64(i))
		switch m.coding {
		case asymmetric:
			try(rng{best.lo, full.hi * t})
		default:
			try(rng{full.lo * t, full.hi * t})
		}
	}
	if m.coding == asymmetric {
		hi := best.hi
		for i := 1; i < shrinks; i++ {
			try(rng{full.lo * math.Pow(shrink, float64(i)), hi})
		}
	}
	return best
}

// error is the mean squared error of the tensor divided by r, all channels alike; infinite where too much is cut off.
func (m *model) error(r []float64, x rng) float64 {
	var sum, cut, all float64
	for c := range r {
		e, n := m.channelError(c, r[c], x)
		sum += e / (r[c] * r[c])
		cut, all = cut+n, all+m.pos[c].total
	}
	if m.coding != symmetric && cut > mostClipped*all {
		return math.Inf(1)
	}
	return sum / all
}

// channelError is the sum of squared errors in channel c of the tensor itself,
// when it is divided by f and coded in the range x, and how many elements are cut off.
func (m *model) channelError(c int, f float64, x rng) (float64, float64) {
	lo, hi, s := -x.lo*f, x.hi*f, m.coding.step(x)*f
	if m.coding == symmetric {
		lo = max(lo, hi)
		hi = lo
	}
	above, a := m.pos[c].clipped(hi)
	below, b := m.neg[c].clipped(lo)
	return above + below + m.pos[c].rounded(s, hi) + m.neg[c].rounded(s, lo), a + b
}

// noise is the ratio of noise to signal at the outputs of the readers, summed
// over readers, when the tensor is divided by r and the weights multiplied:
//
//	sum_c g_c e_c + sum_o q_o^2/12 * taps * sum_c E[x_c^2]/r_c^2,  q_o = max_c r_c |w_oc| / 127,
//
// with g_c the energy of the weights that read channel c and e_c the mean
// squared error of the channel.
func (m *model) noise(r []float64) float64 {
	x := m.searchRange(r)
	e := make([]float64, len(r))
	for c := range r {
		sum, _ := m.channelError(c, r[c], x)
		e[c] = sum / m.pos[c].total
	}
	var total float64
	for c, w := range m.weigh {
		total += w * e[c]
	}
	for _, l := range m.loads {
		if l.peaks == nil {
			total += m.separate(e)
			continue
		}
		n := l.weightNoise(r)
		for c, g := range l.gain {
			n += g * e[c]
		}
		total += n / l.signal
	}
	return total
}

// weightNoise is what rounding the weights adds to the output.
func (l *load) weightNoise(r []float64) float64 {
	if l.peaks == nil {
		return 0
	}
	width := l.channels / l.groups
	energy := make([]float64, l.groups)
	for c, a := range l.average {
		energy[c/width] += a / (r[c] * r[c])
	}
	var sum float64
	for o := range l.outputs {
		g := o / (l.outputs / l.groups)
		var q float64
		for i, p := range l.peaks[o*width : (o+1)*width] {
			q = max(q, r[g*width+i]*float64(p))
		}
		q /= 127
		sum += q * q / 12 * float64(l.taps) * energy[g]
	}
	return sum
}

// separate is the mean over channels of noise to what varies of the signal:
// readers that keep channels apart, as a depthwise convolution does, may scale each of
// them back up, so all count alike but for those that are nearly dead. A mean carries
// nothing, and tells nothing about the channel.
func (m *model) separate(e []float64) float64 {
	var sum float64
	most := slices.Max(m.spread)
	for c := range e {
		sum += e[c] / (m.spread[c] + nearlyDead*most)
	}
	return sum / float64(len(e))
}

// nearlyDead is the energy, against that of the strongest channel, that varies, below which a channel counts less.
const nearlyDead = 1e-4
