package quant

import "github.com/onnxpass/onnxpass/graph"

// tooSmall is why a layer's shape has no 8-bit kernel in the target, or runs slower in it; empty when it is fine.
func (p *planner) tooSmall(l *layer) string {
	s := p.profile.Quant.Small
	if l.node.Is("Conv", "ConvTranspose") {
		return p.fewChannels(l)
	}
	a, y := p.dims(l.node.In(0)), p.dims(l.node.Out(0))
	if len(a) < 1 || len(y) < 1 {
		return ""
	}
	k, n, m := a[len(a)-1], y[len(y)-1], rows(l.node, y)
	if l.node.Int("transA", 0) != 0 {
		k = a[0]
	}
	switch {
	case k < s.MatMul || n < s.MatMul:
		return "a matrix product of fewer columns than the target's 8-bit kernels take"
	case s.GEMV && (m == 1 || n == 1):
		return "a product with a single row, which gains nothing from 8 bits on the target"
	}
	return ""
}

// rows is the number of rows of a product: all leading dims for a constant
// matrix, the second to last for a batch of products.
func rows(n *graph.Node, y []int64) int64 {
	if n.In(1).Const() != nil && len(n.In(1).Const().Dims) == 2 {
		return elements(y[:len(y)-1])
	}
	if len(y) < 2 {
		return 1
	}
	return y[len(y)-2]
}

// fewChannels applies the target's limits on the channels of a convolution.
func (p *planner) fewChannels(l *layer) string {
	s := p.profile.Quant.Small
	w, group := l.weight.Const().Dims, l.node.Int("group", 1)
	if s.Channels == 0 || len(w) < 3 {
		return ""
	}
	if s.Volume > 0 && elements(w[2:]) > s.Volume {
		return "a convolution with a larger kernel than the target's 8-bit kernels take"
	}
	out, in := w[0], w[1]*group
	if l.node.Is("ConvTranspose") {
		in, out = w[0], w[1]*group
	}
	if s.Group {
		in, out = in/group, out/group
	}
	if in >= s.Channels && out >= s.Channels {
		return ""
	}
	if s.Multiple == 0 {
		return "a convolution of fewer channels than the target's 8-bit kernels take"
	}
	first := l.node.In(0).IsInput()
	regular := group == 1 && (out%s.Multiple == 0 || in%s.Multiple == 0) && (first || in >= s.Channels || out >= s.Channels) && square(w[2:])
	grouped := group > 1 && out%s.Multiple == 0 && atLeast(w[2:], 3)
	if regular || grouped {
		return ""
	}
	return "a convolution of fewer channels than the target's 8-bit kernels take"
}

func square(kernel []int64) bool {
	for _, k := range kernel {
		if k != kernel[0] {
			return false
		}
	}
	return true
}

func atLeast(kernel []int64, least int64) bool {
	for _, k := range kernel {
		if k < least {
			return false
		}
	}
	return true
}
