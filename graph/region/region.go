// Package region finds groups of nodes that belong together: what an exporter
// wrote out of a normalisation, an activation function, a softmax, an
// attention or a gate. It reads graphs and changes nothing. A pass that asks
// knows where no border between number formats may lie, and which sums want
// full precision.
package region

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// Kind says what a region computes.
type Kind string

// The kinds of regions.
const (
	LayerNorm    Kind = "LayerNorm"    // (x - mean) / sqrt(variance + epsilon), over trailing axes or the channels
	RMSNorm      Kind = "RMSNorm"      // x / sqrt(mean of squares + epsilon)
	L2Norm       Kind = "L2Norm"       // x / sqrt(sum of squares)
	InstanceNorm Kind = "InstanceNorm" // LayerNorm over the positions of a map
	GroupNorm    Kind = "GroupNorm"    // LayerNorm over positions and groups of channels
	Softmax      Kind = "Softmax"
	GELU         Kind = "GELU"
	SiLU         Kind = "SiLU" // also called Swish
	HardSwish    Kind = "HardSwish"
	Mish         Kind = "Mish"
	Activation   Kind = "activation" // another function of one tensor whose branches meet again
	Gate         Kind = "squeeze-and-excite gate"
	Attention    Kind = "attention"
)

// Normalises says whether the kind divides by a statistic of its input.
func (k Kind) Normalises() bool {
	return slices.Contains([]Kind{LayerNorm, RMSNorm, L2Norm, InstanceNorm, GroupNorm}, k)
}

// Elementwise says whether the kind is a function of single elements.
func (k Kind) Elementwise() bool {
	return slices.Contains([]Kind{GELU, SiLU, HardSwish, Mish, Activation}, k)
}

// Region is a group of nodes of one graph. Only Out leaves it, except that an
// attention and a gate also hold layers, which a pass may treat by themselves.
type Region struct {
	Kind  Kind
	Form  string        // "fused" for a single operator, otherwise which of the written-out forms: "decomposed", "erf", "tanh", ...
	Nodes []*graph.Node // in the order of the graph
	In    *graph.Value  // what it reads: the left operand of the scores for an attention, the pooled map for a gate
	Out   *graph.Value  // what it computes

	Scores, Values *graph.Node // of an attention: the products queries x keys and probabilities x values
	Masked         bool        // of an attention: a computed tensor joins between scores and softmax
}

// Name is the name of the last node, or of what it computes when it has none.
func (r *Region) Name() string {
	if n := r.Nodes[len(r.Nodes)-1]; n.Name() != "" {
		return n.Name()
	}
	return r.Out.Name()
}

// String is the kind with the name, as messages show it.
func (r *Region) String() string { return string(r.Kind) + " '" + r.Name() + "'" }

// Map holds the regions of one graph.
type Map struct {
	list    []*Region
	of      map[*graph.Node][]*Region
	sources map[*graph.Value]*graph.Value
}

// Find recognises the regions of g, without those of the bodies inside its
// nodes. The graph has to be in topological order.
func Find(g *graph.Graph) *Map {
	f := &finder{graph: g, order: map[*graph.Node]int{}, m: &Map{of: map[*graph.Node][]*Region{}, sources: map[*graph.Value]*graph.Value{}}}
	for n := range g.Nodes() {
		f.order[n] = len(f.order)
		if v := n.Out(0); v != nil {
			f.m.sources[v] = f.source(n)
		}
	}
	f.activations()
	f.norms()
	f.softmaxes()
	f.attentions()
	f.gates()
	f.finish()
	return f.m
}

// All are the regions by their last node.
func (m *Map) All() []*Region { return m.list }

// Of are the regions that n belongs to.
func (m *Map) Of(n *graph.Node) []*Region { return m.of[n] }

// Source is the tensor of which v is an elementwise function, through as few
// nodes as possible: the input of a node with one computed tensor, or where
// the branches part that meet in a node with two. It is nil when there is none.
func (m *Map) Source(v *graph.Value) *graph.Value { return m.sources[v] }

