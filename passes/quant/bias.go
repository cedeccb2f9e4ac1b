package quant

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// biasSamples are enough for the mean of a layer's output: its standard error
// falls with the positions of a picture as well as with the samples.
const biasSamples = 16

// shift is what rounding the weights of one layer adds to the mean of its
// output, per output channel: E[(W - Wq) x]. The runtime computes it, with the
// layer's own padding, strides and groups, on a residual weight W - Wq; so
// borders count as in the model itself, which a mean input would not do.
type shift struct {
	layer *layer
	*weight

	count       int
	sum, square []float64 // over samples, of the mean over positions
}

// Prepare adds the layer once more, with the residual as its weight, and the mean over all axes but the channels'.
func (s *shift) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	out, err := calib.Find(clone, s.layer.node.Out(0).Name())
	if err != nil {
		return nil, err
	}
	n := out.Def()
	residual := clone.Main.Init(out.Name()+"_residual", s.residual())
	y := n.After().OpN(n.Op(), "", out.Name()+"_shift", 1, n.Attrs(), n.In(0), residual).Out(0)
	at := y.Def().After()
	if channelAxis(n) == 1 { // [N, C, ...] becomes [N, C, positions]
		y = at.Op("Reshape", out.Name()+"_rows", y, clone.Main.Init("rows", onnx.FromInt64s([]int64{3}, []int64{0, 0, -1}))).Out(0)
		// Over positions first: a sum along both at once is split between threads, and its rounding with it.
		return []*graph.Value{mean(at, mean(at, y, 2), 0)}, nil
	}
	rows := []int64{-1, int64(len(s.scale))}
	y = at.Op("Reshape", out.Name()+"_rows", y, clone.Main.Init("rows", onnx.FromInt64s([]int64{2}, rows))).Out(0)
	return []*graph.Value{mean(at, y, 0)}, nil
}

// mean averages v over one axis, in the form that the opset has.
func mean(at *graph.Cursor, v *graph.Value, axis int64) *graph.Value {
	keep := &onnx.Attribute{Name: "keepdims", Type: onnx.AttrInt, I: 0}
	if g := v.Graph(); v.Def().Version() >= 18 {
		return at.OpN("ReduceMean", "", v.Name()+"_mean", 1, []*onnx.Attribute{keep},
			v, g.Init("axes", onnx.FromInt64s([]int64{1}, []int64{axis}))).Out(0)
	}
	list := &onnx.Attribute{Name: "axes", Type: onnx.AttrInts, Ints: []int64{axis}}
	return at.OpN("ReduceMean", "", v.Name()+"_mean", 1, []*onnx.Attribute{list, keep}, v).Out(0)
}

// Observe adds one sample's mean. A sample that is not finite there tells nothing.
func (s *shift) Observe(_ int, arrays []calib.Array) error {
	var scratch []float64
	x, err := arrays[0].Float64s(&scratch)
	if err != nil || len(x) != len(s.scale) {
		return err
	}
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	if s.sum == nil {
		s.sum, s.square = make([]float64, len(x)), make([]float64, len(x))
	}
	s.count++
	for c, v := range x {
		s.sum[c] += v
		s.square[c] += v * v
	}
	return nil
}

// deltas are the corrections, nil when there are none. A channel whose mean
// does not stand out from its standard error over the samples stays.
func (s *shift) deltas() []float64 {
	if s.count < 2 {
		return nil
	}
	n, some := float64(s.count), false
	out := make([]float64, len(s.sum))
	for c := range out {
		m := s.sum[c] / n
		variance := max(s.square[c]/n-m*m, 0) * n / (n - 1)
		if math.Abs(m) > 2*math.Sqrt(variance/n) {
			out[c] = m
			some = some || m != 0
		}
	}
	if !some {
		return nil
	}
	return out
}

// channelAxis is the axis of output channels in the output of n: 1, or -1 for the last.
func channelAxis(n *graph.Node) int {
	if n.Is("Conv", "ConvTranspose") {
		return 1
	}
	return -1
}

