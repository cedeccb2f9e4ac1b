package axes

import "github.com/onnxpass/onnxpass/graph"

// Operators that compute with integer codes. A product of codes has no masked
// reference unless the weights are constant, so that the code that means zero
// can be written into them: else the axis that is summed over stays.

// convInteger has x, w, the zero point of x, that of w.
func convInteger(w *walk) string {
	if !w.codes(1, 3) {
		return "its weights or their zero points are computed"
	}
	return w.convolve(1, 3, 3)
}

// qlinearConv has x, scale, zero point, w, scale, zero point, those of y, bias.
func qlinearConv(w *walk) string {
	switch {
	case w.n.Int("channels_last", 0) != 0:
		return "channels come last"
	case !w.codes(3, 5):
		return "its weights or their zero points are computed"
	}
	return w.convolve(3, 5, 4, 5, 8)
}

// integerMatMul is a product of codes of inputs 0 and k; zero is the input with
// the zero points of the second, perOut are inputs with a value for each column of the result.
func integerMatMul(k, zero int, perOut ...int) func(*walk) string {
	return func(w *walk) string {
		a, b, y := w.n.In(0), w.n.In(k), w.n.Out(0)
		if rank(a) < 2 || rank(b) < 2 {
			return "an operand is no matrix"
		}
		for _, i := range append(perOut, zero) {
			w.perChannel(i, w.at(y, -1))
		}
		w.same(w.at(b, -1), w.at(y, -1))
		w.same(w.at(a, -2), w.at(y, -2))
		w.stacks(a, y, rank(a), rank(b))
		w.stacks(b, y, rank(a), rank(b))
		if !w.codes(k, zero) {
			return "both factors are computed codes"
		}
		w.same(w.at(a, -1), w.at(b, -2))
		w.produce(w.at(b, -1), w.at(y, -1))
		w.sink(0, rank(a)-1, k, rank(b)-2, zero)
		return "codes of a row share a zero point"
	}
}

// qgemm is QGemm: a, scale, zero point, b, scale, zero point, c, those of y.
func qgemm(w *walk) string {
	kb, n := 0, 1
	if w.n.Int("transB", 0) != 0 {
		kb, n = 1, 0
	}
	if w.n.Int("transA", 0) != 0 || !w.codes(3, 5) {
		return "its weights or their zero points are computed"
	}
	y := w.out(0, 1)
	for _, i := range []int{4, 5, 6} {
		w.perChannel(i, y)
	}
	w.same(w.in(0, 0), w.out(0, 0))
	w.same(w.in(0, 1), w.in(3, kb))
	w.same(w.in(3, n), y)
	w.produce(w.in(3, n), y)
	w.sink(0, 1, 3, kb, 5)
	return ""
}

// codes tells whether the integer weights at input k and their zero points, when there are any, are constant.
func (w *walk) codes(k, zero int) bool {
	b, z := w.n.In(k), w.n.In(zero)
	return b != nil && b.Const() != nil && b.Const().Type.Bits() == 8 && (z == nil || z.Const() != nil)
}

// dynamicProduct quantizes its first input by the range of all of it; only the columns of the second are independent.
func dynamicProduct(w *walk) string {
	y := w.out(0, rank(w.n.Out(0))-1)
	w.same(w.at(w.n.In(1), -1), y)
	for i := 2; i <= 4; i++ {
		w.perChannel(i, y)
	}
	w.produce(w.at(w.n.In(1), -1), y)
	return wholeRange
}

// dynamicQuantize scales by the range of the whole tensor: what is removed would change the codes of what stays.
func dynamicQuantize(*walk) string { return wholeRange }

const wholeRange = "its scale depends on all channels"

// packedMatMul is a product with weights whose inputs are packed in blocks: only outputs, their rows, can go.
func packedMatMul(w *walk) string {
	x, y := w.n.In(0), w.n.Out(0)
	out, rows := w.at(y, -1), w.in(1, 0)
	for i := range rank(x) - 1 {
		w.same(w.at(x, i), w.at(y, i))
	}
	if rows == none || out == none || w.width[rows] != w.width[out] || w.n.In(4) != nil {
		return "the layout of its weights is not followed"
	}
	w.same(rows, out)
	for _, i := range []int{2, 3, 5} {
		w.rows(i, out)
	}
	for j := 1; j < rank(w.n.In(1)); j++ {
		w.freeze(w.in(1, j), w.n, packed)
	}
	w.produce(rows, out)
	return packed
}

const packed = "inputs are packed in blocks"

// rows unites input i, which has equally many elements for each index of out one behind the other, or rows of them.
func (w *walk) rows(i int, out axis) {
	a := w.in(i, 0)
	if a == none {
		return
	}
	if w.width[a]%w.width[out] != 0 {
		w.freeze(out, w.n, "scales do not fit the weights")
		return
	}
	each := w.width[a] / w.width[out]
	for j := range w.width[a] {
		w.unite(a, j, out, j/each)
	}
}

// fixColumns writes the number of outputs that are left.
func fixColumns(c *cut, n *graph.Node) error {
	if out := c.at(n.Out(0), -1); out != none && c.left(out) != int64(c.width[out]) {
		n.SetInt("N", c.left(out))
	}
	return nil
}

// qlinearBinary has a, scale, zero point, b, scale, zero point.
func qlinearBinary(w *walk) string {
	y := w.n.Out(0)
	w.spread(w.n.In(0), y)
	w.spread(w.n.In(3), y)
	for i := range rank(y) {
		w.touch(w.at(y, i))
	}
	return ""
}

// qlinearPool passes channels where they are axis 1.
func qlinearPool(w *walk) string {
	if w.n.Int("channels_last", 0) != 0 {
		return "channels come last"
	}
	return pool(w)
}

// qlinearConcat has the scale and zero point of y, then those of each part behind it.
func qlinearConcat(w *walk) string {
	y := w.n.Out(0)
	along := int(w.n.Int("axis", 1))
	if along < 0 {
		along += rank(y)
	}
	var parts []*graph.Value
	for i := 2; i < w.n.NumIn(); i += 3 {
		parts = append(parts, w.n.In(i))
		w.pass(w.n.In(i), y, along)
	}
	w.blocks(w.out(0, along), parts, along)
	return ""
}

// qlinearSoftmax follows the standard operator of the opset that an attribute names.
func qlinearSoftmax(w *walk) string {
	if w.n.Int("opset", 0) < 13 {
		return fromAxis(1, softmaxText)(w)
	}
	w.pass(w.n.In(0), w.n.Out(0), int(w.n.Int("axis", -1)))
	return softmaxText
}
