package prune

import (
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/passes"
)

// moment is what is taken for the distribution of a channel when there are no
// samples: a normal one with this mean and variance. Errors grow with every
// layer between it and the last normalization, whose statistics are those of the training.
type moment struct {
	mean, variance float64
	layers         int // since the last normalization, far when there is none
}

const far = 1 << 10

// usual is the moment of what nothing is known of, such as inputs of the model.
var usual = moment{0, 1, far}

// moments propagates means and variances of channels forward through the
// model. Channels and positions count as independent. Behind a normalization,
// merged or not, its shift and scale are the mean and the deviation of what it
// puts out, as long as inputs are like those of the training.
type moments struct {
	analysis *axes.Analysis
	merged   map[string]passes.Norm
	at       map[axes.Axis][]moment // absent: nothing is known
	forms    map[axes.Axis]form     // of what element-wise operators compute
}

func findMoments(a *axes.Analysis, merged map[string]passes.Norm) *moments {
	m := &moments{analysis: a, merged: merged, at: map[axes.Axis][]moment{}, forms: map[axes.Axis]form{}}
	for n := range a.Model.Main.All() {
		for _, y := range n.Outs() {
			for i := range rankOf(y) {
				size := int(y.Shape().Dims[i].Value)
				if size < 1 || size > maxWidth {
					continue
				}
				if list := m.compute(n, y, i, size); len(list) == size {
					m.at[axes.Axis{Value: y, Axis: i}] = list
				}
			}
		}
	}
	return m
}

// of are the moments of an axis, the usual ones where nothing is known.
func (m *moments) of(at axes.Axis, size int) []moment {
	list := m.at[at]
	if len(list) == size {
		return list
	}
	list = make([]moment, size)
	for k := range list {
		list[k] = usual
	}
	return list
}

// compute are the moments of axis i of output y, nil when nothing is known.
func (m *moments) compute(n *graph.Node, y *graph.Value, i, size int) []moment {
	if f, ok := m.composed(n, y, i, size); ok {
		m.forms[axes.Axis{Value: y, Axis: i}] = f
		return f.through(m.at[f.base])
	}
	switch {
	case n.Is("Conv", "Gemm", "MatMul"):
		return m.product(n, i, size)
	case n.Is("BatchNormalization", "InstanceNormalization") && i == 1:
		return gaussian(weightsOf(n.In(1)), weightsOf(n.In(2)), size)
	case n.Is("LayerNormalization") && i == rankOf(y)-1:
		return gaussian(weightsOf(n.In(1)), weightsOf(n.In(2)), size)
	case n.Is("Div") && i == rankOf(y)-1 && n.In(1).Def() != nil && n.In(1).Def().Is("Sqrt"):
		return gaussian(slices.Repeat([]float64{1}, size), nil, size) // a normalization in single steps
	case n.Is("Add", "Sub", "Sum", "Mul"):
		return m.combined(n, i-rankOf(y), size)
	case n.Is("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat",
		"Split", "Slice", "Gather", "DepthToSpace", "SpaceToDepth", "Resize", "Upsample", "Pad", "QuantizeLinear", "DequantizeLinear"):
		return m.carried(n, y, i, size)
	}
	return nil
}

func weightsOf(v *graph.Value) []float64 {
	w, ok := weights(v)
	if !ok {
		return nil
	}
	return w.at
}

