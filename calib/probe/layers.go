package probe

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Layer is a node that computes on quantized operands in one model and on
// float ones in another, with the quantizers that are there for its sake.
type Layer struct {
	Name   string // as users know the node: its name, or that of its first output
	Op     string
	Output string // its first output, equal in both models

	changes []change
}

// change makes one input of a node read a quantized form of what it reads now.
type change struct {
	node  string // the name of the node's first output
	input int
	data  *onnx.Tensor // takes the place of what is read, when not nil
	links []link       // and goes, like anything else, through these
}

// link is one QuantizeLinear or DequantizeLinear with constant parameters.
type link struct {
	op     string
	attrs  []*onnx.Attribute
	params []*onnx.Tensor // scale, and zero point where there is one
}

// Layers lists, in graph order, the nodes of the main graph that read
// quantized operands in quantized and float ones in float, a model with the
// same names: products with their weights, and additions that are quantized
// for their own sake. A pair behind data movement counts for the node that
// the moved data reaches. A pair on a layer's output belongs to it as far as
// nodes read it that are no layers themselves.
func Layers(float, quantized *graph.Model) []*Layer {
	f := &finder{float: float.Main, layers: map[*graph.Node]*Layer{}}
	var order []*graph.Node
	for n := range quantized.Main.Nodes() {
		if l := f.layer(n); l != nil {
			f.layers[n] = l
			order = append(order, n)
		}
	}
	out := make([]*Layer, len(order))
	for i, n := range order {
		out[i] = f.layers[n]
		f.addOutput(n)
	}
	return out
}

type finder struct {
	float  *graph.Graph
	layers map[*graph.Node]*Layer // by node of the quantized model
}

// layer is the layer that n is; nil when it is none.
func (f *finder) layer(n *graph.Node) *Layer {
	if !n.Is("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "LSTM", "GRU", "RNN", "Gather") || n.Out(0) == nil {
		return nil
	}
	was := f.counterpart(n)
	if was == nil {
		return nil
	}
	l := &Layer{Name: nodeName(n), Op: n.Op(), Output: n.Out(0).Name()}
	for i, v := range n.Ins() {
		if links, data := quantizers(v); len(links) > 0 {
			l.changes = append(l.changes, change{l.Output, i, data, links})
		}
	}
	if len(l.changes) == 0 {
		return nil
	}
	f.addBias(l, n, was)
	return l
}

// counterpart is the node of the float model that computes what n does; nil when there is none.
func (f *finder) counterpart(n *graph.Node) *graph.Node {
	v := f.float.Local(n.Out(0).Name())
	if v == nil || v.Def() == nil || v.Def().Op() != n.Op() || v.Def().NumIn() > n.NumIn() {
		return nil
	}
	return v.Def()
}

// addBias adds a bias of n, or behind a MatMul the constant addend, that quantization changed.
func (f *finder) addBias(l *Layer, n, was *graph.Node) {
	for i, v := range n.Ins() {
		if v != nil && v.Const() != nil && (was.In(i) == nil || was.In(i).Const() != v.Const()) {
			l.changes = append(l.changes, change{node: l.Output, input: i, data: v.Const()})
		}
	}
	if uses := n.Out(0).Uses(); n.Is("MatMul") && len(uses) == 1 && uses[0].Node.Is("Add") {
		add := uses[0].Node
		other := add.In(1 - uses[0].Index)
		if before := f.counterpart(add); before != nil && other != nil && other.Const() != nil && before.In(1-uses[0].Index).Const() != other.Const() {
			l.changes = append(l.changes, change{node: add.Out(0).Name(), input: 1 - uses[0].Index, data: other.Const()})
		}
	}
}

// addOutput adds the pair on the output of n, or behind its activation, for readers that are no layers.
func (f *finder) addOutput(n *graph.Node) {
	v := n.Out(0)
	for range 2 {
		for _, u := range v.Uses() {
			if u.Node.Is("QuantizeLinear") && u.Index == 0 {
				f.addReaders(f.layers[n], u.Node)
				return
			}
		}
		if v.NumUses() != 1 || !v.Uses()[0].Node.Is("Relu", "Clip", "LeakyRelu", "Sigmoid") {
			return
		}
		v = v.Uses()[0].Node.Out(0)
	}
}

