package cleanup

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// maxChannels bounds the vectors that are read element by element.
const maxChannels = 1 << 24

// lazyBytes is the size from which scaled weights are computed when they are written, instead of now.
const lazyBytes = 16 << 20

// linear is a Conv, ConvTranspose, Gemm or MatMul with constant weights.
type linear struct {
	node     *graph.Node
	weight   *onnx.Tensor
	channels int // of the output
	bias     []float64
	// axis is the position of the channels in the output, from the front, or
	// from the back when it is negative.
	axis int
	// channel is the output channel of the weights' block b, inner the number of elements of a block.
	channel func(b int) int
	inner   int
}

// linearOf reads n; the reason says why its weights cannot be changed.
func linearOf(n *graph.Node) (*linear, string) {
	l := &linear{node: n, weight: constant(n.In(1))}
	switch {
	case l.weight == nil || l.weight.Data == nil:
		return nil, "the weights are not constant"
	case constant(n.In(0)) != nil:
		return nil, "the input is constant"
	case l.weight.Type != onnx.Float:
		return nil, "the weights are not float32"
	case n.Is("Gemm") && n.Version() < 7:
		return nil, "broadcasting before operator set version 7"
	}
	if !l.layout() {
		return nil, "the weights have an unusual shape"
	}
	if n.Is("MatMul") {
		return l, ""
	}
	if reason := l.readBias(); reason != "" {
		return nil, reason
	}
	return l, ""
}

// layout finds where the output channels lie in weights and output.
func (l *linear) layout() bool {
	v := l.node.In(1)
	if v == nil {
		return false
	}
	dims, ok := v.Shape().Static()
	if !ok || len(dims) < 2 || elements(dims) <= 0 {
		return false
	}
	rest := func(from int) int { return int(elements(dims[from:])) }
	switch l.node.Op() {
	case "Conv":
		l.axis, l.channels, l.inner = 1, int(dims[0]), rest(1)
		l.channel = func(b int) int { return b }
		return true
	case "ConvTranspose":
		groups := l.node.Int("group", 1)
		if groups < 1 || dims[0]%groups != 0 || dims[1] > maxChannels/groups {
			return false
		}
		perGroup, inPerGroup := int(dims[1]), int(dims[0]/groups)
		l.axis, l.channels, l.inner = 1, perGroup*int(groups), rest(2)
		l.channel = func(b int) int { return b/perGroup/inPerGroup*perGroup + b%perGroup }
		return true
	case "Gemm":
		if len(dims) != 2 {
			return false
		}
		if l.node.Int("transB", 0) != 0 {
			l.axis, l.channels, l.inner = 1, int(dims[0]), int(dims[1])
			l.channel = func(b int) int { return b }
			return true
		}
	}
	n := int(dims[len(dims)-1])
	l.axis, l.channels, l.inner = -1, n, 1
	l.channel = func(b int) int { return b % n }
	return true
}

// readBias reads the bias as one number for each channel, scaled by Gemm's beta.
func (l *linear) readBias() string {
	l.bias = fill(l.channels, 0)
	v := l.node.In(2)
	if v == nil {
		return ""
	}
	values, ok := floats(v, int64(l.channels))
	if !ok || v.Elem() != onnx.Float || len(values) != 1 && len(values) != l.channels {
		return "the bias is not constant, or not one number for each channel"
	}
	if dims := constant(v).Dims; len(values) > 1 && dims[len(dims)-1] != int64(l.channels) {
		return "the bias is not constant, or not one number for each channel"
	}
	for i := range l.bias {
		l.bias[i] = at(values, i) * l.beta()
	}
	return ""
}

func (l *linear) beta() float64 {
	if l.node.Is("Gemm") {
		return float64(l.node.Float("beta", 1))
	}
	return 1
}

