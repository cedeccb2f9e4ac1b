package layerwise

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// The inputs that Probe adds to the graph.
const (
	TargetInput = "onnxpass_target" // what the layer should compute, in the shape of its output
	OffsetInput = "onnxpass_offset" // int64, the first position along each spatial dimension, below the step
)

// Probe is a piece of graph that reduces one sample to second moments inside
// the runtime, where matrix products are fast. Of the positions of a sample
// every Step-th along each spatial dimension counts.
type Probe struct {
	Layer *Layer
	Base  []float32 // weight in the order of Matrix; moments are of the target's distance from what it computes
	Bias  []float32 // bias of the base, nil for none
	Step  int64
	// Products says that second moments are wanted, not means alone.
	Products bool
	// Added are values of the piece, in the shape of the target, that are added
	// to what the layer computes before it is compared with the target.
	Added []*graph.Value
}

// Step is the distance of positions with which at least want of those of a
// sample remain, along each of its spatial dimensions.
func Step(spatial []int64, want int64) int64 {
	positions := product(spatial)
	if want <= 0 || positions <= want {
		return 1
	}
	step := int64(math.Pow(float64(positions)/float64(want), 1/float64(len(spatial))))
	return max(1, min(step, slices.Min(spatial)))
}

// Dims is the number of spatial dimensions: the length of OffsetInput.
func (l *Layer) Dims() int {
	if !l.conv {
		return 1
	}
	return len(l.dims) - 2
}

// Attach adds the piece behind x, the layer's input in m, and returns its
// outputs for Moments.Add and Scatter.Add. With d = target - Base x - Bias,
// these are sums over the positions of one sample, for each group: x, d, d^2,
// the shape of d, and with Products x x^T and d x^T.
func (p *Probe) Attach(m *graph.Model, x *graph.Value) []*graph.Value {
	b, l := builder{graph: m.Main, layer: p.Layer}, p.Layer
	target := m.Main.AddInput(TargetInput, graph.Type{Elem: onnx.Float})
	offset := m.Main.AddInput(OffsetInput, graph.Type{Elem: onnx.Int64})
	less := target
	for _, v := range p.Added {
		less = b.op("Sub", less, v)
	}
	u, y := b.windows(x, offset, p.Step), b.outputs(less, offset, p.Step)
	w := m.Main.Init("onnxpass_base", onnx.FromFloat32s([]int64{int64(l.Groups), int64(l.Rows), int64(l.Cols)}, p.Base))
	d := b.op("Sub", y, b.op("MatMul", w, u))
	if p.Bias != nil {
		d = b.op("Sub", d, m.Main.Init("onnxpass_bias", onnx.FromFloat32s([]int64{int64(l.Groups), int64(l.Rows), 1}, p.Bias)))
	}
	out := []*graph.Value{b.sum(u), b.sum(d), b.sum(b.op("Mul", d, d)), b.op("Shape", d)}
	if p.Products {
		turned := b.with("Transpose", []*onnx.Attribute{ints("perm", 0, 1, 3, 2)}, u)
		out = append(out, b.op("MatMul", u, turned), b.op("MatMul", d, turned))
	}
	return out
}

// builder adds nodes at the end of a graph.
type builder struct {
	graph *graph.Graph
	layer *Layer
}

func (b builder) op(op string, in ...*graph.Value) *graph.Value { return b.with(op, nil, in...) }

func (b builder) with(op string, attrs []*onnx.Attribute, in ...*graph.Value) *graph.Value {
	return b.graph.End().OpN(op, "", "onnxpass_"+op, 1, attrs, in...).Out(0)
}

func (b builder) list(v ...int64) *graph.Value {
	return b.graph.Init("onnxpass_list", onnx.FromInt64s([]int64{int64(len(v))}, v))
}

