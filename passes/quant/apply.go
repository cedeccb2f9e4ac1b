package quant

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// passName is what created nodes say in their metadata.
const passName = "quant"

// apply edits the model as planned.
func (p *planner) apply(ctx context.Context) error {
	for _, l := range p.layers {
		if l.shift != nil {
			p.correctBias(l)
		}
	}
	for _, l := range p.layers {
		if l.reason == "" && l.weight != nil {
			p.storeWeight(l)
		}
	}
	params := map[*tensor][2]*graph.Value{}
	for _, t := range p.tensors {
		p.insertPair(t, params)
	}
	p.guardWeights()
	if p.repairs() {
		if err := p.model.Main.Sort(); err != nil {
			return err
		}
		if err := p.repair(ctx, p.before); err != nil {
			return err
		}
	}
	for _, l := range p.layers {
		if l.int8() && p.profile.NeedsIntegerBias(l.node.Op()) {
			p.integerBias(l)
		}
	}
	p.shareZeros()
	p.runDynamic()
	p.widen()
	return p.model.Main.Sort()
}

// integerBias stores the bias of a layer with a float output as int32 codes of
// scale s_x * s_w[c], the form in which the accumulator takes it. A bias that
// is too large for 32 bits, scaled, or not one element a channel stays as it is.
func (p *planner) integerBias(l *layer) {
	n, w := l.node, p.weightOf(l)
	bias := n.In(2)
	if bias == nil || bias.Const() == nil || n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1 || quantizedNext(n.Out(0)) {
		return
	}
	x := p.given[graph.Use{Node: n, Index: 0}][0].root().chosen.params
	codes, scales, ok := biasCodes(bias.Const(), x.Scale[0], w.scale)
	if !ok {
		return
	}
	g, name, dims := bias.Graph(), bias.Name(), []int64{int64(len(codes))}
	dq := insert(n.Before(), "DequantizeLinear", name, axisAttribute(0),
		g.Init(name+"_q", onnx.From(dims, codes)), g.Init(name+"_scale", onnx.FromFloat32s(dims, scales)),
		g.Init(name+"_zero_point", onnx.From(dims, make([]int32, len(codes)))))
	n.SetIn(2, dq)
	removeUnused(bias)
}

// quantizedNext says whether v goes into QuantizeLinear.
func quantizedNext(v *graph.Value) bool {
	next := soleReader(v)
	return next != nil && next.Is("QuantizeLinear")
}

// mostBias leaves room in the 32-bit accumulator for the products.
const mostBias = math.MaxInt32 - 1<<20

// biasCodes are the int32 codes and scales of a bias with one element for each output channel.
func biasCodes(t *onnx.Tensor, x float32, weights []float32) ([]int32, []float32, bool) {
	b, err := t.Float32s()
	if err != nil || len(b) != len(weights) || len(t.Dims) == 0 || t.Dims[len(t.Dims)-1] != int64(len(b)) {
		return nil, nil, false
	}
	codes, scales := make([]int32, len(b)), make([]float32, len(b))
	for i, f := range b {
		scales[i] = x * weights[i]
		c := math.RoundToEven(float64(f) / float64(scales[i]))
		if !(math.Abs(c) <= mostBias) || scales[i] == 0 {
			return nil, nil, false
		}
		codes[i] = int32(c)
	}
	return codes, scales, true
}

// insert adds half of a pair that serves the tensor called name: node
// NAME_QuantizeLinear with output NAME_q, or NAME_DequantizeLinear with output NAME_dq.
func insert(at *graph.Cursor, op, name string, attrs []*onnx.Attribute, in ...*graph.Value) *graph.Value {
	suffix := "_q"
	if op == "DequantizeLinear" {
		suffix = "_dq"
	}
	n := at.By(passName).OpN(op, "", name+suffix, 1, attrs, in...)
	n.SetName(name + "_" + op)
	return n.Out(0)
}

// storedKey is a stored form in the graph of its reader: ONNX Runtime does not
// load DequantizeLinear in a body over an initializer of the outer graph.
type storedKey struct {
	weightKey
	graph *graph.Graph
}

// storedWeight are the initializers of a weight in 8 bits. The zero point is
// its own, although zeros could be shared: OpenVINO keeps matrix products that
// share one in float.
type storedWeight struct{ codes, scale, zero *graph.Value }

