package axes

import (
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// conv is Y[n,m] = sum over u of X[n,a*cg+u] * W[m,u] for channel m of group a.
func conv(w *walk) string {
	if w.n.Is("DeformConv") {
		if w.n.Int("offset_group", 1) != 1 {
			return "offsets are grouped"
		}
		return w.convolve(1, 0, 3)
	}
	return w.convolve(1, 0, 2)
}

// convolve is conv with the weights at input k, their zero point at input zero (0: none), and
// what has one value for each output channel at the inputs perOut.
func (w *walk) convolve(k, zero int, perOut ...int) string {
	x, weight, y := w.in(0, 1), w.in(k, 0), w.out(0, 1)
	w.same(w.in(0, 0), w.out(0, 0))
	w.same(weight, y)
	for _, i := range perOut {
		w.perChannel(i, y)
	}
	w.produce(weight, y)
	groups, ok := w.groups(x, y)
	switch {
	case !ok:
		return "groups do not divide the channels"
	case groups == 1:
		w.same(x, w.in(k, 1))
		w.sink(0, 1, k, 1, zero)
	case int32(groups) == w.width[x]:
		w.depthwise(x, y, groups)
	default:
		w.tie(x, w.in(k, 1), groups)
		w.tieSelf(y, groups)
		w.sink(0, 1, k, 1, zero)
	}
	return windows
}

// perChannel unites the last axis of input i with y where it has a value for each index of y, not one for all.
func (w *walk) perChannel(i int, y axis) {
	if v := w.n.In(i); rank(v) > 0 && v.Shape().Dims[rank(v)-1].Value != 1 {
		w.same(w.at(v, -1), y)
	}
}

const windows = "windows run along this axis"

// convTranspose is Y[n,a*og+v] = sum over u of X[n,a*cg+u] * W[a*cg+u,v].
func convTranspose(w *walk) string {
	x, weight, y := w.in(0, 1), w.in(1, 0), w.out(0, 1)
	w.same(w.in(0, 0), w.out(0, 0))
	w.same(x, weight)
	w.same(w.in(2, 0), y)
	w.touch(y)
	groups, ok := w.groups(x, y)
	switch {
	case !ok:
		return "groups do not divide the channels"
	case groups == 1:
		w.same(w.in(1, 1), y)
		w.produce(w.in(1, 1), y)
		w.sink(0, 1, 1, 0, 0)
	case int32(groups) == w.width[x]:
		w.depthwise(x, y, groups)
		if w.width[y] == int32(groups) {
			w.touch(w.in(1, 1))
		}
		w.produce(weight, none)
	default:
		w.tieSelf(x, groups)
		w.tie(y, w.in(1, 1), groups)
		w.produce(w.in(1, 1), none)
		w.sink(0, 1, 1, 0, 0)
	}
	return windows
}

// groups is the group attribute, false when it does not divide both axes.
func (w *walk) groups(x, y axis) (int64, bool) {
	g := w.n.Int("group", 1)
	if x == none || y == none || g < 1 {
		return 0, false
	}
	return g, g == 1 || int64(w.width[x])%g == 0 && int64(w.width[y])%g == 0
}

// depthwise ties each input channel to the output channels of its group.
func (w *walk) depthwise(x, y axis, groups int64) {
	each := w.width[y] / int32(groups)
	for i := range w.width[y] {
		w.unite(x, i/each, y, i)
	}
}

// tie removes the same positions from every group of x: index a*n+u belongs to index u of one, an axis of length n.
func (w *walk) tie(x, one axis, groups int64) {
	n := w.width[x] / int32(groups)
	if one == none || w.width[one] != n {
		w.freeze(x, w.n, "groups do not fit the weights")
		return
	}
	for i := range w.width[x] {
		w.unite(x, i, one, i%n)
	}
}

// tieSelf removes the same positions from every group of y.
func (w *walk) tieSelf(y axis, groups int64) {
	n := w.width[y] / int32(groups)
	for i := range w.width[y] {
		w.unite(y, i, y, i%n)
	}
}

// fixGroups writes the number of groups that are left of a depthwise convolution.
func fixGroups(c *cut, n *graph.Node) error {
	groups := n.Int("group", 1)
	x := c.at(n.In(0), 1)
	if groups > 1 && x != none && groups == int64(c.width[x]) && c.left(x) != groups {
		n.SetInt("group", c.left(x))
	}
	return nil
}

// gemm is Y = A' B' + C with A' and B' perhaps transposed.
func gemm(w *walk) string {
	k, m := 1, 0
	if w.n.Int("transA", 0) != 0 {
		k, m = 0, 1
	}
	kb, n := 0, 1
	if w.n.Int("transB", 0) != 0 {
		kb, n = 1, 0
	}
	w.same(w.in(0, m), w.out(0, 0))
	w.same(w.in(0, k), w.in(1, kb))
	w.same(w.in(1, n), w.out(0, 1))
	w.spread(w.n.In(2), w.n.Out(0))
	w.produce(w.in(1, n), w.out(0, 1))
	w.sink(0, k, 1, kb, 0)
	return ""
}

// matMul multiplies stacks of matrices; operands of rank 1 lose their axis.
func matMul(w *walk) string { return w.multiply(0, 1) }

// multiply is matMul of the inputs ka and kb.
func (w *walk) multiply(ka, kb int) string {
	a, b, y := w.n.In(ka), w.n.In(kb), w.n.Out(0)
	ra, rb := rank(a), rank(b)
	if ra == 0 || rb == 0 {
		return "an operand is a scalar"
	}
	inner := max(-2, -rb)
	w.same(w.at(a, -1), w.at(b, inner))
	if ra > 1 {
		w.same(w.at(a, -2), w.at(y, -min(2, rb)))
	}
	if rb > 1 {
		w.same(w.at(b, -1), w.at(y, -1))
	}
	w.stacks(a, y, ra, rb)
	w.stacks(b, y, ra, rb)
	switch {
	case b.Const() != nil || dequantized(b):
		w.sink(ka, ra-1, kb, rb+inner, 0)
		w.produce(w.at(b, -1), w.at(y, -1))
	case a.Const() != nil || dequantized(a):
		w.sink(kb, rb+inner, ka, ra-1, 0)
		w.produce(w.at(a, -2), w.at(y, -2))
	default:
		w.sink(ka, ra-1, kb, rb+inner, 0)
		w.stacked(a)
		w.stacked(b)
	}
	return ""
}

// stacked marks the leading axes of an operand of a product of two activations.
func (w *walk) stacked(v *graph.Value) {
	for i := range max(0, rank(v)-2) {
		w.mark(w.at(v, i), batched)
	}
}

// stacks unites the leading axes of an operand of a product, aligned from the right, with those of the result.
func (w *walk) stacks(v, y *graph.Value, ra, rb int) {
	matrix := min(ra, 2) + min(rb, 2) - 2 // axes of y that are no stack
	for i := 3; i <= rank(v); i++ {
		a := w.at(v, -i)
		if d := v.Shape().Dims[rank(v)-i]; d.Value == 1 {
			continue
		}
		w.same(a, w.at(y, -(i-2+matrix)))
	}
}

// dequantized tells whether v is a constant behind DequantizeLinear.
func dequantized(v *graph.Value) bool {
	d := v.Def()
	return d != nil && d.Op() == "DequantizeLinear" && d.In(0) != nil && d.In(0).Const() != nil
}

// einsum unites the occurrences of every label. Labels that the result lacks are summed over.
func einsum(w *walk) string {
	text := strings.ReplaceAll(w.n.String("equation", ""), " ", "")
	left, right, explicit := strings.Cut(text, "->")
	terms := strings.Split(left, ",")
	if !explicit || strings.Contains(text, ".") || len(terms) != w.n.NumIn() || len(right) != rank(w.n.Out(0)) {
		return "the equation is not of the plain form ab,bc->ac"
	}
	for i, term := range terms {
		if len(term) != rank(w.n.In(i)) {
			return "the equation does not fit the operands"
		}
	}
	seen := map[byte]axis{}
	for j := range len(right) {
		seen[right[j]] = w.out(0, j)
		w.touch(w.out(0, j))
	}
	for i, term := range terms {
		for j := range len(term) {
			a := w.in(i, j)
			if first, ok := seen[term[j]]; ok {
				w.same(a, first)
			} else {
				seen[term[j]] = a
				w.touch(a)
			}
			if k := strings.IndexByte(right, term[j]); k >= 0 && w.n.In(i).Const() != nil {
				w.produce(a, w.out(0, k))
			}
		}
	}
	return w.einsumSinks(terms, right)
}

// einsumSinks records the labels that are summed over: they must stand in two operands, or removing an index could not be masked.
func (w *walk) einsumSinks(terms []string, right string) string {
	var done []byte
	for i, term := range terms {
		for j := range len(term) {
			l := term[j]
			if strings.IndexByte(right, l) >= 0 || slices.Contains(done, l) {
				continue
			}
			done = append(done, l)
			other, at := -1, -1
			for k := i + 1; k < len(terms) && other < 0; k++ {
				if p := strings.IndexByte(terms[k], l); p >= 0 {
					other, at = k, p
				}
			}
			if other < 0 {
				w.freeze(w.in(i, j), w.n, "it is summed over without a factor")
				continue
			}
			w.sink(i, j, other, at, 0)
		}
	}
	return ""
}

// isFloat tells whether the elements of v are floating-point numbers.
func isFloat(v *graph.Value) bool {
	return v != nil && v.Elem() != onnx.Undefined && v.Elem().IsFloat()
}
