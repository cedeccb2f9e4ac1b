package quant

import (
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/observe"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// estimate is the outcome of the range search for one tensor.
type estimate struct {
	params  Params
	seen    Range // observed
	clipped float64
	method  string
	sqnr    float64 // dB on the histogram
}

// joint is what was observed of all tensors that share one scale.
type joint struct {
	histogram        *Histogram
	meanLo, meanHi   float64
	bounds           Bounds
	symmetric, empty bool
}

// merge joins the statistics of the members: the histogram of all, the widest
// mean range, the hull of the bounds.
func merge(members []*tensor, table *calib.Table) joint {
	j := joint{empty: true}
	sum := observe.NewHistogram()
	var zeros uint64
	var lo, hi float64
	members = slices.DeleteFunc(slices.Clone(members), func(t *tensor) bool { return t.repeat })
	for _, t := range members {
		j.symmetric = j.symmetric || t.symmetric
		s := statistics(t.value, table)
		if s == nil || s.Finite() == 0 {
			continue
		}
		b := bounds(t.value)
		if j.empty {
			lo, hi, j.bounds = float64(s.Min), float64(s.Max), b
			j.meanLo, j.meanHi = s.MeanMin(), s.MeanMax()
		}
		lo, hi = min(lo, float64(s.Min)), max(hi, float64(s.Max))
		j.meanLo, j.meanHi = min(j.meanLo, s.MeanMin()), max(j.meanHi, s.MeanMax())
		j.bounds = Bounds{min(j.bounds.Lo, b.Lo), max(j.bounds.Hi, b.Hi)}
		zeros += uint64(s.Zeros)
		sum.Merge(s.Histogram)
		j.empty = false
	}
	j.histogram = newHistogram(lo, hi, bins(sum, zeros))
	if len(members) == 1 {
		if f := response(members[0].value); f != nil {
			j.histogram.respond(f)
		}
	}
	return j
}

// statistics are what was observed of v; those of a constant are its contents.
func statistics(v *graph.Value, table *calib.Table) *calib.Stats {
	c := v.Const()
	if c == nil {
		return table.Stats(v.Name())
	}
	x, err := c.Float32s()
	if err != nil {
		return nil
	}
	m := observe.Scan(x)
	s := &calib.Stats{
		Samples: 1, Filled: 1, Count: m.Count, Zeros: m.Zeros, NaN: m.NaN, Inf: m.Inf, Min: m.Min, Max: m.Max,
		SampleMin: observe.Sum{float64(m.Min)}, SampleMax: observe.Sum{float64(m.Max)}, Histogram: observe.NewHistogram(),
	}
	s.Histogram.Add(x, m, 1, 1, new(observe.Counter))
	return s
}

// bins lists the bars of an observed histogram.
func bins(h *observe.Histogram, zeros uint64) []Bin {
	w := h.Width()
	out := []Bin{{Count: zeros}}
	for i, n := range h.Pos {
		if n > 0 {
			out = append(out, Bin{(float64(i) + 0.5) * w, w, n})
		}
	}
	for i, n := range h.Neg {
		if n > 0 {
			out = append(out, Bin{-(float64(i) + 0.5) * w, w, n})
		}
	}
	return out
}

// code chooses how the tensor is coded: unsigned from zero when it is never
// negative, otherwise as the target has it.
func (j joint) code(q target.Quantization) coding {
	lo, _ := j.bounds.limit(j.histogram.Min, j.histogram.Max)
	switch {
	case q.Signed == onnx.Float8E4M3FN:
		return codeE4M3
	case q.Signed == onnx.Float8E5M2:
		return codeE5M2
	case q.ZeroPoint == target.ZeroOnly:
		return codeSymmetric
	case lo >= 0 && q.Unsigned == onnx.Uint8:
		return codeUnsigned
	case j.symmetric:
		return codeCentred
	case q.Signed == onnx.Int8:
		return codeInt8Any
	}
	return codeAsymmetric
}

// mostClipped is the share of elements that the grid may cut off. A symmetric
// grid wastes half its levels on one-sided tensors; there the least error lies
// at a higher share, and limiting it was measured to lose.
func (c coding) mostClipped(limit float64) float64 {
	if c == codeSymmetric || c == codeE4M3 || c == codeE5M2 {
		return 1
	}
	return limit
}

// estimate chooses the parameters of every tensor.
func (p *planner) estimate(ctx context.Context, table *calib.Table) error {
	members := map[*tensor][]*tensor{}
	for _, t := range p.tensors {
		members[t.root()] = append(members[t.root()], t)
	}
	joints := make([]joint, len(p.tensors))
	each := func(f func(i int, t *tensor)) {
		p.each(len(p.tensors), func(i int) {
			if t := p.tensors[i]; t.root() == t {
				f(i, t)
			}
		})
	}
	each(func(i int, t *tensor) {
		joints[i] = merge(members[t], table)
		t.chosen = joints[i].estimate(p.profile.Quant, p.opt)
	})
	if p.opt.Range != Auto || p.opt.Effort == EffortFast {
		return nil
	}
	gains, err := p.measureGains(ctx, members, joints)
	if err != nil {
		return err
	}
	each(func(i int, t *tensor) {
		if g := gains[t]; g != nil {
			t.chosen = joints[i].judge(p.profile.Quant, p.opt, t.chosen, g)
		}
	})
	return nil
}

// clearly is the share of the error of the mse range below which another range
// takes its place. Smaller differences are less than what choosing other samples changes.
const clearly = 0.9

// judge weighs the errors beyond the ends of the range as they arrive behind
// the layers, and takes the range of another method when its error is clearly smaller.
func (j joint) judge(q target.Quantization, o Options, mse estimate, g *gain) estimate {
	j.histogram.below, j.histogram.above = g.weight(0), g.weight(1)
	best, least := mse, clearly*j.histogram.squaredError(mse.params)
	for _, m := range []Method{MSE, MinMax, Mean} {
		o.Range = m
		if m == MSE {
			o.MaxClip = 100
		}
		e := j.estimate(q, o)
		e.method = string(Auto) + ", " + e.method
		if err := j.histogram.squaredError(e.params); err < least {
			best, least = e, err
		}
	}
	return best
}

// estimate chooses range and parameters by the method of the options.
func (j joint) estimate(q target.Quantization, o Options) estimate {
	h, c := j.histogram, j.code(q)
	lo, hi := j.bounds.limit(h.Min, h.Max)
	e := estimate{method: string(o.Range), seen: Range{Lo: h.Min, Hi: h.Max}}
	switch o.Range {
	case MSE, Auto:
		lo, hi = searchMSE(h, c, lo, hi, c.mostClipped(o.MaxClip/100))
	case Percentile:
		lo, hi = percentile(h, o.Percentile, lo, hi)
	case Mean:
		lo, hi = j.bounds.limit(j.meanLo, j.meanHi)
	}
	e.params = c.params(lo, hi)
	e.params.within(j.bounds)
	a, b := e.params.Bounds()
	e.clipped = h.Clipped(float64(a), float64(b))
	e.sqnr = h.sqnr(e.params)
	return e
}
