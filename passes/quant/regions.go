package quant

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
)

// unary are elementwise functions of one tensor. With constants as further
// operands, Add, Sub, Mul, Div, Pow, Max, Min and PRelu are as well.
var unary = []string{
	"Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "Celu", "Softplus",
	"Softsign", "ThresholdedRelu", "Gelu", "Mish", "Erf", "Exp", "Neg", "Abs", "Sqrt", "Reciprocal", "Identity", "Dropout", "Cast",
}

var binary = []string{"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu"}

// computedInputs are the inputs of n that are no constants.
func computedInputs(n *graph.Node) []*graph.Value {
	var out []*graph.Value
	for _, v := range n.Ins() {
		if v != nil && v.Const() == nil {
			out = append(out, v)
		}
	}
	return out
}

// elementwise says whether n is an elementwise function of one computed tensor.
func elementwise(n *graph.Node) bool {
	return n != nil && (n.Is(unary...) || n.Is(binary...)) && len(computedInputs(n)) == 1
}

// gated is the tensor x when v = f(x) * g(x) with elementwise f and g of a few
// steps (SiLU, HardSwish, GELU in their written-out forms); nil otherwise.
func gated(v *graph.Value) *graph.Value {
	n := v.Def()
	if n == nil || !n.Is("Mul", "Div", "Add") {
		return nil
	}
	in := computedInputs(n)
	if len(in) != 2 {
		return nil
	}
	sources := map[*graph.Value]bool{}
	for w, i := in[0], 0; w != nil && i < 8; i++ {
		sources[w] = true
		w = before(w)
	}
	for w, i := in[1], 0; w != nil && i < 8; i++ {
		if sources[w] {
			return w
		}
		w = before(w)
	}
	return nil
}

// before is the tensor of which v is an elementwise function, nil when there is none.
func before(v *graph.Value) *graph.Value {
	if n := v.Def(); elementwise(n) {
		return computedInputs(n)[0]
	}
	return nil
}

// producer is the linear node whose output, after normalisation by constants
// and an activation, is v; nil when v is something else.
func producer(v *graph.Value) *graph.Node {
	for range 12 {
		n := v.Def()
		switch {
		case n == nil:
			return nil
		case n.Is(linear...):
			return n
		case n.Is("BatchNormalization"):
			v = n.In(0)
		case elementwise(n):
			v = computedInputs(n)[0]
		default:
			x := gated(v)
			if x == nil {
				return nil
			}
			v = x
		}
	}
	return nil
}

// bounds is the interval that the graph confines v to.
func bounds(v *graph.Value) Bounds {
	b := unbounded
	for range 8 {
		n := v.Def()
		if n == nil {
			return b
		}
		switch {
		case n.Is("Relu", "Abs", "Exp", "Sqrt"):
			return Bounds{0, b.Hi}
		case n.Is("Sigmoid", "HardSigmoid", "Softmax"):
			return Bounds{0, 1}
		case n.Is("Tanh", "Softsign", "Erf"):
			return Bounds{-1, 1}
		case n.Is("Clip"):
			return clipBounds(n)
		case n.Is("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze",
			"Slice", "Identity", "Dropout", "DepthToSpace", "SpaceToDepth", "Split", "Gather", "Expand", "Tile") && n.In(0) != nil:
			v = n.In(0)
		default:
			return b
		}
	}
	return b
}

// clipBounds are the constant limits of a Clip.
func clipBounds(n *graph.Node) Bounds {
	b := unbounded
	if n.Attr("min") != nil || n.Attr("max") != nil {
		return Bounds{float64(n.Float("min", float32(math.Inf(-1)))), float64(n.Float("max", float32(math.Inf(1))))}
	}
	if lo, ok := scalar(n.In(1)); ok {
		b.Lo = lo
	}
	if hi, ok := scalar(n.In(2)); ok {
		b.Hi = hi
	}
	return b
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

// findGates marks the layers of squeeze-and-excite gates: what lies between a
// global pooling and the product of its result with another tensor. They are
// tiny, decide over whole channels, and every quantizer leaves them in float.
func (p *planner) findGates() {
	for n := range p.model.Main.Nodes() {
		if !isGlobalPool(n) || n.Out(0) == nil {
			continue
		}
		layers, gate := p.followGate(n.Out(0))
		if !gate {
			continue
		}
		for _, l := range layers {
			l.float("squeeze-and-excite gate")
		}
	}
}

// isGlobalPool says whether n averages or maximises over all positions of a feature map.
func isGlobalPool(n *graph.Node) bool {
	if n.Is("GlobalAveragePool", "GlobalMaxPool") {
		return true
	}
	if !n.Is("ReduceMean") || n.Out(0) == nil {
		return false
	}
	d := n.Out(0).Shape()
	return d.Ranked && len(d.Dims) == 4 && d.Dims[2].Value == 1 && d.Dims[3].Value == 1
}

// followGate walks from a pooled tensor through layers, activations and
// reshapes to a product with another computed tensor that is not made from the
// same path. It returns the layers on the way.
func (p *planner) followGate(v *graph.Value) ([]*layer, bool) {
	var layers []*layer
	path := map[*graph.Value]bool{v: true}
	for range 16 {
		var next *graph.Node
		for _, u := range v.Uses() {
			if u.IsReturn() {
				return nil, false
			}
			if next == nil || u.Node.Is("Mul", "Div", "Add") && len(computedInputs(u.Node)) == 2 {
				next = pick(next, u.Node)
			}
		}
		if next == nil || next.Out(0) == nil {
			return nil, false
		}
		if l := p.byNode[next]; l != nil {
			layers = append(layers, l)
		} else if in := computedInputs(next); next.Is("Mul") && len(in) == 2 && !(derived(in[0], path) && derived(in[1], path)) {
			return layers, len(layers) > 0
		} else if !elementwise(next) && !next.Is("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "BatchNormalization", "Mul", "Div", "Add") {
			return nil, false
		}
		v = next.Out(0)
		path[v] = true
	}
	return nil, false
}

// pick prefers the elementwise branch of an activation over the product that
// closes it, so that a walk through v * f(v) visits f.
func pick(a, b *graph.Node) *graph.Node {
	if a == nil || len(computedInputs(a)) == 2 {
		return b
	}
	return a
}

// derived says whether v is on the path or an elementwise function of a tensor on it.
func derived(v *graph.Value, path map[*graph.Value]bool) bool {
	for i := 0; v != nil && i < 8; i++ {
		if path[v] {
			return true
		}
		v = before(v)
	}
	return false
}
