package region

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// fusedNorms are the operators that are a normalisation by themselves.
var fusedNorms = map[string]Kind{
	"LpNormalization": L2Norm, "LayerNormalization": LayerNorm, "SkipLayerNormalization": LayerNorm, "EmbedLayerNormalization": LayerNorm,
	"RMSNormalization": RMSNorm, "SimplifiedLayerNormalization": RMSNorm, "SkipSimplifiedLayerNormalization": RMSNorm,
	"InstanceNormalization": InstanceNorm, "MeanVarianceNormalization": InstanceNorm, "GroupNormalization": GroupNorm, "GroupNorm": GroupNorm,
}

// normOps may lie inside a written-out normalisation.
var normOps = []string{
	"Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "Neg", "Abs", "Max", "Clip", "Cast", "Identity",
	"ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2", "Reshape", "Squeeze", "Unsqueeze", "Expand", "Tile",
}

// norms finds normalisations. The anchor of a written-out one is the square
// root (or the power of +-0.5) of a mean of squares.
func (f *finder) norms() {
	for n := range f.graph.Nodes() {
		if n.Out(0) == nil || n.In(0) == nil {
			continue
		}
		if kind, ok := fusedNorms[n.Op()]; ok && operator(n, n.Op()) {
			f.add(&Region{Kind: kind, Form: "fused", In: n.In(0), Out: n.Out(0)}, map[*graph.Node]bool{n: true})
			continue
		}
		if isRoot(n) {
			f.norm(n)
		}
	}
}

// isRoot says whether n is the square root of one tensor, one over it, or takes it of a sum of squares.
func isRoot(n *graph.Node) bool {
	if n.Is("Sqrt", "ReduceL2") {
		return true
	}
	e, ok := scalar(n.In(1))
	return n.Is("Pow") && ok && (e == 0.5 || e == -0.5)
}

// norm adds the normalisation whose square root is n, if it is one.
func (f *finder) norm(n *graph.Node) {
	kind, x := L2Norm, n.In(0)
	if !n.Is("ReduceL2") {
		kind, x = meanOfSquares(n.In(0))
	}
	if x == nil {
		return
	}
	w := &walk{in: x, nodes: map[*graph.Node]bool{}, full: map[*graph.Value]bool{x: true}}
	if !w.back(n.Out(0)) {
		return
	}
	out := w.forward(f.order)
	if out == nil {
		return
	}
	out = w.affine(out)
	f.add(&Region{Kind: kind, Form: "decomposed", In: x, Out: out}, w.nodes)
}

// meanOfSquares follows v, the variance with epsilon, back to the tensor that
// is normalised: RMSNorm when its squares are averaged as they are, LayerNorm or
// InstanceNorm when its mean is taken off, before or after squaring.
func meanOfSquares(v *graph.Value) (Kind, *graph.Value) {
	averaged := false
	for range reach {
		n := def(v)
		switch {
		case n == nil:
			return "", nil
		case isMean(n):
			return centred(n, averaged || n.Is("ReduceMean"))
		case n.Is("Sub") && len(distinct(n)) == 2: // mean of squares minus square of the mean
			if m := def(through(n.In(0))); m != nil && isMean(m) {
				if _, x := squared(m.In(0)); x != nil && meanOf(root(n.In(1))) == through(x) {
					return spread(m), through(x)
				}
			}
			return "", nil
		case len(distinct(n)) == 1 && n.Is("Add", "Max", "Clip", "Cast", "Identity", "Mul", "Div", "Reshape", "Squeeze", "Unsqueeze"):
			averaged = averaged || n.Is("Mul", "Div")
			v = distinct(n)[0]
		default:
			return "", nil
		}
	}
	return "", nil
}

// isMean says whether n averages, or adds up what a constant divides later.
func isMean(n *graph.Node) bool {
	return n.Is("ReduceMean", "ReduceSum", "ReduceSumSquare") && n.In(0) != nil
}

// centred looks at what n averages or adds up: squares of x, or of x minus its mean.
func centred(n *graph.Node, averaged bool) (Kind, *graph.Value) {
	d := n.In(0)
	if !n.Is("ReduceSumSquare") {
		_, d = squared(d)
	}
	if d == nil {
		return "", nil
	}
	if s := def(through(d)); s != nil && s.Is("Sub") && s.In(0) != nil && s.In(1) != nil && meanOf(s.In(1)) == through(s.In(0)) {
		return spread(n), through(s.In(0))
	}
	if !averaged {
		return L2Norm, d
	}
	return RMSNorm, d
}

// squared is v as the square of a tensor: x * x or x to the power of 2.
func squared(v *graph.Value) (*graph.Node, *graph.Value) {
	n := def(through(v))
	switch {
	case n == nil:
	case n.Is("Mul") && n.In(0) != nil && n.In(0).Const() == nil && n.In(0) == n.In(1):
		return n, n.In(0)
	case n.Is("Pow"):
		if e, ok := scalar(n.In(1)); ok && e == 2 {
			return n, n.In(0)
		}
	case n.Is("Mul") && n.In(0) != nil && n.In(1) != nil && sameDifference(n.In(0), n.In(1)):
		return n, n.In(0)
	}
	return nil, nil
}