// Inside is the region in whose interior v lies: v is computed and read by its
// nodes only. Attentions and gates are not looked at: they hold layers.
func (m *Map) Inside(v *graph.Value) *Region {
	if v.Def() == nil {
		return nil
	}
	for _, r := range m.of[v.Def()] {
		if r.Kind != Attention && r.Kind != Gate && r.Out != v {
			return r
		}
	}
	return nil
}

// finder gathers the regions of one graph.
type finder struct {
	graph *graph.Graph
	order map[*graph.Node]int
	m     *Map
}

// add records a region of the given nodes.
func (f *finder) add(r *Region, nodes map[*graph.Node]bool) {
	for n := range nodes {
		r.Nodes = append(r.Nodes, n)
	}
	slices.SortFunc(r.Nodes, func(a, b *graph.Node) int { return f.order[a] - f.order[b] })
	f.m.list = append(f.m.list, r)
	for _, n := range r.Nodes {
		f.m.of[n] = append(f.m.of[n], r)
	}
}

// finish drops activations that are pieces of something larger, and sorts.
func (f *finder) finish() {
	kept := f.m.list[:0]
	for _, r := range f.m.list {
		if r.Kind != Activation || !f.piece(r) {
			kept = append(kept, r)
		}
	}
	f.m.list = kept
	clear(f.m.of)
	slices.SortStableFunc(f.m.list, func(a, b *Region) int { return f.end(a) - f.end(b) })
	for _, r := range f.m.list {
		for _, n := range r.Nodes {
			f.m.of[n] = append(f.m.of[n], r)
		}
	}
}

func (f *finder) end(r *Region) int { return f.order[r.Nodes[len(r.Nodes)-1]] }

// piece says whether another region, a gate or an attention apart, holds all nodes of r and more.
func (f *finder) piece(r *Region) bool {
	for _, o := range f.m.of[r.Nodes[0]] {
		if o == r || o.Kind == Gate || o.Kind == Attention || len(o.Nodes) <= len(r.Nodes) {
			continue
		}
		if !slices.ContainsFunc(r.Nodes, func(n *graph.Node) bool { return !slices.Contains(o.Nodes, n) }) {
			return true
		}
	}
	return false
}

// computed are the inputs of n that are no constants.
func computed(n *graph.Node) []*graph.Value {
	var out []*graph.Value
	for _, v := range n.Ins() {
		if v != nil && v.Const() == nil {
			out = append(out, v)
		}
	}
	return out
}

// distinct are the different values among the computed inputs of n.
func distinct(n *graph.Node) []*graph.Value {
	var out []*graph.Value
	for _, v := range computed(n) {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// scalar is the value of a constant with one element.
func scalar(v *graph.Value) (float64, bool) {
	if v == nil || v.Const() == nil {
		return 0, false
	}
	if n, err := v.Const().NumElements(); err != nil || n != 1 {
		return 0, false
	}
	if x, err := v.Const().Float32s(); err == nil && len(x) == 1 {
		return float64(x[0]), true
	}
	x, err := v.Const().Int64s()
	if err != nil || len(x) != 1 {
		return 0, false
	}
	return float64(x[0]), true
}

// soleReader is the node that alone reads v; nil when v is a graph output.
func soleReader(v *graph.Value) *graph.Node {
	if v == nil || v.NumUses() != 1 || v.Uses()[0].IsReturn() {
		return nil
	}
	return v.Uses()[0].Node
}

// operator says whether n is one of the operators of ai.onnx or com.microsoft.
func operator(n *graph.Node, ops ...string) bool {
	return (n.Domain() == "" || n.Domain() == "com.microsoft") && slices.Contains(ops, n.Op())
}

// def is the node that computes v as its first output; nil for inputs, constants and nothing.
func def(v *graph.Value) *graph.Node {
	if v == nil || v.Def() == nil || v.Def().Out(0) != v {
		return nil
	}
	return v.Def()
}
