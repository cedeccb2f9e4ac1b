package quant

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// Instruction sets of x86 CPUs, by what becomes of a sum of two products of 8 bits.
const (
	ISAVNNI = "vnni" // 32-bit sums
	ISAAVX2 = "avx2" // VPMADDUBSW: a sum of two products saturates in 16 bits; the same with AVX-512 without VNNI
)

// codeLimits are the least and the largest code of each input channel, as the
// unsigned bytes that the kernel multiplies; one element serves all channels.
type codeLimits struct{ lo, hi []int32 }

func (l codeLimits) of(channel int) (lo, hi int32) {
	if len(l.lo) == 1 {
		channel = 0
	}
	return l.lo[channel], l.hi[channel]
}

// overflow is, for each output channel, the largest sum of two neighbouring
// products that activations within the limits can give, as a multiple of what
// 16 bits hold. Above 1 the kernels of CPUs without VNNI may saturate.
func overflow(codes []int8, p packing, limits codeLimits) []float64 {
	out, pairs := make([]float64, p.outputs), p.pairs()
	for c := range out {
		for _, pair := range pairs {
			var most, least int32
			for _, k := range pair {
				if k < 0 {
					continue
				}
				w := int32(codes[p.element(c, k)])
				lo, hi := limits.of(p.input(c, k))
				most += max(w*lo, w*hi)
				least += min(w*lo, w*hi)
			}
			out[c] = max(out[c], float64(most)/math.MaxInt16, float64(least)/math.MinInt16)
		}
	}
	return out
}

// limits are the codes of t: of each channel those between its extremes, as far
// as the middle 99.98 % of the whole tensor reach, and the zero point, which padding adds.
func limits(t *tensor, table *calib.Table) codeLimits {
	s, q := statistics(t.value, table), t.root().chosen.params
	if s == nil || s.Finite() == 0 || len(q.Scale) != 1 {
		return codeLimits{[]int32{0}, []int32{255}}
	}
	h := newHistogram(float64(s.Min), float64(s.Max), bins(s.Histogram, uint64(s.Zeros)))
	zero := q.byte(0)
	lo, hi := min(q.byte(h.Quantile(1e-4)), zero), max(q.byte(h.Quantile(1-1e-4)), zero)
	if s.Channels == nil || s.Channels.Varies || s.Channels.Len() == 0 {
		return codeLimits{[]int32{lo}, []int32{hi}}
	}
	var out codeLimits
	for c, n := range s.Channels.Count {
		a, b := zero, zero
		if n > 0 {
			a, b = q.byte(float64(s.Channels.Min[c])), q.byte(float64(s.Channels.Max[c]))
		}
		out.lo, out.hi = append(out.lo, max(min(a, zero), lo)), append(out.hi, min(max(b, zero), hi))
	}
	return out
}

// byte is the code of x as the unsigned byte that kernels multiply: int8 codes are moved up by 128.
func (p Params) byte(x float64) int32 {
	lo, hi := codes(p.Elem)
	q := math.RoundToEven(x/float64(p.Scale[0])) + float64(p.Zero[0])
	q = min(max(q, float64(lo)), float64(hi))
	if p.Elem == onnx.Int8 {
		q += 128
	}
	return int32(q)
}

// saturation is what was found in the weight of one layer.
type saturation struct {
	pack            packing
	limits          codeLimits
	channels, risky int // output channels, and those that can saturate
}

// guardSaturation counts the output channels whose sums of two products can
// leave 16 bits, as they do on x86 CPUs without VNNI, and where the option asks
// for it gives those, and no others, scales that are as much larger as they need.
func (p *planner) guardSaturation(ctx context.Context) error {
	if !p.profile.Quant.PairSums || p.env.Calib == nil {
		return nil
	}
	table, err := p.collect(ctx)
	if err != nil {
		return err
	}
	for _, l := range p.layers {
		if !l.int8() || l.weight == nil || p.weightOf(l) == nil {
			continue
		}
		if pack, ok := packingOf(l.node, l.weight.Const().Dims); ok {
			l.saturation = &saturation{pack: pack, limits: p.inputLimits(l, pack, table)}
		}
	}
	if p.repairs() && !p.env.DryRun && p.opt.ISA != ISAAVX2 {
		return ctx.Err() // what counts are the codes that repair leaves
	}
	if err := p.guardCodes(); err != nil {
		return err
	}
	return ctx.Err()
}

// guardCodes counts and repairs by the codes as they are now. What changes
// codes after guardSaturation calls it again, before they are stored: rounding
// that spreads its error may have made one larger.
func (p *planner) guardCodes() error {
	groups := p.readersOfWeights()
	errs := make([]error, len(groups))
	p.each(len(groups), func(i int) {
		for _, l := range groups[i] {
			if errs[i] == nil {
				errs[i] = p.guard(l)
			}
		}
	})
	return errors.Join(errs...)
}

