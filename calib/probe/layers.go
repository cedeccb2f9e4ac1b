package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Layer is a node that computes on quantized operands in one model and on
// float ones in another, with the quantizers that are there for its sake.
type Layer struct {
	Name   string // as users know the node: its name, or that of its first output
	Op     string
	Output string // its first output that is there, equal in both models

	dynamic string // an operator of ONNX Runtime that takes the layer's place, "" when there is none
	changes []change
}

// change makes one input of a node read a quantized form of what it reads now.
type change struct {
	node  string // the name of the node's first output
	input int
	data  *onnx.Tensor // takes the place of what is read, when not nil
	links []link       // and goes, like anything else, through these
}

// link is one QuantizeLinear or DequantizeLinear with constant parameters. On
// the way from the codes of a constant it may be another operator as well.
type link struct {
	op     string
	attrs  []*onnx.Attribute
	params []*onnx.Tensor // the inputs but the one that the link goes through
	at     int            // the position of that one
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

// products are operators that are layers when an operand is quantized.
var products = []string{"Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "LSTM", "GRU", "RNN", "Gather"}

// layer is the layer that n is; nil when it is none.
func (f *finder) layer(n *graph.Node) *Layer {
	i := firstOutput(n)
	if i < 0 {
		return nil
	}
	dynamic := n.Domain() == microsoft && strings.HasPrefix(n.Op(), dynamicPrefix)
	if !dynamic && !n.Is(products...) {
		return nil
	}
	was := f.counterpart(n, i)
	if was == nil {
		return nil
	}
	l := &Layer{Name: nodeName(n), Op: was.Op(), Output: n.Out(i).Name()}
	if dynamic {
		l.dynamic = n.Op()
	}
	for i, v := range n.Ins() {
		if links, data := quantizers(v); len(links) > 0 {
			l.changes = append(l.changes, change{l.Output, i, data, links})
		}
	}
	if len(l.changes) == 0 && !dynamic {
		return nil
	}
	f.addBias(l, n, was)
	return l
}

// What ONNX Runtime calls operators that quantize their activations at run time.
const (
	microsoft     = "com.microsoft"
	dynamicPrefix = "DynamicQuantize"
)

func firstOutput(n *graph.Node) int {
	return slices.IndexFunc(n.Outs(), func(v *graph.Value) bool { return v != nil })
}

// counterpart is the node of the float model that computes output i of n; nil when there is none.
func (f *finder) counterpart(n *graph.Node, i int) *graph.Node {
	v := f.float.Local(n.Out(i).Name())
	if v == nil || v.Def() == nil || v.Def().NumIn() > n.NumIn() {
		return nil
	}
	if op := v.Def().Op(); op != n.Op() && dynamicPrefix+op != n.Op() {
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
	if !n.Is("MatMul") {
		return
	}
	if uses := n.Out(0).Uses(); len(uses) == 1 && uses[0].Node.Is("Add") && uses[0].Node.Out(0) != nil {
		add := uses[0].Node
		other := add.In(1 - uses[0].Index)
		before := f.counterpart(add, 0)
		if before == nil || other == nil || other.Const() == nil {
			return
		}
		if old := before.In(1 - uses[0].Index); old == nil || old.Const() != other.Const() {
			l.changes = append(l.changes, change{node: add.Out(0).Name(), input: 1 - uses[0].Index, data: other.Const()})
		}
	}
}

// addOutput adds the pair on the output of n, or behind its activation, for readers that are no layers.
func (f *finder) addOutput(n *graph.Node) {
	v := n.Out(firstOutput(n))
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
		if v = v.Uses()[0].Node.Out(0); v == nil {
			return
		}
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

// stored are operators that runtimes fold when a constant goes through them.
var stored = []string{"Cast", "Mul", "Reshape", "Transpose"}

// longest is the number of links between a constant and its reader.
const longest = 6

// chain is what v went through last, first link first, and what came before:
// pairs, and where that leads to a constant whatever restores its elements.
func chain(v *graph.Value) (base *graph.Value, links []link) {
	pairs, end := 0, v
	for v != nil && v.Def() != nil && v.Const() == nil && len(links) < longest {
		l, next := linkOf(v.Def())
		if next == nil || !isPair(v.Def()) && len(v.Def().Outs()) != 1 {
			break
		}
		if isPair(v.Def()) && pairs == len(links) {
			pairs, end = pairs+1, next
		}
		links = append(links, l)
		v = next
	}
	if v == nil || v.Const() == nil {
		v, links = end, links[:pairs]
	}
	slices.Reverse(links)
	return v, links
}

// linkOf is the link that n is, and what it goes through; nil when n is none.
func linkOf(n *graph.Node) (link, *graph.Value) {
	if !isPair(n) && !n.Is(stored...) {
		return link{}, nil
	}
	l := link{op: n.Op(), attrs: n.Attrs()}
	if n.Is("Mul") && n.In(0) != nil && n.In(0).Const() != nil {
		l.at = 1
	}
	for i, p := range n.Ins() {
		switch {
		case i == l.at:
		case p == nil || p.Const() == nil:
			return link{}, nil
		default:
			l.params = append(l.params, p.Const())
		}
	}
	return l, n.In(l.at)
}

// perTensor says whether all links have one scale.
func perTensor(links []link) bool {
	for _, l := range links {
		n := int64(1)
		for _, d := range l.params[0].Dims { // only pairs lead to values that are no constants
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
	return n.Out(firstOutput(n)).Name()
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
	if v := m.Main.Local(l.Output); l.dynamic != "" && v != nil && v.Def() != nil {
		m.SetOpset(microsoft, 1)
		v.Def().SetOp(l.dynamic, microsoft)
		v.Def().DropAttr("layout")
	}
	return nil
}

func (c change) apply(n *graph.Node) {
	x, g := n.In(c.input), n.Graph()
	if c.data != nil {
		x = g.Init(c.node+"_probe", c.data)
	}
	for _, l := range c.links {
		var in []*graph.Value
		for _, p := range l.params {
			in = append(in, g.Init(c.node+"_parameter", p))
		}
		in = slices.Insert(in, l.at, x)
		x = n.Before().OpN(l.op, "", c.node+"_probe", 1, l.attrs, in...).Out(0)
	}
	n.SetIn(c.input, x)
}

// Branch adds to a copy of the float model a second node that computes the
// layer with its quantized operands beside the first, and returns its output.
// So one run gives the errors that many layers make for themselves.
func (l *Layer) Branch(m *graph.Model) (*graph.Value, error) {
	v := m.Main.Local(l.Output)
	if v == nil || v.Def() == nil || l.dynamic != "" || len(v.Def().Subgraphs()) > 0 {
		return nil, fmt.Errorf("layer %s: the model has no node to copy that computes %s", l.Name, l.Output)
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
