package region

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// gateLayers are the operators with weights inside a gate; gateOps what else may lie there.
var (
	gateLayers = []string{"Conv", "Gemm", "MatMul"}
	gateOps    = []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "BatchNormalization", "Mul", "Div", "Add"}
)

// gates finds squeeze-and-excite gates: a global pooling, layers on the pooled
// vector, and the product of their result with a map.
func (f *finder) gates() {
	for n := range f.graph.Nodes() {
		if n.Out(0) == nil || n.In(0) == nil || !poolsGlobally(n) {
			continue
		}
		if nodes, out := f.gate(n); out != nil {
			f.add(&Region{Kind: Gate, Form: "decomposed", In: n.In(0), Out: out}, nodes)
		}
	}
}

// poolsGlobally says whether n averages or maximises over all positions of a map.
func poolsGlobally(n *graph.Node) bool {
	switch {
	case n.Is("GlobalAveragePool", "GlobalMaxPool"):
		return true
	case n.Is("ReduceMean", "ReduceMax"):
		axes, s := reduced(n), n.In(0).Shape()
		return s.Ranked && len(s.Dims) == 4 && (slices.Equal(axes, []int64{2, 3}) || slices.Equal(axes, []int64{1, 2}))
	case n.Is("AveragePool", "MaxPool"):
		return coversMap(n)
	}
	return false
}

// coversMap says whether the window of a pooling is the whole map.
func coversMap(n *graph.Node) bool {
	s, k := n.In(0).Shape(), n.Ints("kernel_shape", nil)
	if !s.Ranked || len(s.Dims) != len(k)+2 || len(k) == 0 {
		return false
	}
	for i, d := range s.Dims[2:] {
		if d.Value != k[i] {
			return false
		}
	}
	return true
}

// gate walks from a pooling through layers, activations and reshapes to a
// product with a computed tensor that is not made from the same path. It
// returns the nodes on the way and what the product computes, nil without one.
func (f *finder) gate(pool *graph.Node) (map[*graph.Node]bool, *graph.Value) {
	nodes, path := map[*graph.Node]bool{pool: true}, []*graph.Value{pool.Out(0)}
	layers := 0
	for v := pool.Out(0); len(path) <= reach; {
		n := onward(v)
		if n == nil || n.Out(0) == nil {
			return nil, nil
		}
		in := computed(n)
		switch {
		case n.Is(gateLayers...) && len(in) == 1:
			layers++
		case n.Is("Mul") && len(in) == 2 && !(f.derived(in[0], path) && f.derived(in[1], path)):
			if layers == 0 {
				return nil, nil
			}
			nodes[n] = true
			return nodes, n.Out(0)
		case len(in) == 1 && (n.Is(unary...) || n.Is(binary...)) || n.Is(gateOps...):
		default:
			return nil, nil
		}
		nodes[n] = true
		v = n.Out(0)
		path = append(path, v)
	}
	return nil, nil
}

// onward is the reader of v to walk to: the elementwise branch of an
// activation rather than the product that closes it. Nil when v is an output.
func onward(v *graph.Value) *graph.Node {
	var next *graph.Node
	for _, u := range v.Uses() {
		if u.IsReturn() {
			return nil
		}
		switch {
		case next == nil:
			next = u.Node
		case u.Node.Is("Mul", "Div", "Add") && len(computed(u.Node)) == 2 && len(computed(next)) == 2:
			next = u.Node
		case len(computed(next)) == 2 && len(computed(u.Node)) == 1 && !u.Node.Is("Shape"):
			next = u.Node
		}
	}
	return next
}

// derived says whether v is on the path or an elementwise function of a tensor on it.
func (f *finder) derived(v *graph.Value, path []*graph.Value) bool {
	for i := 0; v != nil && i < reach/2; i++ {
		if slices.Contains(path, v) {
			return true
		}
		v = f.m.sources[v]
	}
	return false
}
