package axes

import (
	"github.com/onnxpass/onnxpass/graph"
)

// walk takes the statements of the operators of one model.
type walk struct {
	*space
	analysis *Analysis
	options  Options
	pending  []bundle // reshapes that leave a choice

	n      *graph.Node
	serial int32
	stamp  []int32 // of each axis: serial of the node that spoke of it last
}

// source is an axis of a weight tensor whose indices are the channels that a node produces.
type source struct {
	node *graph.Node
	axis axis
	out  axis // of the node's output; none when it has none of its own
}

// borders freezes what the model shows to the outside, and to the bodies of control flow.
func (w *walk) borders() {
	for g := range w.analysis.Model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for _, v := range g.Inputs() {
			if !w.isState(g, v.Name()) {
				w.whole(v, nil, "it is an input of the graph")
			}
		}
	}
}

// outputs freezes what graphs return. It comes last, so that a nearer reason is told first.
func (w *walk) outputs() {
	for g := range w.analysis.Model.Graphs() {
		if o := g.Owner(); g.Function() != nil || o != nil && o.Is("If") {
			continue // branches are tied to the outputs of their node
		}
		for i, v := range g.Outputs() {
			if !w.isState(g, g.OutputName(i)) {
				w.whole(v, nil, "it is an output of the graph")
			}
		}
	}
}

// whole freezes all axes of v.
func (w *walk) whole(v *graph.Value, n *graph.Node, text string) {
	k, ok := w.index[v]
	if !ok {
		return
	}
	for a := w.first[k]; a < w.first[k+1]; a++ {
		w.freeze(a, n, text)
	}
}

// node applies the rule of n. Axes that the rule does not speak of are frozen.
func (w *walk) node(n *graph.Node) {
	w.n = n
	w.serial++
	r, known := table[key{n.Domain(), n.Op()}]
	text := "this operator does not follow the axis"
	switch {
	case !known || r.relate == nil:
		text = "operator " + n.Op() + " is not followed"
	case !w.ranked():
		text = "the rank of an operand is not known"
		if v := w.n.In(1); v != nil && isFloat(v) && v.Const() != nil && rank(v) > 1 {
			w.produce(w.at(v, 0), none) // so that the layer is listed
		}
	default:
		if why := r.relate(w); why != "" {
			text = why
		}
	}
	for _, v := range n.Ins() {
		w.rest(v, text)
	}
	for _, v := range n.Outs() {
		w.rest(v, text)
	}
}

// rest freezes the axes of v that the rule at work did not speak of.
func (w *walk) rest(v *graph.Value, text string) {
	k, ok := w.index[v]
	if v == nil || !ok {
		return
	}
	for a := w.first[k]; a < w.first[k+1]; a++ {
		if w.stamp[a] != w.serial {
			w.freeze(a, w.n, text)
		}
	}
}

// ranked tells whether the rank of every operand of the node, and of every result that is read, is known.
func (w *walk) ranked() bool {
	for _, v := range w.n.Ins() {
		if v != nil && !v.Shape().Ranked {
			return false
		}
	}
	for _, v := range w.n.Outs() {
		if v != nil && v.NumUses() > 0 && !v.Shape().Ranked {
			return false
		}
	}
	return true
}

// in is axis i of input k, out that of output k; none when there is none.
func (w *walk) in(k, i int) axis  { return w.at(w.n.In(k), i) }
func (w *walk) out(k, i int) axis { return w.at(w.n.Out(k), i) }

// rank is the number of axes of v, 0 for nil.
func rank(v *graph.Value) int {
	if v == nil {
		return 0
	}
	return len(v.Shape().Dims)
}

// touch says that the rule speaks of the axes.
func (w *walk) touch(axes ...axis) {
	for _, a := range axes {
		if a != none {
			w.stamp[a] = w.serial
		}
	}
}

// same unites two axes index by index. Axes of different sizes stay whole.
func (w *walk) same(a, b axis) {
	if a == none || b == none {
		return
	}
	w.touch(a, b)
	if w.width[a] != w.width[b] {
		w.freeze(a, w.n, "sizes differ here")
		w.freeze(b, w.n, "sizes differ here")
		return
	}
	for i := range w.width[a] {
		w.join(w.start[a]+i, w.start[b]+i)
	}
}

// unite joins index i of a with index j of b.
func (w *walk) unite(a axis, i int32, b axis, j int32) {
	if a == none || b == none {
		return
	}
	w.touch(a, b)
	w.join(w.atom(a, i), w.atom(b, j))
}

// pass unites the axes of two values of equal rank but for the listed ones.
func (w *walk) pass(x, y *graph.Value, except ...int) {
	for i := range min(rank(x), rank(y)) {
		skip := false
		for _, e := range except {
			skip = skip || e == i || e == i-rank(x)
		}
		if !skip {
			w.same(w.at(x, i), w.at(y, i))
		}
	}
}

// sink records a contraction of the data axis with the weight axis, which are united by the caller.
func (w *walk) sink(data, dataAxis, weight, weightAxis, zero int) {
	w.analysis.Sinks = append(w.analysis.Sinks, Sink{Node: w.n, Data: data, DataAxis: dataAxis, Weight: weight, WeightAxis: weightAxis, Zero: zero})
}

// produce records that the node makes the channels of out from axis a of its weights.
func (w *walk) produce(a, out axis) {
	if a == none {
		return
	}
	w.analysis.sources = append(w.analysis.sources, source{w.n, a, out})
	if w.options.Keep != nil {
		if why := w.options.Keep(w.n); why != "" {
			w.freeze(a, w.n, why)
		}
	}
}

// mark gives the atoms of a a role.
func (w *walk) mark(a axis, f flag) {
	if a == none {
		return
	}
	for i := range w.width[a] {
		w.flags[w.root(w.start[a]+i)] |= f
	}
}

// marked tells whether atoms of a have a role.
func (w *walk) marked(a axis, f flag) bool {
	return w.flags[w.root(w.start[a])]&f != 0
}

// numbers is the content of a small integer tensor, false when part of it is not known.
func numbers(v *graph.Value) ([]int64, bool) {
	if v == nil {
		return nil, false
	}
	if t := v.Const(); t != nil && t.Type.IsInteger() {
		list, err := t.Int64s()
		return list, err == nil
	}
	content := v.Ints()
	if content == nil {
		return nil, false
	}
	list := make([]int64, len(content))
	for i, d := range content {
		if !known(d) {
			return nil, false
		}
		list[i] = d.Value
	}
	return list, true
}
