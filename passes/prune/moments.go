package prune

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/passes"
)

// moment is what is taken for the distribution of a channel when there are no
// samples: a normal one with this mean and variance.
type moment struct {
	known          bool
	mean, variance float64
}

// moments propagates means and variances forward along the axes that can
// shrink. Channels and positions count as independent, inputs of the model as
// having mean 0 and variance 1. Behind a BatchNormalization, merged or not, its
// shift and scale are the mean and the deviation of what it puts out, as long as
// the inputs are like those of the training.
type moments struct {
	analysis *axes.Analysis
	merged   map[string]passes.Norm
	at       map[axes.Axis][]moment
}

func findMoments(a *axes.Analysis, merged map[string]passes.Norm) *moments {
	m := &moments{analysis: a, merged: merged, at: map[axes.Axis][]moment{}}
	for n := range a.Model.Main.All() {
		for _, y := range n.Outs() {
			if y == nil {
				continue
			}
			for i, d := range y.Shape().Dims {
				if !a.Shrinkable(y, i) {
					continue
				}
				if list := m.compute(n, y, i, int(d.Value)); list != nil {
					m.at[axes.Axis{Value: y, Axis: i}] = list
				}
			}
		}
	}
	return m
}

// compute are the moments of axis i of output y, nil when nothing is known.
func (m *moments) compute(n *graph.Node, y *graph.Value, i, size int) []moment {
	if f := functionOf(n); f != nil {
		return through(m.at[axes.Axis{Value: n.In(0), Axis: i}], f)
	}
	switch {
	case n.Is("Conv", "Gemm", "MatMul"):
		return m.product(n, i, size)
	case n.Is("BatchNormalization") && i == 1:
		return gaussian(weightsOf(n.In(1)), weightsOf(n.In(2)), size)
	case n.Is("Add", "Sub", "Sum", "Mul"):
		return m.combined(n, i-rankOf(y), size)
	}
	return m.carried(n, y, i, size)
}

func weightsOf(v *graph.Value) []float64 {
	w, ok := weights(v)
	if !ok {
		return nil
	}
	return w.at
}

// gaussian are the moments behind a BatchNormalization with the given scales and shifts.
func gaussian(scale, shift []float64, size int) []moment {
	if len(scale) != size || len(shift) != size {
		return nil
	}
	out := make([]moment, size)
	for k := range out {
		out[k] = moment{true, shift[k], scale[k] * scale[k]}
	}
	return out
}

// product are the moments behind a layer.
func (m *moments) product(n *graph.Node, i, size int) []moment {
	l, ok := plainLayer(n)
	if !ok || l.cout != size || !l.isOutput(i) {
		return nil
	}
	if norm, ok := m.merged[n.Label()]; ok && len(norm.Scale) == size {
		return gaussian(norm.Scale, norm.Shift, size)
	}
	bias, ok := l.bias()
	if !ok {
		return nil
	}
	in := m.at[axes.Axis{Value: n.In(0), Axis: l.sink.DataAxis}]
	if in == nil && !n.In(0).IsInput() {
		return nil
	}
	out := make([]moment, size)
	for k := range out {
		out[k] = moment{true, bias[k], 0}
	}
	l.each(func(o, u, at int) {
		e := moment{true, 0, 1}
		if in != nil {
			e = in[u]
		}
		out[o].known = out[o].known && e.known
		out[o].mean += l.w.at[at] * e.mean
		out[o].variance += l.w.at[at] * l.w.at[at] * e.variance
	})
	return out
}

// combined are the moments of sums, differences and products of operands, aligned from the right.
func (m *moments) combined(n *graph.Node, i, size int) []moment {
	out := make([]moment, size)
	for j, x := range n.Ins() {
		list := m.operand(x, i, size)
		for k := range out {
			e := moment{}
			if k < len(list) {
				e = list[k]
			}
			if j == 0 {
				out[k] = e
				continue
			}
			out[k] = join(n.Op(), out[k], e)
		}
	}
	return out
}

func join(op string, a, b moment) moment {
	out := moment{known: a.known && b.known, mean: a.mean + b.mean, variance: a.variance + b.variance}
	switch op {
	case "Sub":
		out.mean = a.mean - b.mean
	case "Mul":
		out.mean = a.mean * b.mean
		out.variance = a.variance*b.variance + a.variance*b.mean*b.mean + b.variance*a.mean*a.mean
	}
	return out
}

// operand are the moments of x along axis i, counted from the end. Constants have no variance.
func (m *moments) operand(x *graph.Value, i, size int) []moment {
	at := i + rankOf(x)
	w, constant := weights(x)
	switch {
	case constant && len(w.at) == 1:
		out := make([]moment, size)
		for k := range out {
			out[k] = moment{true, w.at[0], 0}
		}
		return out
	case constant && at >= 0 && len(w.at) == size && int(x.Shape().Dims[at].Value) == size:
		out := make([]moment, size)
		for k := range out {
			out[k] = moment{true, w.at[k], 0}
		}
		return out
	case at < 0:
		return nil
	}
	return m.at[axes.Axis{Value: x, Axis: at}]
}

// carried are the moments of operators that move channels, or take averages of
// them: those of a class in the result are what those of the class in the first operand are.
func (m *moments) carried(n *graph.Node, y *graph.Value, i, size int) []moment {
	known := map[int]moment{}
	for _, x := range n.Ins() {
		for j := range rankOf(x) {
			list := m.at[axes.Axis{Value: x, Axis: j}]
			if list == nil {
				continue
			}
			for k, class := range m.analysis.ClassesOf(axes.Axis{Value: x, Axis: j}) {
				if _, ok := known[class]; !ok && class >= 0 {
					known[class] = list[k]
				}
			}
		}
	}
	if len(known) == 0 {
		return nil
	}
	out := make([]moment, size)
	for k, class := range m.analysis.ClassesOf(axes.Axis{Value: y, Axis: i}) {
		out[k] = known[class]
	}
	return out
}

// through are the moments of f of normal variables, by the midpoint rule over 5 deviations each way.
func through(in []moment, f func(float64) float64) []moment {
	const steps = 200
	out := make([]moment, len(in))
	for k, e := range in {
		if !e.known {
			continue
		}
		deviation := math.Sqrt(e.variance)
		var weight, sum, squares float64
		for s := range steps {
			t := (float64(s)+0.5)*10/steps - 5
			p, y := math.Exp(-t*t/2), f(e.mean+t*deviation)
			weight += p
			sum += p * y
			squares += p * y * y
		}
		mean := sum / weight
		out[k] = moment{true, mean, math.Max(0, squares/weight-mean*mean)}
		if math.IsNaN(mean) || math.IsInf(mean, 0) {
			out[k] = moment{}
		}
	}
	return out
}

// expected is what the biases of the readers must take over when classes are
// removed and there are no samples: their channels are put at their expected values.
func (p *pruner) expected() *folding {
	f := &folding{analysis: p.analysis, possible: make([]bool, p.analysis.NumClasses())}
	m := findMoments(p.analysis, p.env.Norms)
	for _, s := range p.analysis.Sinks {
		l, ok := layerOf(s)
		if !ok || !l.biased() {
			continue
		}
		data := axes.Axis{Value: s.Node.In(s.Data), Axis: s.DataAxis}
		cells := make([]cell, len(m.at[data]))
		for k, e := range m.at[data] {
			cells[k] = cell{e.known, e.mean}
		}
		f.constants(l, data, cells, nil)
	}
	return f
}
