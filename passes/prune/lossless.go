package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/graph/axes"
)

// maxRounds bounds how often removal is repeated for what it makes removable.
const maxRounds = 8

// lossless removes classes that change nothing: at every place where they are
// summed up they are a constant, which goes to the bias, or meet weights that
// are zero; or they reach nothing at all. What is removed may make others
// unused, so that it is repeated.
func (p *pruner) lossless(ctx context.Context) error {
	for range maxRounds {
		f, err := p.fold(ctx)
		if err != nil {
			return err
		}
		removed := f.removable(p)
		if total(removed) == 0 {
			break
		}
		original := p.env.Model.Clone() // constants do contribute: the whole is compared below
		addends := f.addends(p, flat(removed))
		if err := p.cut(removed); err != nil {
			return err
		}
		for _, a := range addends {
			a.apply()
		}
		if p.o.Verify {
			if err := p.equal(ctx, original, p.env.Model, "before"); err != nil {
				return err
			}
		}
		if err := p.look(ctx); err != nil {
			return err
		}
	}
	if len(p.rounds) == 0 {
		return p.nothing()
	}
	return nil
}

// folding is what the removal of each class would add to biases.
type folding struct {
	analysis *axes.Analysis
	possible []bool               // of each class
	layers   []*layer             // that get something
	deltas   []map[int][]addition // of each layer: what a class adds
}

type addition struct {
	channel int
	x       float64
}

// fold finds the classes whose contributions are constant at every sink.
func (p *pruner) fold(ctx context.Context) (*folding, error) {
	f := &folding{analysis: p.analysis, possible: make([]bool, p.analysis.NumClasses())}
	for i := range f.possible {
		f.possible[i] = true
	}
	c := findConstants(p.analysis)
	if p.o.Constant == Observed {
		if err := p.observeConstants(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, s := range p.analysis.Sinks {
		f.sink(c, s)
	}
	return f, nil
}

// sink looks at one place where classes are summed up.
func (f *folding) sink(c *constants, s axes.Sink) {
	weight := axes.Axis{Value: s.Node.In(s.Weight), Axis: s.WeightAxis}
	zeros := zeroSlices(weight)
	if s.Data < 0 {
		f.exclude(weight, func(i int) bool { return zeros != nil && zeros[i] })
		return
	}
	data := axes.Axis{Value: s.Node.In(s.Data), Axis: s.DataAxis}
	cells := c.of(data.Value, data.Axis)
	others := c.of(weight.Value, weight.Axis)
	silent := func(i int) bool {
		return i < len(cells) && cells[i] == cell{true, 0} || i < len(others) && others[i] == cell{true, 0} || i < len(zeros) && zeros[i]
	}
	l, ok := layerOf(s)
	if !ok || !l.uniform() || !l.biased() {
		if l != nil && l.groups > 1 {
			f.exclude(data, func(i int) bool {
				return i < len(cells) && cells[i] == cell{true, 0} || zeros != nil && zeros[i%len(zeros)]
			})
			return
		}
		f.exclude(data, silent)
		return
	}
	f.constants(l, data, cells, zeros)
}

// exclude marks the classes of an axis that are not silent.
func (f *folding) exclude(at axes.Axis, silent func(i int) bool) {
	for i, k := range f.analysis.ClassesOf(at) {
		if k >= 0 && !silent(i) {
			f.possible[k] = false
		}
	}
}

// constants notes what each constant channel adds to the outputs of a layer, and excludes the others.
func (f *folding) constants(l *layer, data axes.Axis, cells []cell, zeros []bool) {
	classes := f.analysis.ClassesOf(data)
	if classes == nil {
		return
	}
	fixed := func(i int) bool { return i < len(cells) && cells[i].fixed }
	f.exclude(data, func(i int) bool { return fixed(i) || len(zeros) > 0 && zeros[i%len(zeros)] })
	sums := map[[2]int]float64{} // output and input channel
	l.each(func(m, u, at int) {
		if classes[u] >= 0 && fixed(u) && cells[u].x != 0 && l.w.at[at] != 0 {
			sums[[2]int{m, u}] += l.w.at[at] * cells[u].x
		}
	})
	if len(sums) == 0 {
		return
	}
	delta := map[int][]addition{}
	for u, k := range classes {
		for m := range l.cout {
			if x := sums[[2]int{m, u}]; x != 0 {
				delta[k] = append(delta[k], addition{m, x})
			}
		}
	}
	f.layers = append(f.layers, l)
	f.deltas = append(f.deltas, delta)
}

// zeroSlices tells which slices of a constant along an axis hold zeros only; nil when it cannot be read.
func zeroSlices(at axes.Axis) []bool {
	w, ok := weights(at.Value)
	if !ok {
		return nil
	}
	out := make([]bool, w.dims[at.Axis])
	for i := range out {
		out[i] = true
	}
	w.fold(at.Axis, func(i int, x float64) { out[i] = out[i] && x == 0 })
	return out
}

// removable are the classes to remove of each pool: as many of the possible ones as leave a multiple.
func (f *folding) removable(p *pruner) [][]int {
	out := make([][]int, len(p.analysis.Pools))
	for i := range p.analysis.Pools {
		pool := &p.analysis.Pools[i]
		var list []int
		for _, k := range pool.Classes {
			if f.possible[k] {
				list = append(list, k)
			}
		}
		unit, _ := p.bounds(pool, p.maxRatio())
		n := len(pool.Classes)
		left := min(n, roundUp(max(1, n-len(list)), unit))
		out[i] = list[:max(0, n-left)]
	}
	return out
}

// addend is what is added to the outputs of a layer that are left when the model is cut.
type addend struct {
	sink  axes.Sink
	shift []float64
}

// addends are the constants of the classes that go, for the layers that read them.
func (f *folding) addends(p *pruner, classes []int) []addend {
	gone := make([]bool, p.analysis.NumClasses())
	for _, k := range classes {
		gone[k] = true
	}
	var out []addend
	for i, l := range f.layers {
		shift, any := make([]float64, l.cout), false
		for _, k := range classes {
			for _, a := range f.deltas[i][k] {
				shift[a.channel] += a.x
				any = true
			}
		}
		if !any {
			continue
		}
		var left []float64
		for _, m := range p.stay(l.output(), gone) {
			left = append(left, shift[m])
		}
		out = append(out, addend{l.sink, left})
	}
	return out
}

// apply adds it, in the cut model.
func (a addend) apply() {
	if l, ok := layerOf(a.sink); ok && l.cout == len(a.shift) {
		l.shift(a.shift)
	}
}
