package quant

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// linear are the operators that this pass computes in 8 bits.
var linear = []string{"Conv", "ConvTranspose", "Gemm", "MatMul"}

// integerOps are the operators of a model that is quantized already.
var integerOps = []string{
	"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear",
	"QLinearAdd", "QLinearMul", "QGemm", "MatMulNBits", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM",
}

// layer is one linear node and what is decided about it.
type layer struct {
	node       *graph.Node
	weight     *graph.Value   // constant float operand; nil for a product of two computed tensors
	reason     string         // why it stays float; empty when it runs in 8 bits
	region     *region.Region // the gate or attention that it lies in
	saturation *saturation    // nil: not looked at
	shift      []float64      // what is added to the bias of each output channel; nil: nothing
}

// int8 says whether the layer's product runs on 8-bit operands.
func (l *layer) int8() bool { return l.reason == "" }

// attention says whether the layer multiplies two computed tensors.
func (l *layer) attention() bool { return l.weight == nil && l.node.Is("MatMul", "Gemm") }

// activations are the operand indices that must be quantized.
func (l *layer) activations() []int {
	if l.attention() {
		return []int{0, 1}
	}
	return []int{0}
}

// float keeps the layer in float. The first reason stays.
func (l *layer) float(reason string) {
	if l.reason == "" {
		l.reason = reason
	}
}

// findLayers lists the linear nodes of the model in graph order, with the reasons
// that can be seen without samples.
func (p *planner) findLayers() {
	for n := range p.model.All() {
		if !n.Is(linear...) || n.Out(0) == nil {
			continue
		}
		l := &layer{node: n}
		if w := n.In(1); w != nil && w.Const() != nil {
			l.weight = w
		}
		p.layers = append(p.layers, l)
		p.byNode[n] = l
		p.judge(l)
	}
	for n := range p.model.All() {
		if isInteger(n) {
			p.env.Skip(n, quantizedBefore)
		}
	}
}

// excluded is why the user, or the search for a budget, wants n left alone; empty when nobody does.
func (p *planner) excluded(n *graph.Node) string {
	if ok, why := p.env.Select.Match(n); !ok {
		return why
	}
	if i := firstOutput(n); i >= 0 && len(p.keep) > 0 {
		return p.keep[n.Out(i).Name()]
	}
	return ""
}

func isInteger(n *graph.Node) bool {
	for _, op := range integerOps {
		if n.Op() == op {
			return true
		}
	}
	return false
}

// judge finds the reasons against 8 bits that hold whatever the samples say.
func (p *planner) judge(l *layer) {
	n := l.node
	if why := p.excluded(n); why != "" {
		l.float(why)
		return
	}
	p.judgeOperands(l)
	if l.reason != "" {
		return
	}
	switch g := n.Graph(); {
	case g == p.model.Main:
	case inFunction(p.model, g):
		l.float("inside a model-local function")
	case l.weight == nil:
		l.float("product of computed tensors inside an If, Loop or Scan body")
	default:
		l.float("inside an If, Loop or Scan body")
	}
	if l.reason == "" && !p.profile.Runs8Bit(n.Op()) {
		l.float(n.Op() + " has no 8-bit kernel in " + p.profile.Title)
	}
}

// judgeOperands looks at the types of a layer's inputs.
func (p *planner) judgeOperands(l *layer) {
	n := l.node
	x := n.In(0)
	switch {
	case x == nil || n.In(1) == nil:
		l.float("an operand is missing")
	case dequantized(x) && l.weight != nil:
		l.float(halfQuantized)
	case dequantized(x) || dequantized(n.In(1)):
		l.float(quantizedBefore)
	case x.Const() != nil && l.weight != nil:
		l.float("both operands are constant")
	case x.Const() != nil:
		l.float("the constant is the left operand")
	case x.Elem() != onnx.Float && x.Elem() != onnx.Undefined:
		l.float(x.Elem().String() + " activations")
	case l.weight != nil && l.weight.Const().Type != onnx.Float:
		l.float(l.weight.Const().Type.String() + " weights")
	case l.weight == nil && n.Is("Conv", "ConvTranspose"):
		l.float("the filter is computed")
	case l.weight != nil && len(l.weight.Const().Dims) < 2:
		l.float("the weight is a vector")
	case l.weight != nil && elements(l.weight.Const().Dims) == 0:
		l.float("the weight has no elements")
	}
}

// dequantized says whether v comes out of DequantizeLinear.
func dequantized(v *graph.Value) bool {
	return v.Def() != nil && v.Def().Is("DequantizeLinear")
}

// inFunction says whether g lies in the body of a model-local function.
func inFunction(m *graph.Model, g *graph.Graph) bool {
	for g.Owner() != nil {
		g = g.Owner().Graph()
	}
	return g != m.Main
}

func elements(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// judgeAttention decides the products of two computed tensors.
func (p *planner) judgeAttention(l *layer) {
	q := p.profile.Quant
	probs := l.region != nil && l.region.Values == l.node || behindSoftmax(l.node.In(0)) || behindSoftmax(l.node.In(1))
	switch {
	case q.Attention == target.AttentionFloat:
		l.float("product of two computed tensors")
	case q.Attention == target.AttentionScores && probs:
		l.float("softmax times values stays in float")
	case l.node.Is("Gemm"):
		l.float("Gemm of two computed tensors")
	case q.Attention == target.AttentionBoth && l.region != nil && l.region.Masked:
		l.float("attention with a computed mask")
	}
	if s := p.sequence(l.node); q.MaxSequence > 0 && s > q.MaxSequence {
		l.float("attention over a sequence longer than the target's limit")
	}
}

// sequence is the longest of the last two dims of the product, 0 when unknown.
func (p *planner) sequence(n *graph.Node) int64 {
	d := p.dims(n.Out(0))
	if len(d) < 2 {
		return 0
	}
	return max(d[len(d)-2], d[len(d)-1])
}

// behindSoftmax says whether v is a softmax, possibly reshaped or scaled.
func behindSoftmax(v *graph.Value) bool {
	for range 4 {
		d := v.Def()
		if d == nil {
			return false
		}
		if d.Is("Softmax") {
			return true
		}
		if !d.Is("Reshape", "Transpose", "Cast", "Dropout", "Identity") {
			return false
		}
		v = d.In(0)
	}
	return false
}

// soleReader is the node that reads v when there is exactly one and v is no graph output.
func soleReader(v *graph.Value) *graph.Node {
	if v == nil || v.NumUses() != 1 || v.Uses()[0].IsReturn() {
		return nil
	}
	return v.Uses()[0].Node
}
