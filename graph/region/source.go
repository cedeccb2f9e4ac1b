package region

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// unary are elementwise functions of one tensor. With constants as further
// operands, those of binary are as well.
var (
	unary = []string{
		"Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Swish",
		"Softsign", "ThresholdedRelu", "Gelu", "Mish", "Erf", "Exp", "Log", "Neg", "Abs", "Sqrt", "Reciprocal", "Identity", "Dropout", "Cast",
	}
	binary = []string{"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu", "Sum"}
)

// reach bounds how far walks along a graph go: written-out activations and
// normalisations have at most a dozen nodes between two ends.
const reach = 16

// source is the tensor of which the output of n is an elementwise function.
func (f *finder) source(n *graph.Node) *graph.Value {
	if !n.Is(unary...) && !n.Is(binary...) {
		return nil
	}
	switch in := distinct(n); len(in) {
	case 1:
		return in[0]
	case 2:
		return f.meeting(in[0], in[1])
	}
	return nil
}

// meeting is the nearest tensor of which both a and b are elementwise functions.
func (f *finder) meeting(a, b *graph.Value) *graph.Value {
	var line []*graph.Value
	for ; a != nil && len(line) < reach; a = f.m.sources[a] {
		line = append(line, a)
	}
	for i := 0; b != nil && i < reach; b, i = f.m.sources[b], i+1 {
		if slices.Contains(line, b) {
			return b
		}
	}
	return nil
}

// between are the nodes on the ways from source to v; nil when one of them is
// not elementwise or there are too many.
func between(source, v *graph.Value) map[*graph.Node]bool {
	nodes := map[*graph.Node]bool{}
	if !gather(source, v, nodes) {
		return nil
	}
	return nodes
}

func gather(source, v *graph.Value, nodes map[*graph.Node]bool) bool {
	if v == source {
		return true
	}
	n := def(v)
	if n == nil || !n.Is(unary...) && !n.Is(binary...) {
		return false
	}
	if nodes[n] {
		return true
	}
	nodes[n] = true
	if len(nodes) > 2*reach {
		return false
	}
	for _, in := range computed(n) {
		if !gather(source, in, nodes) {
			return false
		}
	}
	return true
}
