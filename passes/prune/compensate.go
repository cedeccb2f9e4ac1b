package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
)

// state is what is known of the model from samples.
type state struct {
	sites    []*site
	blind    []bool // of each class: statistics do not tell all of what removing it does
	original *graph.Model
	check    *judge // on samples that statistics were not taken from
	heldOut  *judge // on samples that are used for nothing else
	curves   []curve
	survey   *survey // of the whole model
}

// observe finds the sites and takes their statistics; nothing without samples.
func (p *pruner) observe(ctx context.Context) error {
	if !p.informed() {
		return nil
	}
	s := &state{original: p.env.Model.Clone()}
	p.state = s
	s.sites, s.blind = p.findSites()
	fit, check := divide(p.env.Calib.Samples)
	if err := p.collect(ctx, s.sites, fit); err != nil {
		return err
	}
	var err error
	if s.check, err = p.newJudge(ctx, s.original, check); err != nil {
		return err
	}
	if s.heldOut = s.check; p.env.Calib.HeldOut.Len() > 0 {
		s.heldOut, err = p.newJudge(ctx, s.original, p.env.Calib.HeldOut)
	}
	return err
}

// informed tells whether there are samples and something to run them on.
func (p *pruner) informed() bool {
	return p.env.Calib != nil && p.env.Runner != nil && p.env.Calib.Samples.Len() > 0
}

// divide puts every fourth sample aside, for judging what was fitted to the others.
func divide(set *calib.Set) (fit, check *calib.Set) {
	var a, b []int
	for i := range set.Len() {
		if i%4 == 3 {
			b = append(b, i)
		} else {
			a = append(a, i)
		}
	}
	if len(b) == 0 {
		return set, set
	}
	return set.Pick(a), set.Pick(b)
}

// merging is how sites are made up for before anything is refitted.
func (p *pruner) merging() Compensation {
	if p.o.Compensate == Refit {
		return Merge
	}
	return p.o.Compensate
}

// plannedLayer is what a reader becomes when the model is cut.
type plannedLayer struct {
	layer  *layer
	weight dense
	shift  []float64
	rows   []int // output channels that stay
	cols   []int // input channels that stay

	was   []float64 // once applied: the weights of the cut layer as they were, in the order of the constant
	added []float64 // and what was added to each of its output channels
}

// plan works out what the readers of removed channels become.
func (p *pruner) plan(removed [][]int) []plannedLayer {
	if p.state == nil || p.o.Compensate == NoCompensation {
		return nil
	}
	gone := p.marked(flat(removed))
	var out []plannedLayer
	for _, s := range p.state.sites {
		pr := s.predict(gone, p.merging(), p.o.Ridge)
		if len(pr.gone) == 0 {
			continue
		}
		for _, l := range s.readers {
			w, shift := pr.absorbed(l)
			out = append(out, plannedLayer{layer: l, weight: w, shift: shift, rows: p.stay(l.output(), gone), cols: pr.kept})
		}
	}
	return out
}

// marked tells of each class whether it is one of these.
func (p *pruner) marked(classes []int) []bool {
	out := make([]bool, p.analysis.NumClasses())
	for _, k := range classes {
		out[k] = true
	}
	return out
}

// output is the axis of the node's result that holds the layer's output channels.
func (l *layer) output() axes.Axis {
	y := l.node.Out(0)
	if l.node.Is("MatMul") {
		return axes.Axis{Value: y, Axis: rankOf(y) - 1}
	}
	return axes.Axis{Value: y, Axis: 1}
}

// stay lists the indices of an axis whose classes are not gone.
func (p *pruner) stay(at axes.Axis, gone []bool) []int {
	classes := p.analysis.ClassesOf(at)
	var out []int
	for i := range at.Value.Shape().Dims[at.Axis].Value {
		if int(i) >= len(classes) || classes[i] < 0 || !gone[classes[i]] {
			out = append(out, int(i))
		}
	}
	return out
}

// apply writes a planned layer into the cut model.
func (d *plannedLayer) apply() {
	l, ok := layerOf(d.layer.sink)
	if !ok {
		return
	}
	values, shift := make([]float64, len(l.w.at)), make([]float64, l.cout)
	l.each(func(m, u, at int) { values[at] = d.weight.at[d.weight.index(d.rows[m], d.cols[u], at)] })
	for m := range shift {
		shift[m] = d.shift[d.rows[m]]
	}
	d.was, d.added = l.w.at, shift
	if !l.biased() {
		d.added = make([]float64, l.cout)
	}
	l.write(values, shift)
}