func ints(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

// sum adds up along the positions, the last axis.
func (b builder) sum(v *graph.Value) *graph.Value {
	keep := &onnx.Attribute{Name: "keepdims", Type: onnx.AttrInt}
	return b.with("ReduceSum", []*onnx.Attribute{keep}, v, b.list(-1))
}

// windows are the inputs of every counted position: [N, groups, Cols, positions].
func (b builder) windows(x, offset *graph.Value, step int64) *graph.Value {
	l := b.layer
	if !l.conv {
		return b.rows(x, offset, step, l.Cols)
	}
	shape := b.list(0, int64(l.Groups), int64(l.Cols), -1)
	switch {
	case l.pointwise():
		return b.op("Reshape", b.every(x, offset, step), shape)
	case l.padded():
		return b.op("Reshape", b.strided(x, offset, step), shape)
	}
	u := b.with(l.Node.Op(), l.Node.Attrs(), x, b.unit())
	u.Def().SetAttr(&onnx.Attribute{Name: "group", Type: onnx.AttrInt, I: b.inputs()})
	return b.op("Reshape", b.every(u, offset, step), shape)
}

// outputs are the targets of the same positions: [N, groups, Rows, positions].
func (b builder) outputs(y, offset *graph.Value, step int64) *graph.Value {
	l := b.layer
	if !l.conv {
		return b.rows(y, offset, step, l.Rows)
	}
	return b.op("Reshape", b.every(y, offset, step), b.list(0, int64(l.Groups), int64(l.Rows), -1))
}

// rows turns [..., n] to [1, 1, n, positions].
func (b builder) rows(x, offset *graph.Value, step int64, n int) *graph.Value {
	flat := b.op("Reshape", x, b.list(-1, int64(n)))
	some := b.op("Slice", flat, offset, b.list(math.MaxInt32), b.list(0), b.list(step))
	turned := b.with("Transpose", []*onnx.Attribute{ints("perm", 1, 0)}, some)
	return b.op("Reshape", turned, b.list(1, 1, int64(n), -1))
}

// every takes the elements at starts, starts + step, ... along the spatial axes.
func (b builder) every(v, starts *graph.Value, step int64) *graph.Value {
	n := b.layer.Dims()
	ends, axes, steps := make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range n {
		ends[i], axes[i], steps[i] = math.MaxInt32, int64(i+2), step
	}
	return b.op("Slice", v, starts, b.list(ends...), b.list(axes...), b.list(steps...))
}

// pointwise says whether every position's window is the position itself.
func (l *Layer) pointwise() bool {
	return l.Node.Is("Conv") && l.taps() == 1 && uniform(l.Node, "strides", 1) && uniform(l.Node, "pads", 0)
}

// padded says whether the pads are known numbers.
func (l *Layer) padded() bool {
	auto := l.Node.String("auto_pad", "NOTSET")
	return l.Node.Is("Conv") && (auto == "NOTSET" || auto == "VALID")
}

// uniform says whether all elements of a list are v; an absent list is.
func uniform(n *graph.Node, name string, v int64) bool {
	for _, x := range n.Ints(name, nil) {
		if x != v {
			return false
		}
	}
	return true
}

// strided takes the windows of counted positions alone: the input is padded,
// cut to the first of them, and walked with longer strides.
func (b builder) strided(x, offset *graph.Value, step int64) *graph.Value {
	n, d := b.layer.Node, b.layer.Dims()
	strides, pads := spread(n.Ints("strides", nil), d, 1), spread(n.Ints("pads", nil), 2*d, 0)
	if n.String("auto_pad", "NOTSET") == "VALID" {
		pads = make([]int64, 2*d)
	}
	all := append([]int64{0, 0}, pads[:d]...)
	all = append(append(all, 0, 0), pads[d:]...)
	if !allZero(pads) {
		x = b.op("Pad", x, b.list(all...))
	}
	long := make([]int64, d)
	for i := range long {
		long[i] = strides[i] * step
	}
	x = b.every(x, b.op("Mul", offset, b.list(strides...)), 1)
	attrs := []*onnx.Attribute{ints("strides", long...), ints("dilations", spread(n.Ints("dilations", nil), d, 1)...),
		{Name: "group", Type: onnx.AttrInt, I: b.inputs()}}
	return b.with("Conv", attrs, x, b.unit())
}

func allZero(v []int64) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}

func spread(list []int64, n int, otherwise int64) []int64 {
	if len(list) == n {
		return list
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = otherwise
	}
	return out
}

// inputs is the number of input channels of all groups.
func (b builder) inputs() int64 { return int64(b.layer.Groups * b.layer.Cols / b.layer.taps()) }

// unit is a filter that copies every tap of every input channel to a channel of its own.
func (b builder) unit() *graph.Value {
	taps, in := b.layer.taps(), int(b.inputs())
	w := make([]float32, in*taps*taps)
	for i := range in * taps {
		w[i*taps+i%taps] = 1
	}
	dims := append([]int64{int64(in * taps), 1}, b.layer.dims[2:]...)
	if b.layer.Node.Is("ConvTranspose") {
		dims[0], dims[1] = int64(in), int64(taps)
	}
	return b.graph.Init("onnxpass_unit", onnx.FromFloat32s(dims, w))
}

// Offset is the array for OffsetInput of sample i, whose target has the given
// shape: positions that move from sample to sample, evenly over all residues
// of the step (a Weyl sequence).
func (p *Probe) Offset(i int, target []int64) calib.Array {
	n := p.Layer.Dims()
	v := make([]int64, n)
	for k := range v {
		_, part := math.Modf(float64(i+1) * weyl[k%len(weyl)])
		v[k] = int64(part * float64(min(p.Step, p.Layer.extent(target, k))))
	}
	b := make([]byte, 8*n)
	for k, x := range v {
		binary.LittleEndian.PutUint64(b[8*k:], uint64(x))
	}
	return calib.Array{Type: onnx.Int64, Shape: []int64{int64(n)}, Bytes: b}
}

// weyl are the multiples of 1/g, g^2 and g^3 that spread best in two and three dimensions.
var weyl = [...]float64{0.7548776662466927, 0.5698402909980532, 0.8191725133961645}

// extent is the number of positions of a target along spatial dimension k.
func (l *Layer) extent(target []int64, k int) int64 {
	if !l.conv {
		return product(target) / int64(l.Rows)
	}
	if k+2 < len(target) {
		return target[k+2]
	}
	return 1
}

// Spatial are the dims of a target along which positions are counted.
func (l *Layer) Spatial(target []int64) []int64 {
	out := make([]int64, l.Dims())
	for k := range out {
		out[k] = l.extent(target, k)
	}
	return out
}
