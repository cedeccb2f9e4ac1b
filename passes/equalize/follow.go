package equalize

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// up decides where the factors of v come from: the node that computes it takes
// up the division, or passes it on to its inputs.
func (c *class) up(v *graph.Value, axis int) {
	n := v.Def()
	if c.nodes[n] {
		return
	}
	rank := rankOf(v)
	switch {
	case n.Out(0) != v || n.Domain() != "":
		c.fail(n.Op() + " computes it")
	case c.outputs && n.Is("PRelu", "LeakyRelu") && n.In(0).Def() != nil && isLinear(n.In(0).Def()):
		c.fail("what goes into the " + n.Op() + " is quantized as well, and has other ranges")
	case commutes(n, axis):
		c.nodes[n] = true
		c.visit(n.In(0), axis)
	case n.Is("Transpose"):
		if p := permutation(n, rank); p != nil {
			c.nodes[n] = true
			c.visit(n.In(0), p[axis])
			return
		}
		c.fail("a Transpose of unknown rank computes it")
	case isLinear(n):
		if !c.producesChannels(n, axis, rank) {
			c.fail("the weights of the " + n.Op() + " that computes it cannot take up factors")
			return
		}
		c.edit(edit{node: n, kind: editOutputs, divide: true})
	case n.Is("BatchNormalization") && c.constantNorm(n) && axis == 1:
		c.edit(edit{node: n, kind: editNorm, divide: true})
	case n.Is("LayerNormalization") && c.constantNorm(n) && axis == rank-1 && lastAxisNorm(n, rank) && onlyFirst(n):
		c.edit(edit{node: n, kind: editNorm, divide: true})
	case n.Is("Add", "Sub"):
		c.addition(n, axis, rank)
	case c.gated && gateOf(n) != nil:
		c.gate(n, axis)
	case n.Is("Mul") || n.Is("Div") && constantOperand(n) == 1:
		i := constantOperand(n)
		if i < 0 || spread(n.In(i).Const(), axis, rank, c.channels) == nil {
			c.fail("a product of two tensors computes it")
			return
		}
		c.edit(edit{node: n, kind: editConstant, axis: axis, rank: rank, index: i, divide: n.Is("Mul")})
	default:
		c.fail(n.Op() + " computes it")
	}
}

// down decides who takes up the multiplication for one reader.
func (c *class) down(u graph.Use, axis int) {
	n := u.Node
	switch {
	case u.IsReturn():
		c.fail("it is a graph output")
	case n.Graph() != u.Value().Graph():
		c.fail("a body of If, Loop or Scan reads it")
	case c.nodes[n]:
	case n.Domain() != "":
		c.fail(n.Op() + " reads it")
	case n.Is("Shape", "Size"):
	case u.Index == 0 && commutes(n, axis):
		c.nodes[n] = true
		c.visit(n.Out(0), axis)
	case n.Is("Transpose"):
		if p := permutation(n, rankOf(u.Value())); p != nil {
			c.nodes[n] = true
			c.visit(n.Out(0), slices.Index(p, axis))
			return
		}
		c.fail("a Transpose of unknown rank reads it")
	case u.Index == 0 && isLinear(n):
		r := asReader(n)
		if r == nil || r.layout.channels != c.channels || inputAxis(n) != axis && inputAxis(n)+rankOf(u.Value()) != axis {
			c.fail("the weights of a " + n.Op() + " that reads it cannot take up factors")
			return
		}
		c.edit(edit{node: n, kind: editInputs})
	case u.Index == 0 && n.Is("BatchNormalization") && c.constantNorm(n) && axis == 1:
		c.edit(edit{node: n, kind: editNormIn})
	case n.Is("Add", "Sub"):
		c.addition(n, axis, rankOf(n.Out(0)))
	case n.Is("Mul") || n.Is("Div") && u.Index == 0:
		c.product(u, axis)
	default:
		c.fail(n.Op() + " reads it")
	}
}

func (c *class) edit(x edit) { c.edits = append(c.edits, x) }

// addition joins both operands and the result; a constant operand is divided.
func (c *class) addition(n *graph.Node, axis, rank int) {
	c.nodes[n] = true
	c.visit(n.Out(0), axis)
	for i, v := range n.Ins() {
		switch {
		case v.Const() != nil:
			if spread(v.Const(), axis, rank, c.channels) == nil {
				c.fail("a constant that is added has another shape")
				return
			}
			c.edit(edit{node: n, kind: editConstant, axis: axis, rank: rank, index: i, divide: true})
		case rankOf(v) != rank:
			c.fail("an addition broadcasts it")
		default:
			c.visit(v, axis)
		}
	}
}

