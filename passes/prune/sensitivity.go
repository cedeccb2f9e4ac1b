package prune

import (
	"context"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// sensitivityLevels is how many removals of one pool are measured.
const sensitivityLevels = 4

// sensitivityFloor is the least that a measured error counts for, as a part of the predicted one.
const sensitivityFloor = 0.05

// calibrate measures what the outputs lose when one pool alone is pruned and
// made up for, at a few levels, and bends the pool's curve so that it meets
// what was measured: a prediction from the samples that it was fitted to is
// far too kind to sites with many channels, and knows nothing of the layers behind.
func (p *pruner) calibrate(ctx context.Context, curves []curve, gone []int) error {
	var base []int
	for i, c := range curves {
		base = append(base, c.order[:gone[i]]...)
	}
	lost := 0.0
	if len(base) > 0 {
		var err error
		if lost, err = p.damage(ctx, base); err != nil {
			return err
		}
	}
	for i := range curves {
		c := &curves[i]
		levels := c.levels(gone[i])
		var measured []float64
		for _, k := range levels {
			e, err := p.damage(ctx, append(slices.Clone(base), c.order[gone[i]:k]...))
			if err != nil {
				return err
			}
			measured = append(measured, max(0, e-lost))
		}
		c.bend(gone[i], levels, measured)
		p.env.Advance("sensitivity", i+1, len(curves))
	}
	return nil
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
	return p.state.judge.error(ctx, m)
}

// silenced is a copy of the model, uncut, that computes what the cut and merged one would.
func (p *pruner) silenced(classes []int) (*graph.Model, error) {
	m, err := p.analysis.Mask(classes)
	if err != nil {
		return nil, err
	}
	gone := make([]bool, p.analysis.NumClasses())
	for _, k := range classes {
		gone[k] = true
	}
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
func (c *curve) bend(gone int, levels []int, measured []float64) {
	at, reached, predicted := gone, 0.0, 0.0
	for i, k := range levels {
		sum := 0.0
		for _, e := range c.cost[at:k] {
			sum += e
		}
		predicted += sum
		target := max(measured[i], sensitivityFloor*predicted, reached)
		for x := at; x < k; x++ {
			part := 1 / float64(k-at)
			if sum > 0 && !math.IsInf(sum, 0) {
				part = c.cost[x] / sum
			}
			c.cost[x] = (target - reached) * part
		}
		at, reached = k, target
	}
}