// storeWeight makes the layer read its weight through DequantizeLinear, and
// removes the float weight when nobody reads it any more.
func (p *planner) storeWeight(l *layer) {
	w, key := p.weights[p.key(l)], storedKey{p.key(l), l.node.Graph()}
	s := p.stored[key]
	if s == nil {
		s = newStored(w, l.weight, l.node.Graph())
		p.stored[key] = s
	}
	var attrs []*onnx.Attribute
	if w.axis >= 0 {
		attrs = axisAttribute(w.axis)
	}
	dq := insert(l.node.Before(), "DequantizeLinear", l.weight.Name(), attrs, s.codes, s.scale, s.zero)
	l.node.SetIn(1, dq)
	removeUnused(l.weight)
}

func newStored(w *weight, v *graph.Value, g *graph.Graph) *storedWeight {
	name := v.Name()
	dims := []int64{int64(len(w.scale))}
	if w.axis < 0 {
		dims = nil
	}
	return &storedWeight{
		codes: g.Init(name+"_q", w.tensor()),
		scale: g.Init(name+"_scale", onnx.FromFloat32s(dims, w.scale)),
		zero:  g.Init(name+"_zero_point", zeros(w.elem, dims, len(w.scale))),
	}
}

// zeros are n zero points of 0; its code is 0 in int8 and in every float8 type.
func zeros(elem onnx.DataType, dims []int64, n int) *onnx.Tensor {
	return &onnx.Tensor{Type: elem, Dims: dims, Data: onnx.RawBytes(make([]byte, n))}
}

func axisAttribute(axis int) []*onnx.Attribute {
	return []*onnx.Attribute{{Name: "axis", Type: onnx.AttrInt, I: int64(axis)}}
}

// removeUnused drops a constant without readers. A weight that old exporters
// list among the inputs as well leaves that list: nothing would read it.
func removeUnused(v *graph.Value) {
	switch {
	case v.NumUses() > 0:
	case v.IsInit():
		dropInput(v)
		v.RemoveInit()
	case v.Def() != nil:
		v.Def().Remove()
	}
}

func dropInput(v *graph.Value) {
	for i, in := range v.Graph().Inputs() {
		if in == v {
			v.Graph().DropInput(i)
			return
		}
	}
}

// insertPair puts QuantizeLinear and DequantizeLinear behind the tensor and
// moves the planned readers. Tensors of one scale share the initializers.
func (p *planner) insertPair(t *tensor, params map[*tensor][2]*graph.Value) {
	root := t.root()
	params8, name := root.chosen.params, t.value.Name()
	if _, ok := params[root]; !ok {
		params[root] = p.initParams(params8, root.value.Name())
	}
	scale, zero := params[root][0], params[root][1]
	var attrs []*onnx.Attribute
	if params8.PerChannel() {
		attrs = axisAttribute(params8.Axis)
	}
	at := t.value.Graph().Begin()
	if t.value.Def() != nil {
		at = t.value.Def().After()
	}
	q := insert(at, "QuantizeLinear", name, attrs, t.value, scale, zero)
	dq := insert(at, "DequantizeLinear", name, attrs, q, scale, zero)
	for _, u := range t.readers {
		u.Set(dq)
	}
}

// initParams makes the initializers of scale and zero point.
func (p *planner) initParams(q Params, name string) [2]*graph.Value {
	var dims []int64
	if q.PerChannel() {
		dims = []int64{int64(len(q.Scale))}
	}
	g := p.model.Main
	scale := g.Init(name+"_scale", onnx.FromFloat32s(dims, q.Scale))
	if q.Elem.IsFloat8() {
		return [2]*graph.Value{scale, g.Init(name+"_zero_point", zeros(q.Elem, dims, len(q.Scale)))}
	}
	if q.Elem == onnx.Uint8 {
		return [2]*graph.Value{scale, g.Init(name+"_zero_point", onnx.From(dims, convert[uint8](q.Zero)))}
	}
	return [2]*graph.Value{scale, g.Init(name+"_zero_point", onnx.From(dims, convert[int8](q.Zero)))}
}

func convert[T int8 | uint8](v []int32) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}