// readersOfWeights are the guarded layers by the stored weight that they read.
func (p *planner) readersOfWeights() [][]*layer {
	var out [][]*layer
	index := map[weightKey]int{}
	for _, l := range p.layers {
		if l.saturation == nil || !l.int8() {
			continue
		}
		i, ok := index[p.key(l)]
		if !ok {
			i = len(out)
			index[p.key(l)] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], l)
	}
	return out
}

// guard looks at one layer, and repairs its weight where that is asked for.
func (p *planner) guard(l *layer) error {
	w, s := p.weightOf(l), l.saturation
	ratios, err := w.overflow(s.pack, s.limits)
	if err != nil {
		return err
	}
	s.channels = len(ratios)
	if p.opt.ISA != ISAAVX2 {
		s.risky = above(ratios, 1)
		return nil
	}
	if s.risky = max(s.risky, above(ratios, 1)); above(ratios, 1) == 0 {
		return nil
	}
	return w.shrink(s.pack, s.limits)
}

// above is how many numbers exceed the limit.
func above(list []float64, limit float64) (n int) {
	for _, x := range list {
		if x > limit {
			n++
		}
	}
	return n
}

// inputLimits are the limits of what the layer reads, for all channels alike
// where data movement or several tensors lie between a layer and its pair.
func (p *planner) inputLimits(l *layer, pack packing, table *calib.Table) codeLimits {
	sources := p.given[graph.Use{Node: l.node, Index: 0}]
	all := codeLimits{[]int32{255}, []int32{0}}
	for _, t := range sources {
		one := limits(t, table)
		if t.value == l.node.In(0) && len(one.lo) == pack.inputs {
			return one
		}
		all.lo[0], all.hi[0] = min(all.lo[0], slices.Min(one.lo)), max(all.hi[0], slices.Max(one.hi))
	}
	return all
}

// overflow applies the function of this name to the codes as they are stored.
func (w *weight) overflow(p packing, limits codeLimits) ([]float64, error) {
	raw, err := w.tensor().Data.Bytes()
	if err != nil {
		return nil, err
	}
	stored := make([]int8, len(raw))
	for i, b := range raw {
		stored[i] = int8(b)
	}
	return overflow(stored, p, limits), nil
}

// shrink makes the codes of the offending channels smaller by larger scales, as
// little as will do and at most until every code is within 64: 255 * (64 + 64)
// fits 16 bits. Rounding may undo a part, hence the repetition.
func (w *weight) shrink(p packing, limits codeLimits) error {
	most, err := w.most()
	if err != nil {
		return err
	}
	for try := range 8 {
		ratios, err := w.overflow(p, limits)
		if err != nil {
			return err
		}
		need := make([]float64, len(w.scale))
		for c, r := range ratios {
			need[c%len(need)] = max(need[c%len(need)], r)
		}
		if slices.Max(need) <= 1 {
			break
		}
		for i, r := range need {
			if largest := max(w.scale[i], scale(float64(most[i])/64)); r > 1 && try < 6 {
				w.scale[i] = min(float32(float64(w.scale[i])*r), largest)
			} else if r > 1 {
				w.scale[i] = largest
			}
		}
	}
	x, err := w.data.Float32s()
	if err == nil {
		w.sqnr = w.quality(x, channelsOf(w.data.Dims, w.axis))
	}
	return err
}

// most is the largest magnitude of what is to be stored, by scale.
func (w *weight) most() ([]float32, error) {
	x, err := w.data.Float32s()
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(w.scale))
	channelsOf(w.data.Dims, w.axis).runs(len(x), func(c, from, to int) {
		for i := from; i < to; i++ {
			v := x[i]
			if w.codes != nil {
				v = float32(w.codes[i]) * w.coded[c]
			}
			out[c] = max(out[c], v, -v)
		}
	})
	return out, nil
}

// growth is the largest factor by which a scale is larger than without the guard.
func (w *weight) growth() float64 {
	g := 1.0
	for i, s := range w.scale {
		g = max(g, float64(s)/float64(w.plain[i]))
	}
	return g
}

// reportSaturation says how many channels are at risk, and what was done about it.
func (p *planner) reportSaturation(r *passes.StepReport) {
	var channels, risky, layers, of int
	growth := 1.0
	for _, l := range p.layers {
		if s := l.saturation; s != nil && l.int8() {
			channels, risky, of = channels+s.channels, risky+s.risky, of+1
			growth = max(growth, p.weightOf(l).growth())
			if s.risky > 0 {
				layers++
			}
		}
	}
	switch where := fmt.Sprintf("%d of %d channels in %d of %d layers", risky, channels, layers, of); {
	case risky == 0:
	case p.opt.ISA != ISAAVX2:
		r.Fact("16-bit sums of x86 CPUs without VNNI can saturate", "%s; for such CPUs use quant:isa=avx2", where)
	default:
		r.Fact("scales enlarged for x86 CPUs without VNNI", "%s, by at most %.2f", where, growth)
	}
}
