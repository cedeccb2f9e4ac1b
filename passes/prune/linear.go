package prune

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
)

// products are the cells behind a layer: an output channel is constant when
// every input is constant or has no weight. At padded borders inputs are zero,
// so that there only zeros are constants.
func (c *constants) products(n *graph.Node, i, size int) []cell {
	l, ok := plainLayer(n)
	if !ok || l.cout != size || !l.isOutput(i) {
		return nil
	}
	bias, ok := l.bias()
	if !ok {
		return nil
	}
	in := c.of(n.In(0), l.sink.DataAxis)
	exact := l.uniform()
	out := make([]cell, size)
	for m := range out {
		out[m] = cell{true, bias[m]}
	}
	l.each(func(m, u, at int) {
		w := l.w.at[at]
		switch {
		case w == 0 || !out[m].fixed:
		case u < len(in) && in[u].fixed && (exact || in[u].x == 0):
			out[m].x += w * in[u].x
		default:
			out[m].fixed = false
		}
	})
	return out
}

// plainLayer is the layer of a node, whatever sinks were found there; a depthwise convolution has none.
func plainLayer(n *graph.Node) (*layer, bool) {
	data := 1
	weight := 1
	switch {
	case n.Is("ConvTranspose"):
		weight = 0
	case n.Is("MatMul"):
		data, weight = rankOf(n.In(0))-1, 0
	case n.Is("Gemm"):
		if n.Int("transA", 0) != 0 {
			data = 0
		}
		if n.Int("transB", 0) == 0 {
			weight = 0
		}
	}
	return layerOf(axes.Sink{Node: n, Data: 0, DataAxis: data, Weight: 1, WeightAxis: weight})
}

// isOutput tells whether axis i of the node's output is that of the layer's output channels.
func (l *layer) isOutput(i int) bool {
	if l.node.Is("MatMul") {
		return i == rankOf(l.node.Out(0))-1
	}
	return i == 1
}

// uniform tells whether every output position sees all taps, so that a constant input makes a constant output.
func (l *layer) uniform() bool {
	switch l.node.Op() {
	case "Conv":
		return unpadded(l.node)
	case "ConvTranspose":
		return false
	}
	return true
}

// bias is what is added to each output channel; false when it is no constant per channel.
func (l *layer) bias() ([]float64, bool) {
	zero := make([]float64, l.cout)
	b := l.node.In(2)
	if l.node.Is("MatMul") || b == nil {
		return zero, true
	}
	w, ok := weights(b)
	if !ok || len(w.at) != l.cout || len(w.dims) != 1 {
		return nil, false
	}
	beta := 1.0
	if l.node.Is("Gemm") {
		beta = float64(l.node.Float("beta", 1))
	}
	for i := range w.at {
		w.at[i] *= beta
	}
	return w.at, true
}