// sameDifference says whether two values are the same subtraction, written twice.
func sameDifference(a, b *graph.Value) bool {
	m, n := def(a), def(b)
	return m != nil && n != nil && m.Is("Sub") && n.Is("Sub") && m.In(0) == n.In(0) && m.In(1) == n.In(1)
}

// root is the tensor whose square v is, v itself when it is none.
func root(v *graph.Value) *graph.Value {
	if _, x := squared(v); x != nil {
		return x
	}
	return v
}

// meanOf is the tensor whose mean v is; nil when it is none.
func meanOf(v *graph.Value) *graph.Value {
	for range 4 {
		n := def(through(v))
		switch {
		case n == nil:
			return nil
		case n.Is("ReduceMean", "ReduceSum"):
			return through(n.In(0))
		case n.Is("Div", "Mul") && len(distinct(n)) == 1:
			v = distinct(n)[0]
		default:
			return nil
		}
	}
	return nil
}

// through is v seen through operators that change shape and type only.
func through(v *graph.Value) *graph.Value {
	for range 4 {
		n := def(v)
		if n == nil || n.In(0) == nil || !n.Is("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Expand", "Tile") {
			break
		}
		v = n.In(0)
	}
	return v
}

// spread is InstanceNorm when a reduction runs over the positions of a map, LayerNorm otherwise.
func spread(n *graph.Node) Kind {
	axes := reduced(n)
	if slices.Equal(axes, []int64{2, 3}) || slices.Equal(axes, []int64{1, 2}) || slices.Equal(axes, []int64{2, 3, 4}) {
		return InstanceNorm
	}
	return LayerNorm
}

// reduced are the axes of a reduction from the front, sorted; nil when they are computed or missing.
func reduced(n *graph.Node) []int64 {
	axes := slices.Clone(n.Ints("axes", nil))
	if n.In(1) != nil && n.In(1).Const() != nil {
		axes, _ = n.In(1).Const().Int64s()
	}
	if s := n.In(0).Shape(); s.Ranked {
		for i, a := range axes {
			if a < 0 {
				axes[i] = a + int64(len(s.Dims))
			}
		}
	}
	slices.Sort(axes)
	return axes
}

// walk gathers the nodes of a written-out normalisation of in.
type walk struct {
	in    *graph.Value
	nodes map[*graph.Node]bool
	full  map[*graph.Value]bool // values of the shape of in, not reduced
}

// back gathers what lies between in and v; false when something else joins.
func (w *walk) back(v *graph.Value) bool {
	if v == w.in || v.Const() != nil {
		return true
	}
	n := def(v)
	if n == nil || !n.Is(normOps...) {
		return false
	}
	if w.nodes[n] {
		return true
	}
	w.nodes[n] = true
	if len(w.nodes) > 2*reach {
		return false
	}
	for _, in := range computed(n) {
		if !w.back(in) {
			return false
		}
	}
	w.full[v] = w.fills(n)
	return true
}

// fills says whether the output of n has an element for each of in's.
func (w *walk) fills(n *graph.Node) bool {
	return !n.Is("ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2") && slices.ContainsFunc(computed(n), func(v *graph.Value) bool { return w.full[v] })
}

// forward adds nodes that read nothing but in and what was gathered, until
// one value of in's shape is all that leaves. It returns that value, or nil.
func (w *walk) forward(order map[*graph.Node]int) *graph.Value {
	for len(w.nodes) <= 2*reach {
		n := w.next(order)
		if n == nil {
			return nil
		}
		w.nodes[n] = true
		out := n.Out(0)
		w.full[out] = w.fills(n)
		if w.full[out] && w.closed(out) {
			return out
		}
	}
	return nil
}

// next is the first node behind the gathered ones that may join them.
func (w *walk) next(order map[*graph.Node]int) *graph.Node {
	var first *graph.Node
	for n := range w.nodes {
		for _, u := range n.Out(0).Uses() {
			if m := u.Node; !u.IsReturn() && !w.nodes[m] && w.joins(m) && (first == nil || order[m] < order[first]) {
				first = m
			}
		}
	}
	return first
}

func (w *walk) joins(n *graph.Node) bool {
	if !n.Is(normOps...) || n.Out(0) == nil {
		return false
	}
	return !slices.ContainsFunc(computed(n), func(v *graph.Value) bool {
		return v != w.in && (v.Def() == nil || !w.nodes[v.Def()])
	})
}

// closed says whether nothing but out leaves the gathered nodes.
func (w *walk) closed(out *graph.Value) bool {
	for n := range w.nodes {
		v := n.Out(0)
		if v == out {
			continue
		}
		if slices.ContainsFunc(v.Uses(), func(u graph.Use) bool { return u.IsReturn() || !w.nodes[u.Node] }) {
			return false
		}
	}
	return true
}

// affine adds the product with gamma and the sum with beta behind v, each at most once, and returns where they end.
func (w *walk) affine(v *graph.Value) *graph.Value {
	for _, op := range []string{"Cast", "Mul", "Add"} {
		n := soleReader(v)
		if n == nil || !n.Is(op) || n.Out(0) == nil || len(computed(n)) != 1 {
			continue
		}
		w.nodes[n] = true
		v = n.Out(0)
	}
	return v
}