// addReaders adds the readers behind the QuantizeLinear q.
func (f *finder) addReaders(l *Layer, q *graph.Node) {
	for _, d := range q.Out(0).Uses() {
		if !d.Node.Is("DequantizeLinear") {
			continue
		}
		for _, u := range d.Node.Out(0).Uses() {
			links, data := quantizers(d.Node.Out(0))
			if !u.IsReturn() && !isPair(u.Node) && f.layers[u.Node] == nil && u.Node.Out(0) != nil && data == nil && u.Node.Graph() == q.Graph() {
				l.changes = append(l.changes, change{u.Node.Out(0).Name(), u.Index, nil, links})
			}
		}
	}
}

func isPair(n *graph.Node) bool { return n.Is("QuantizeLinear", "DequantizeLinear") }

// quantizers are the links that v went through, and the constant before them
// if there is one. Links of one scale are found behind data movement as well.
func quantizers(v *graph.Value) (links []link, data *onnx.Tensor) {
	for range 8 {
		if v == nil {
			return nil, nil
		}
		base, found := chain(v)
		switch {
		case len(found) > 0 && base.Const() != nil:
			return found, base.Const()
		case len(found) > 0:
			return found, nil
		case !moves(v.Def()):
			return nil, nil
		}
		if _, found = chain(v.Def().In(0)); len(found) > 0 && !perTensor(found) {
			return nil, nil
		}
		v = v.Def().In(0)
		if v != nil && len(found) > 0 {
			if base, _ := chain(v); base.Const() != nil {
				return nil, nil // a constant that is moved: there is no place for its codes
			}
		}
	}
	return nil, nil
}

// chain is what v went through last, first link first, and what came before.
func chain(v *graph.Value) (base *graph.Value, links []link) {
	for v != nil && v.Def() != nil && isPair(v.Def()) && len(links) < 4 {
		n := v.Def()
		l := link{op: n.Op(), attrs: n.Attrs()}
		for _, p := range n.Ins()[1:] {
			if p == nil || p.Const() == nil {
				return v, nil
			}
			l.params = append(l.params, p.Const())
		}
		links = append([]link{l}, links...)
		v = n.In(0)
	}
	return v, links
}

// perTensor says whether all links have one scale.
func perTensor(links []link) bool {
	for _, l := range links {
		n := int64(1)
		for _, d := range l.params[0].Dims {
			n *= d
		}
		if n != 1 {
			return false
		}
	}
	return true
}

// moves says whether n only moves, or selects among, the elements of its first input.
func moves(n *graph.Node) bool {
	return n != nil && n.Is("MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Identity", "Split",
		"Concat", "DepthToSpace", "SpaceToDepth", "Resize", "Pad", "Expand", "Tile") && n.In(0) != nil
}

// nodeName is the name by which users know a node.
func nodeName(n *graph.Node) string {
	if n.Name() != "" {
		return n.Name()
	}
	return n.Out(0).Name()
}

// Apply quantizes the layer, and nothing else, in a copy of the float model or
// of a part of it that has the layer.
func (l *Layer) Apply(m *graph.Model) error {
	for _, c := range l.changes {
		v := m.Main.Local(c.node)
		if v == nil || v.Def() == nil {
			if c.node == l.Output {
				return fmt.Errorf("layer %s: the model has no value %s", l.Name, c.node)
			}
			continue // a reader of the layer's output that leads to no wanted output
		}
		c.apply(v.Def())
	}
	return nil
}

func (c change) apply(n *graph.Node) {
	x, g := n.In(c.input), n.Graph()
	if c.data != nil {
		x = g.Init(c.node+"_probe", c.data)
	}
	for _, l := range c.links {
		in := []*graph.Value{x}
		for _, p := range l.params {
			in = append(in, g.Init(c.node+"_parameter", p))
		}
		x = n.Before().OpN(l.op, "", c.node+"_probe", 1, l.attrs, in...).Out(0)
	}
	n.SetIn(c.input, x)
}

// Branch adds to a copy of the float model a second node that computes the
// layer with its quantized operands beside the first, and returns its output.
// So one run gives the errors that many layers make for themselves.
func (l *Layer) Branch(m *graph.Model) (*graph.Value, error) {
	v := m.Main.Local(l.Output)
	if v == nil || v.Def() == nil || len(v.Def().Subgraphs()) > 0 {
		return nil, fmt.Errorf("layer %s: the model has no node without subgraphs that computes %s", l.Name, l.Output)
	}
	n := v.Def()
	twin := n.After().OpN(n.Op(), n.Domain(), l.Output+"_probe", n.NumOut(), n.Attrs(), n.Ins()...)
	for _, c := range l.changes {
		if c.node == l.Output {
			c.apply(twin)
		}
	}
	return twin.Out(v.Index()), nil
}
