package cleanup

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// normBefore is the BatchNormalization that feeds n and nothing else.
func normBefore(n *graph.Node) *graph.Node {
	x := n.In(0)
	if x == nil || !n.Is("Conv", "Gemm") && !ofMatrices(n) || x.NumUses() != 1 || x.Def() == nil || !x.Def().Is("BatchNormalization") || x.Graph() != n.Graph() {
		return nil
	}
	return x.Def()
}

// ofMatrices reports whether n is a product of two matrices: the channels of
// what is in front of it are the rows of the weights.
func ofMatrices(n *graph.Node) bool {
	return n.Is("MatMul") && n.In(1) != nil && len(n.In(0).Shape().Dims) == 2 && len(n.In(1).Shape().Dims) == 2
}

// foldBefore merges norm into the weights of l: they are scaled along the
// input channels, and what the shift gives is added to the bias. MatMul has
// none: it stays in l.bias for foldBehind.
func foldBefore(env *passes.Env, l *linear, norm *graph.Node) int {
	s, t, reason := normalization(norm)
	if reason == "" {
		reason = l.takesBefore(len(s), t)
	}
	if reason != "" {
		env.Skip(norm, reason)
		return 0
	}
	x, err := l.weight.Float32s()
	if err != nil {
		env.Skip(norm, "the weights cannot be read")
		return 0
	}
	env.Plan(norm, "merge into "+l.node.Op(), l.node.Label())
	alpha := 1.0
	if l.node.Is("Gemm") {
		alpha = float64(l.node.Float("alpha", 1))
	}
	if l.bias == nil {
		l.bias = fill(l.channels, 0)
	}
	in, inner := l.inputChannels()
	for b := 0; b*inner < len(x); b++ {
		for i := b * inner; i < (b+1)*inner; i++ {
			l.bias[l.channel(i/l.inner)] += alpha * float64(x[i]) * t[in(b)]
		}
	}
	l.setWeight(scaled(l.weight, s, in, inner))
	if !l.node.Is("MatMul") {
		l.setBias()
	}
	out := l.node.In(0)
	ins := norm.Ins()
	l.node.SetIn(0, norm.In(0))
	release(out)
	release(ins[1:]...)
	return 1
}

// takesBefore is the reason why a shift in front of l cannot be merged, empty when it can.
func (l *linear) takesBefore(channels int, shift []float64) string {
	in := l.inputs()
	if l.node.Is("Gemm") && l.node.Int("transA", 0) != 0 || in != channels {
		return "the channels of the batch normalization are not those of the weights"
	}
	if l.node.Is("Gemm", "MatMul") || all(shift, 0) {
		return ""
	}
	auto := l.node.String("auto_pad", "NOTSET")
	if auto != "NOTSET" && auto != "VALID" || !all(l.node.Ints("pads", nil), 0) {
		return "the convolution pads with zeros, which a shift in front of it would change"
	}
	return ""
}

// inputs is the number of input channels.
func (l *linear) inputs() int {
	dims := l.weight.Dims
	if l.node.Is("Conv") {
		return int(dims[1] * l.node.Int("group", 1))
	}
	if l.node.Int("transB", 0) != 0 {
		return int(dims[1])
	}
	return int(dims[0])
}

// inputChannels is the input channel of block b of the weights, and the number of elements of such a block.
func (l *linear) inputChannels() (func(b int) int, int) {
	dims := l.weight.Dims
	if l.node.Is("Conv") {
		perGroup := int(dims[1])
		outPerGroup := max(1, int(dims[0]/l.node.Int("group", 1)))
		return func(b int) int { return b/perGroup/outPerGroup*perGroup + b%perGroup }, int(elements(dims[2:]))
	}
	if l.node.Int("transB", 0) != 0 {
		return func(b int) int { return b % int(dims[1]) }, 1
	}
	return func(b int) int { return b }, int(dims[1])
}