// measureShifts runs a few samples to find what rounding the weights does to the means.
func (p *planner) measureShifts(ctx context.Context) error {
	if p.opt.Bias != BiasMean || p.env.DryRun || p.repairs() {
		return nil
	}
	if err := p.settleShifts(ctx); err != nil {
		return err
	}
	var observers []calib.Observer
	var shifts []*shift
	for _, l := range p.layers {
		if w := p.watched[l]; !l.int8() || l.weight == nil || w != nil && w.count > 0 {
			continue
		}
		if w := p.weights[p.key(l)]; l.biasable(w) {
			s := &shift{layer: l, weight: w}
			shifts, observers = append(shifts, s), append(observers, s)
		}
	}
	if len(shifts) == 0 {
		return nil
	}
	few := &calib.Calibration{Runner: p.env.Calib.Runner, Samples: p.env.Calib.Samples.Spread(biasSamples), Threads: p.env.Calib.Threads}
	if _, err := few.Observe(ctx, p.model, observers); err != nil {
		return err
	}
	for _, s := range shifts {
		s.layer.shift = s.deltas()
	}
	return nil
}

// biasable says whether a correction of the layer has a place: a bias input, or
// for MatMul an addition of a constant right behind it.
func (l *layer) biasable(w *weight) bool {
	n := l.node
	if w.axis < 0 || n.Graph().Owner() != nil {
		return false
	}
	switch n.Op() {
	case "Gemm":
		return n.Float("beta", 1) == 1 && constantOf(n.In(2), len(w.scale))
	case "MatMul":
		u, ok := l.addend()
		return ok && constantOf(u.Value(), len(w.scale))
	}
	return constantOf(n.In(2), len(w.scale))
}

// constantOf says whether a bias of n channels is absent or a float32 constant with one element a channel along its last axis.
func constantOf(v *graph.Value, n int) bool {
	if v == nil {
		return true
	}
	t := v.Const()
	return t != nil && t.Type == onnx.Float && len(t.Dims) > 0 && t.Dims[len(t.Dims)-1] == int64(n) && elements(t.Dims) == int64(n)
}

// addend is the constant operand of the addition that alone reads a MatMul.
func (l *layer) addend() (graph.Use, bool) {
	add := soleReader(l.node.Out(0))
	if add == nil || !add.Is("Add") {
		return graph.Use{}, false
	}
	for i := range 2 {
		if v := add.In(i); v != nil && v.Const() != nil {
			return graph.Use{Node: add, Index: i}, true
		}
	}
	return graph.Use{}, false
}

// correctBias adds the shift to the layer's bias, or gives it one.
func (p *planner) correctBias(l *layer) {
	at := graph.Use{Node: l.node, Index: 2}
	if l.node.Is("MatMul") {
		at, _ = l.addend()
	}
	old := at.Node.In(at.Index)
	if old == nil {
		name := l.weight.Name() + "_bias"
		l.node.SetIn(2, p.model.Main.Init(name, onnx.FromFloat32s([]int64{int64(len(l.shift))}, add(nil, l.shift))))
		return
	}
	b, err := old.Const().Float32s()
	if err != nil || len(b) != len(l.shift) {
		return
	}
	at.Set(p.model.Main.Init(old.Name()+"_corrected", onnx.FromFloat32s(old.Const().Dims, add(b, l.shift))))
	removeUnused(old)
}

// add is b + d in float64, rounded once; b may be nil.
func add(b []float32, d []float64) []float32 {
	out := make([]float32, len(d))
	for i := range d {
		if b != nil {
			d[i] += float64(b[i])
		}
		out[i] = float32(d[i])
	}
	return out
}

// residual is W - Wq, computed when it is read.
func (w *weight) residual() *onnx.Tensor {
	t := w.data
	axis, scales := w.axis, w.scale
	return &onnx.Tensor{Type: onnx.Float, Dims: t.Dims, Data: onnx.Lazy(4*w.floats, func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		d := make([]float32, len(x))
		channelsOf(t.Dims, axis).runs(len(x), func(c, from, to int) {
			for i, f := range x[from:to] {
				d[from+i] = f - w.rounded(f, scales[c])
			}
		})
		return onnx.FromFloat32s(t.Dims, d).Data.Bytes()
	})}
}