// product passes the factors on to the constant operand of a product that reads the class.
func (c *class) product(u graph.Use, axis int) {
	n := u.Node
	i := constantOperand(n)
	rank := rankOf(n.Out(0))
	if i < 0 || rank != rankOf(u.Value()) || spread(n.In(i).Const(), axis, rank, c.channels) == nil {
		c.fail("a product with another tensor reads it")
		return
	}
	c.edit(edit{node: n, kind: editConstant, axis: axis, rank: rank, index: i, divide: n.Is("Div")})
}

// permutation is the axis order of a Transpose, output to input; nil when the rank is not known.
func permutation(n *graph.Node, rank int) []int {
	if rank == 0 {
		return nil
	}
	p := make([]int, rank)
	for i := range p {
		p[i] = rank - 1 - i
	}
	given := n.Ints("perm", nil)
	if given == nil {
		return p
	}
	for i := range p {
		if len(given) != rank || given[i] < 0 || int(given[i]) >= rank {
			return nil
		}
		p[i] = int(given[i])
	}
	return p
}

// constantOperand is the index of the only constant operand of a binary operator, or -1.
func constantOperand(n *graph.Node) int {
	if n.NumIn() != 2 || n.In(0) == nil || n.In(1) == nil {
		return -1
	}
	a, b := n.In(0).Const() != nil, n.In(1).Const() != nil
	switch {
	case a == b:
		return -1
	case a:
		return 0
	}
	return 1
}

func isLinear(n *graph.Node) bool { return n.Is("Conv", "ConvTranspose", "Gemm", "MatMul") }

// producesChannels says whether weights and bias of a layer can be divided by output channel along the axis of its output.
func (c *class) producesChannels(n *graph.Node, axis, rank int) bool {
	if floatWeights(n.In(1)) == nil || n.In(0) == nil || n.In(0).Const() != nil {
		return false
	}
	l, ok := inputLayout(n)
	if !ok || l.outputs != c.channels || n.Is("MatMul") && axis != rank-1 || !n.Is("MatMul") && axis != 1 {
		return false
	}
	b := n.In(2)
	if n.Is("MatMul") || b == nil {
		return true
	}
	if b.Const() == nil || b.Const().Type != onnx.Float {
		return false
	}
	if n.Is("Gemm") {
		return spread(b.Const(), 1, 2, l.outputs) != nil
	}
	count, err := b.Const().NumElements()
	return err == nil && count == int64(l.outputs)
}

// spatial are operators that treat every channel of a feature map alike and keep factors.
var spatial = []string{"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}

// commutes says whether n(x/r) = n(x)/r for positive factors r along the axis, with x the first input and all others constants.
func commutes(n *graph.Node, axis int) bool {
	switch {
	case n.NumOut() > 1 && !onlyFirst(n):
		return false
	case n.Is("Relu", "LeakyRelu", "Identity"):
		return true
	case n.Is("Dropout"):
		return n.In(2) == nil
	case n.Is("PRelu"):
		return n.In(1) != nil && n.In(1).Const() != nil
	case n.Is(spatial...):
		return axis == 1
	case n.Is("Pad"):
		return padsZeros(n)
	case n.Is("Resize"):
		return axis == 1 && n.String("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize"
	case n.Is("Clip"):
		return clipsBelowZero(n)
	}
	return false
}

func onlyFirst(n *graph.Node) bool {
	for _, v := range n.Outs()[1:] {
		if v != nil {
			return false
		}
	}
	return true
}

// padsZeros says whether a Pad adds zeros or copies.
func padsZeros(n *graph.Node) bool {
	if n.Version() < 11 {
		return n.Float("value", 0) == 0
	}
	if n.String("mode", "constant") != "constant" || n.In(2) == nil {
		return true
	}
	x, ok := scalar(n.In(2))
	return ok && x == 0
}

// clipsBelowZero says whether a Clip is a Relu.
func clipsBelowZero(n *graph.Node) bool {
	if n.Version() < 11 || n.In(1) == nil {
		return false
	}
	lo, ok := scalar(n.In(1))
	return ok && lo == 0 && n.In(2) == nil
}

// scalar is the value of a constant of one float element.
func scalar(v *graph.Value) (float64, bool) {
	if v == nil || v.Const() == nil {
		return 0, false
	}
	f, err := v.Const().Float32s()
	if err != nil || len(f) != 1 {
		return 0, false
	}
	return float64(f[0]), true
}

// constantNorm says whether the parameters of a normalization are float32 constants, one number for each channel, and it does not train.
func (c *class) constantNorm(n *graph.Node) bool {
	return n.Int("training_mode", 0) == 0 && !slices.ContainsFunc(n.Ins()[1:], func(v *graph.Value) bool {
		if v == nil || v.Const() == nil || v.Const().Type != onnx.Float {
			return true
		}
		count, err := v.Const().NumElements()
		return err != nil || count != int64(c.channels)
	})
}

// lastAxisNorm says whether a LayerNormalization has one gain for each index of the last axis.
func lastAxisNorm(n *graph.Node, rank int) bool {
	a := int(n.Int("axis", -1))
	return a == -1 || a == rank-1
}