// perChannel is a constant operand of the result x as one number or one for
// each channel; ok is false when it is neither, or when it makes x larger.
func (l *linear) perChannel(c, x *graph.Value) ([]float64, bool) {
	dims := constant(c).Dims
	if !x.Shape().Ranked && len(dims) > 1 || x.Shape().Ranked && len(dims) > len(x.Shape().Dims) {
		return nil, false
	}
	values, ok := floats(c, maxChannels)
	if !ok || len(values) != 1 && len(values) != l.channels {
		return nil, false
	}
	if len(values) == 1 {
		return values, true
	}
	axis := len(dims) - 1
	if l.axis > 0 {
		axis = l.axis - (len(x.Shape().Dims) - len(dims))
		if !x.Shape().Ranked {
			return nil, false
		}
	}
	return values, axis >= 0 && axis < len(dims) && dims[axis] == int64(l.channels)
}

// absorb makes the node compute scale*y + shift and returns the value that
// holds it: its output, or that of an Add behind a MatMul.
func (l *linear) absorb(scale, shift []float64, hint string) *graph.Value {
	if !all(scale, 1) {
		l.setWeight(scaled(l.weight, scale, l.channel, l.inner))
	}
	if l.node.Is("MatMul") {
		for i, b := range l.bias {
			shift[i] += b * scale[i]
		}
		return l.addBehind(shift, hint)
	}
	for i := range l.bias {
		l.bias[i] = l.bias[i]*scale[i] + shift[i]
	}
	l.setBias()
	return l.node.Out(0)
}

// setWeight replaces the weights; others that read them keep the old ones.
func (l *linear) setWeight(t *onnx.Tensor) {
	l.weight = t
	v := l.node.In(1)
	if v.IsInit() && v.NumUses() == 1 {
		v.SetInit(t)
		return
	}
	l.node.SetIn(1, l.node.Graph().Init(v.Name(), t))
	release(v)
}

func (l *linear) setBias() {
	old := l.node.In(2)
	if old == nil && all(l.bias, 0) {
		return
	}
	beta := l.beta()
	if beta == 0 {
		l.node.SetFloat("beta", 1)
		beta = 1
	}
	t := vector(each(l.bias, func(v float64) float64 { return v / beta }))
	if old != nil && old.IsInit() && old.NumUses() == 1 {
		old.SetInit(t)
		return
	}
	hint := l.node.In(1).Name() + "_bias"
	if old != nil {
		hint = old.Name()
	}
	l.node.SetIn(2, l.node.Graph().Init(hint, t))
	release(old)
}

// addBehind inserts the shift behind a MatMul.
func (l *linear) addBehind(shift []float64, hint string) *graph.Value {
	out := l.node.Out(0)
	if all(shift, 0) {
		return out
	}
	if hint == "" {
		hint = l.node.Name() + "_bias"
	}
	bias := l.node.Graph().Init(hint, vector(shift))
	return l.node.After().By("fold-bn").Op("Add", hint, out, bias).Out(0)
}

func vector(values []float64) *onnx.Tensor {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return onnx.From([]int64{int64(len(out))}, out)
}

// scaled multiplies each block of inner elements by the factor of its channel.
// Large results are computed each time they are read.
func scaled(t *onnx.Tensor, factor []float64, channel func(b int) int, inner int) *onnx.Tensor {
	compute := func() (*onnx.Tensor, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, fmt.Errorf("weights %s: %w", t.Name, err)
		}
		for b := 0; b*inner < len(x); b++ {
			f := factor[channel(b)]
			for i := b * inner; i < (b+1)*inner; i++ {
				x[i] = float32(float64(x[i]) * f)
			}
		}
		return onnx.From(t.Dims, x), nil
	}
	out := *t
	if t.Data.Len() >= lazyBytes {
		out.Data = onnx.Lazy(t.Data.Len(), func() ([]byte, error) {
			y, err := compute()
			if err != nil {
				return nil, err
			}
			return y.Data.Bytes()
		})
		return &out
	}
	y, err := compute()
	if err != nil {
		// Content that cannot be read is reported when the file is written.
		out.Data = onnx.Lazy(t.Data.Len(), func() ([]byte, error) { return nil, err })
		return &out
	}
	out.Data = y.Data
	return &out
}