// gaussian are the moments behind a normalization with the given scales and shifts.
func gaussian(scale, shift []float64, size int) []moment {
	if len(scale) != size || shift != nil && len(shift) != size {
		return nil
	}
	out := make([]moment, size)
	for k := range out {
		out[k].variance = scale[k] * scale[k]
		if shift != nil {
			out[k].mean = shift[k]
		}
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
	in := m.of(axes.Axis{Value: n.In(0), Axis: l.sink.DataAxis}, l.cin)
	out := make([]moment, size)
	for k := range out {
		out[k].mean = bias[k]
	}
	for _, e := range in {
		for k := range out {
			out[k].layers = max(out[k].layers, e.layers+1)
		}
	}
	l.each(func(o, u, at int) {
		w := l.w.at[at]
		out[o].mean += w * in[u].mean
		out[o].variance += w * w * in[u].variance
	})
	return out
}

// combined are the moments of sums, differences and products of operands, aligned from the right.
func (m *moments) combined(n *graph.Node, i, size int) []moment {
	var out []moment
	for j, x := range n.Ins() {
		list := m.operand(x, i, size)
		if list == nil {
			return nil
		}
		if j == 0 {
			out = append(out, list...)
			continue
		}
		for k := range out {
			out[k] = join(n.Op(), out[k], list[k])
		}
	}
	return out
}

func join(op string, a, b moment) moment {
	out := moment{a.mean + b.mean, a.variance + b.variance, max(a.layers, b.layers)}
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
	if w, ok := weights(x); ok && (len(w.at) == 1 || len(w.at) == size && at >= 0 && int(x.Shape().Dims[at].Value) == size) {
		out := make([]moment, size)
		for k := range out {
			out[k].mean = w.at[min(k, len(w.at)-1)]
		}
		return out
	}
	if list := m.at[axes.Axis{Value: x, Axis: at}]; at >= 0 && len(list) == size {
		return list
	}
	return nil
}

// carried are the moments of operators that move channels, or take averages of
// them: those of a class in the result are what those of the class in the
// operands are. Channels that stay keep their places when their axis does.
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
	same := m.at[axes.Axis{Value: n.In(0), Axis: i}]
	if len(same) != size || rankOf(n.In(0)) != rankOf(y) {
		same = nil
	}
	if len(known) == 0 {
		return same
	}
	out := m.of(axes.Axis{}, size)
	copy(out, same)
	for k, class := range m.analysis.ClassesOf(axes.Axis{Value: y, Axis: i}) {
		if e, ok := known[class]; ok {
			out[k] = e
		}
	}
	return out
}

// form is a function of each channel of a base: what a chain of element-wise
// operators computes, such as x * sigmoid(x), whose factors are anything but independent.
type form struct {
	base axes.Axis
	f    func(k int, x float64) float64
}

// formOf is what an axis is a function of: itself when nothing else is known.
func (m *moments) formOf(at axes.Axis) form {
	if f, ok := m.forms[at]; ok {
		return f
	}
	return form{at, func(_ int, x float64) float64 { return x }}
}

// composed is the form of axis i of an element-wise result whose operands are constants and forms of one base.
func (m *moments) composed(n *graph.Node, y *graph.Value, i, size int) (form, bool) {
	if f := functionOf(n); f != nil {
		in := m.formOf(axes.Axis{Value: n.In(0), Axis: i})
		return form{in.base, func(k int, x float64) float64 { return f(in.f(k, x)) }}, true
	}
	if !n.Is("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu") || n.NumIn() != 2 {
		return form{}, false
	}
	a, okA := m.term(n.In(0), i-rankOf(y), size)
	b, okB := m.term(n.In(1), i-rankOf(y), size)
	fixed := axes.Axis{}
	base := a.base
	if base == fixed {
		base = b.base
	}
	if !okA || !okB || base == fixed || b.base != fixed && b.base != base {
		return form{}, false
	}
	op := n.Op()
	return form{base, func(k int, x float64) float64 { return pairwise(op, a.f(k, x), b.f(k, x)) }}, true
}

// term is an operand along axis i, counted from the end: a form, whose base is
// no axis when it is a constant.
func (m *moments) term(v *graph.Value, i, size int) (form, bool) {
	at := i + rankOf(v)
	if w, ok := weights(v); ok {
		along := at >= 0 && len(w.at) == size && int(v.Shape().Dims[at].Value) == size
		if len(w.at) != 1 && !along {
			return form{}, false
		}
		return form{f: func(k int, _ float64) float64 { return w.at[min(k, len(w.at)-1)] }}, true
	}
	if at < 0 || int(v.Shape().Dims[at].Value) != size {
		return form{}, false
	}
	return m.formOf(axes.Axis{Value: v, Axis: at}), true
}

// through are the moments of f of normal variables, by the midpoint rule over 5 deviations each way.
func (f form) through(in []moment) []moment {
	const steps = 100
	var out []moment
	for i, e := range in {
		deviation := math.Sqrt(e.variance)
		var weight, sum, squares float64
		for s := range steps {
			t := (float64(s)+0.5)*10/steps - 5
			p, y := math.Exp(-t*t/2), f.f(i, e.mean+t*deviation)
			weight += p
			sum += p * y
			squares += p * y * y
		}
		mean := sum / weight
		moved := moment{mean, math.Max(0, squares/weight-mean*mean), e.layers}
		if math.IsNaN(moved.variance) || math.IsInf(moved.variance, 0) {
			moved = usual
		}
		out = append(out, moved)
	}
	return out
}
