package prune

import (
	"context"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// sensitivityLevels is how many removals of one pool are measured.
const sensitivityLevels = 6

// sensitivityFloor is the least that a measured error counts for, as a part of the predicted one.
const sensitivityFloor = 0.05

// survey is what the outputs lose when one pool alone is pruned and made up
// for, at a few levels of each pool beyond what is decided. A prediction from the samples that it was
// fitted to is far too kind to sites with many channels, and knows nothing of the layers behind.
type survey struct {
	levels   [][]int
	measured [][]float64
}

// survey measures the pools.
func (p *pruner) survey(ctx context.Context, curves []curve, gone []int) (*survey, error) {
	var base []int
	for i, c := range curves {
		base = append(base, c.order[:gone[i]]...)
	}
	if len(base) == 0 && p.state.survey != nil {
		return p.state.survey, nil
	}
	lost := 0.0
	if len(base) > 0 {
		var err error
		if lost, err = p.damage(ctx, base); err != nil {
			return nil, err
		}
	}
	s := &survey{make([][]int, len(curves)), make([][]float64, len(curves))}
	for i, c := range curves {
		s.levels[i] = c.levels(gone[i])
		for _, k := range s.levels[i] {
			e, err := p.damage(ctx, append(slices.Clone(base), c.order[gone[i]:k]...))
			if err != nil {
				return nil, err
			}
			s.measured[i] = append(s.measured[i], max(0, e-lost))
		}
		p.env.Advance("sensitivity", i+1, len(curves))
	}
	if len(base) == 0 {
		p.state.survey = s
	}
	return s, nil
}

// bend is the curves with costs that meet what was measured, to the given power of
// the prediction's part: 0 is what was measured alone, 1 what was predicted.
func (s *survey) bend(curves []curve, gone []int, part float64) []curve {
	out := slices.Clone(curves)
	for i := range out {
		out[i].cost = slices.Clone(curves[i].cost)
		out[i].bend(gone[i], s.levels[i], s.measured[i], part)
	}
	return out
}

// levels are the removals to measure beyond those that are decided: the next step, the last, and those that halve the way between.
func (c *curve) levels(gone int) []int {
	var steps []int
	for next, ok := c.step(gone); ok; next, ok = c.step(next) {
		steps = append(steps, next)
	}
	if len(steps) <= sensitivityLevels {
		return steps
	}
	var out []int
	for i := range sensitivityLevels {
		at := len(steps)>>(sensitivityLevels-1-i) - 1
		out = append(out, steps[max(at, 0)])
	}
	return slices.Compact(out)
}

// damage is the error of the outputs when these classes are removed and made up for.
func (p *pruner) damage(ctx context.Context, classes []int) (float64, error) {
	m, err := p.silenced(classes)
	if err != nil {
		return 0, err
	}
	return p.state.check.error(ctx, m)
}

// silenced is a copy of the model, uncut, that computes what the cut and merged one would.
func (p *pruner) silenced(classes []int) (*graph.Model, error) {
	m, err := p.analysis.Mask(classes)
	if err != nil {
		return nil, err
	}
	gone := p.marked(classes)
	for _, s := range p.state.sites {
		pr := s.predict(gone, p.merging(), p.o.Ridge)
		if len(pr.gone) == 0 {
			continue
		}
		for _, l := range s.readers {
			w, shift := pr.absorbed(l)
			n := m.Main.Value(l.node.Out(0).Name()).Def()
			twin := *l
			twin.node = n
			twin.store(w, shift)
		}
	}
	return m, nil
}

// store gives a layer other weights, of the size that it has, and adds to its outputs.
func (l *layer) store(w dense, shift []float64) {
	values := make([]float64, len(l.w.at))
	l.each(func(m, u, at int) { values[at] = w.at[w.index(m, u, at)] })
	l.write(values, shift)
}

// write gives a layer other weights in the order of its constant, and adds to its outputs.
func (l *layer) write(values, shift []float64) {
	if v := l.node.In(l.sink.Weight); writable(v) {
		set(l.node, l.sink.Weight, encode(v.Elem(), l.w.dims, values))
	}
	if slices.ContainsFunc(shift, func(x float64) bool { return x != 0 }) && l.biased() {
		l.shift(shift)
	}
}

// bend makes the curve meet measured errors at the levels. Between two of them it keeps its shape.
func (c *curve) bend(gone int, levels []int, measured []float64, part float64) {
	at, reached, predicted := gone, 0.0, 0.0
	for i, k := range levels {
		sum := 0.0
		for _, e := range c.cost[at:k] {
			sum += e
		}
		predicted += sum
		target := max(measured[i], sensitivityFloor*predicted)
		if part > 0 {
			target = math.Pow(target, 1-part) * math.Pow(predicted, part)
		}
		target = max(target, reached)
		for x := at; x < k; x++ {
			share := 1 / float64(k-at)
			if sum > 0 && !math.IsInf(sum, 0) {
				share = c.cost[x] / sum
			}
			c.cost[x] = (target - reached) * share
		}
		at, reached = k, target
	}
}
