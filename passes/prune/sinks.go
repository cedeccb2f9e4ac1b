package prune

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx"
)

// layer is a contraction with constant weights, seen as y[m] = b[m] + sum over
// taps and inputs of w x. The input axis has cin = groups * per indices; output
// m of group g reads inputs g*per to (g+1)*per.
type layer struct {
	sink   axes.Sink
	node   *graph.Node
	w      matrix
	out    int // axis of the outputs in w, -1 where they are not one axis of it
	in     int // axis of the inputs in w
	cout   int
	cin    int
	groups int
}

// layerOf reads the layer behind a sink; false for products of two computed
// tensors, recurrent layers, and weights that are no constant.
func layerOf(s axes.Sink) (*layer, bool) {
	n := s.Node
	if s.Data != 0 || !n.Is("Conv", "ConvTranspose", "Gemm", "MatMul") {
		return nil, false
	}
	w, ok := weights(n.In(s.Weight))
	if !ok || len(w.dims) < 2 {
		return nil, false
	}
	l := &layer{sink: s, node: n, w: w, in: s.WeightAxis, groups: 1}
	switch {
	case n.Is("MatMul") && len(w.dims) != 2:
		return nil, false
	case n.Is("Gemm") && n.Float("alpha", 1) != 1:
		return nil, false
	case n.Is("Conv"):
		l.groups = int(n.Int("group", 1))
	case n.Is("ConvTranspose") && n.Int("group", 1) != 1:
		return nil, false
	}
	l.out = 1 - l.in
	l.cout = int(w.dims[l.out])
	l.cin = int(w.dims[l.in]) * l.groups
	return l, true
}

// each calls f for every weight with its output and input channel.
func (l *layer) each(f func(m, u, at int)) {
	outInner, inInner := int(l.w.inner(l.out)), int(l.w.inner(l.in))
	per := l.cin / l.groups
	for at := range l.w.at {
		m, u := at/outInner%l.cout, at/inInner%per
		f(m, m/(l.cout/l.groups)*per+u, at)
	}
}

// biased tells whether a constant can be added to every output channel of the layer.
func (l *layer) biased() bool {
	n := l.node
	switch n.Op() {
	case "Conv", "ConvTranspose":
		return n.In(2) == nil && writable(n.In(1)) || writable(n.In(2))
	case "Gemm":
		c := n.In(2)
		if n.Float("beta", 1) != 1 {
			return false
		}
		return c == nil && writable(n.In(1)) || writable(c) && len(c.Const().Dims) == 1 && c.Const().Dims[0] == int64(l.cout)
	}
	return n.Out(0).Elem() == onnx.Float
}

// shift adds delta to every output channel: to the bias, to a constant that is added behind a MatMul, or to a new one.
func (l *layer) shift(delta []float64) {
	n := l.node
	if n.Is("MatMul") {
		l.shiftProduct(delta)
		return
	}
	if n.In(2) == nil {
		n.SetIn(2, n.Graph().Init(n.Label()+"_bias", encode(n.In(1).Elem(), []int64{int64(l.cout)}, delta)))
		return
	}
	old, _ := weights(n.In(2))
	for i := range old.at {
		old.at[i] += delta[i]
	}
	set(n, 2, encode(n.In(2).Elem(), old.dims, old.at))
}

func (l *layer) shiftProduct(delta []float64) {
	y := l.node.Out(0)
	if uses := y.Uses(); len(uses) == 1 && uses[0].Node.Is("Add") {
		add, other := uses[0].Node, 1-uses[0].Index
		if b := add.In(other); writable(b) && len(b.Const().Dims) == 1 && b.Const().Dims[0] == int64(l.cout) {
			old, _ := weights(b)
			for i := range old.at {
				old.at[i] += delta[i]
			}
			set(add, other, encode(b.Elem(), old.dims, old.at))
			return
		}
	}
	bias := l.node.Graph().Init(l.node.Label()+"_bias", encode(y.Elem(), []int64{int64(l.cout)}, delta))
	add := l.node.After().Op("Add", l.node.Label()+"_bias", y, bias)
	y.ReplaceUses(add.Out(0), func(u graph.Use) bool { return u.Node != add })
}
