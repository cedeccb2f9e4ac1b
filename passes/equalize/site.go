package equalize

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// site is an activation that 8-bit layers read: where one scale for all
// channels costs accuracy.
type site struct {
	value   *graph.Value
	axis    int // of the channels, from the front, or -1
	readers []*reader
	stats   *channelStats
	reason  string
}

// reader is a layer that reads a site, with constant weights that can take up factors of its input channels.
type reader struct {
	node   *graph.Node
	layout inputs
}

// apart says whether the layer keeps its input channels apart, as a depthwise convolution does.
func (r *reader) apart() bool { return r.layout.channels == r.layout.groups }

// inputs is where the input channels lie in the weights of a layer: element i
// belongs to input channel channel(i) and to output channel output(i).
type inputs struct {
	channels, outputs int
	groups            int // output channels of one group read the input channels of that group
	taps              int // weights for each pair of an input and an output channel
	channel, output   func(i int) int
}

// findSites lists the activations of the main graph that quantizable layers
// read: depthwise convolutions and matrix products. Convolutions that mix
// channels were measured to gain nothing; they only take up what their neighbours need.
func (e *equalizer) findSites() {
	known := map[*graph.Value]*site{}
	for n := range e.env.Model.Main.Nodes() {
		r := e.reader(n)
		if r == nil || !r.apart() && !n.Is("Gemm", "MatMul") {
			continue
		}
		v, axis := n.In(0), inputAxis(n)
		s := known[v]
		if s == nil {
			s = &site{value: v, axis: axis, stats: newChannelStats(v.Name(), axis, r.layout.channels)}
			known[v] = s
			e.sites = append(e.sites, s)
		}
		if s.axis == axis && s.stats.channels == r.layout.channels {
			s.readers = append(s.readers, r)
		} else {
			s.reason = "its readers disagree about the channels"
		}
	}
}

// reader is n as a layer that the target runs in 8 bits and whose weights can be rewritten; nil when it is none.
func (e *equalizer) reader(n *graph.Node) *reader {
	if !n.Is("Conv", "ConvTranspose", "Gemm", "MatMul") || !e.profile.Runs8Bit(n.Op()) {
		return nil
	}
	// Where outputs of layers are written in 8 bits whoever reads them, a layer that was excluded reads codes too.
	if ok, _ := e.env.Select.Match(n); !ok && len(e.profile.Quant.Outputs) == 0 {
		return nil
	}
	return asReader(n)
}

// asReader is n as a layer whose weights can take up factors of its input channels; nil when they cannot.
func asReader(n *graph.Node) *reader {
	x := n.In(0)
	if x == nil || x.Const() != nil || x.Def() == nil || x.Elem() != onnx.Float && x.Elem() != onnx.Undefined {
		return nil
	}
	if n.Is("Gemm") && n.Int("transA", 0) != 0 {
		return nil
	}
	l, ok := inputLayout(n)
	if !ok || l.channels < 2 {
		return nil
	}
	return &reader{n, l}
}

// inputAxis is the channel axis of what a layer reads: 1, or the last axis (-1).
func inputAxis(n *graph.Node) int {
	if n.Is("MatMul") {
		return -1
	}
	return 1
}

// floatWeights are the dims of a constant float32 weight with elements; nil for others.
func floatWeights(v *graph.Value) []int64 {
	if v == nil || v.Const() == nil || v.Const().Type != onnx.Float {
		return nil
	}
	dims := v.Const().Dims
	if n, err := v.Const().NumElements(); err != nil || n == 0 || len(dims) < 2 {
		return nil
	}
	return dims
}

// inputLayout finds the input channels in the weights of n.
func inputLayout(n *graph.Node) (inputs, bool) {
	d := floatWeights(n.In(1))
	if d == nil {
		return inputs{}, false
	}
	taps := 1
	for _, k := range d[2:] {
		taps *= int(k)
	}
	a, b := int(d[0]), int(d[1])
	switch {
	case n.Is("Conv"):
		return convInputs(a, b, taps, int(n.Int("group", 1)))
	case n.Is("ConvTranspose"):
		return transposeInputs(a, b, taps, int(n.Int("group", 1)))
	case n.Is("Gemm") && n.Int("transB", 0) != 0:
		return inputs{b, a, 1, 1, func(i int) int { return i % b }, func(i int) int { return i / b }}, len(d) == 2
	case n.Is("Gemm"), n.Is("MatMul"):
		return inputs{a, b, 1, 1, func(i int) int { return i / b }, func(i int) int { return i % b }}, len(d) == 2
	}
	return inputs{}, false
}

// convInputs is the layout of [outputs, inputs/groups, taps...].
func convInputs(outputs, perGroup, taps, groups int) (inputs, bool) {
	if groups < 1 || outputs%groups != 0 || perGroup > 1<<40/groups {
		return inputs{}, false
	}
	block := perGroup * taps
	channel := func(i int) int { return i/block/(outputs/groups)*perGroup + i%block/taps }
	return inputs{perGroup * groups, outputs, groups, taps, channel, func(i int) int { return i / block }}, true
}

// transposeInputs is the layout of [inputs, outputs/groups, taps...].
func transposeInputs(in, perGroup, taps, groups int) (inputs, bool) {
	if groups < 1 || in%groups != 0 || perGroup > 1<<40/groups {
		return inputs{}, false
	}
	block := perGroup * taps
	output := func(i int) int { return i/block/(in/groups)*perGroup + i%block/taps }
	return inputs{in, perGroup * groups, groups, taps, func(i int) int { return i / block }, output}, true
}
