package quant

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// middle is the unsigned code of zero in the stored form of constants.
const middle = 128

// The stored form of 8 bits is Cast(codes) * scale, with int8 codes; where the
// target takes no int8 constant there, it is Cast(Cast(codes) - 128) * scale
// with uint8 codes and an int32 subtraction. DequantizeLinear would say the
// same, but ONNX Runtime never folds it: it would run again in every inference,
// and recurrent operators would lose their packed weights. A float subtraction
// is not possible either: OpenVINO takes it for a zero point that it then drops
// from the weights of an LSTM.

// widen replaces the float constants by their stored forms.
func (p *planner) widen() {
	zero := map[*graph.Graph]*graph.Value{}
	for _, c := range p.constants {
		if c.bits == 32 {
			continue
		}
		g := c.value.Graph()
		if zero[g] == nil && c.bits == 8 && p.profile.Quant.Codes == onnx.Uint8 {
			zero[g] = g.Init("codes_zero_point", onnx.From(nil, []int32{middle}))
		}
		wide := c.widened(g.Begin().By(passName), zero[g])
		for _, u := range c.uses {
			u.Set(wide)
		}
		removeUnused(c.value)
	}
}

// widened inserts the stored form and the nodes that compute the float constant
// from it. Codes are unsigned when there is a zero point.
func (c *constant) widened(at *graph.Cursor, zero *graph.Value) *graph.Value {
	g, name := at.Graph(), c.value.Name()
	cast := func(v *graph.Value, hint string, to onnx.DataType) *graph.Value {
		return at.OpN("Cast", "", hint, 1, []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(to)}}, v).Out(0)
	}
	if c.bits == 16 {
		return cast(g.Init(name+"_half", halfTensor(c.value.Const())), name+"_float", onnx.Float)
	}
	v := g.Init(name+"_q", c.codes(zero != nil))
	if zero != nil {
		v = at.Op("Sub", name+"_centred", cast(v, name+"_wide", onnx.Int32), zero).Out(0)
	}
	scale := g.Init(name+"_scale", onnx.FromFloat32s(c.cells.shape, c.scale))
	return at.Op("Mul", name+"_float", cast(v, name+"_cast", onnx.Float), scale).Out(0)
}

// codes is the initializer of 8 bits; its codes are computed when they are read.
func (c *constant) codes(unsigned bool) *onnx.Tensor {
	t, cells, scale := c.value.Const(), c.cells, c.scale
	elem, shift := onnx.Int8, 0
	if unsigned {
		elem, shift = onnx.Uint8, middle
	}
	return &onnx.Tensor{Type: elem, Dims: t.Dims, Data: onnx.Lazy(elements(t.Dims), func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		out := make([]byte, len(x))
		cells.each(func(cell, k int) { out[k] = byte(int(code(x[k], scale[cell])) + shift) })
		return out, nil
	})}
}

// residual is what the 8-bit form takes away from the constant.
func (c *constant) residual() *onnx.Tensor {
	t, cells, scale := c.value.Const(), c.cells, c.scale
	return &onnx.Tensor{Type: onnx.Float, Dims: t.Dims, Data: onnx.Lazy(4*elements(t.Dims), func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		y := make([]float32, len(x))
		cells.each(func(cell, k int) {
			y[k] = x[k] - float32(code(x[k], scale[cell]))*scale[cell]
		})
		return onnx.FromFloat32s(t.Dims, y).Data.Bytes()
	})}
}

func halfTensor(t *onnx.Tensor) *onnx.Tensor {
	return &onnx.Tensor{Type: onnx.Float16, Dims: t.Dims, Data: onnx.Lazy(2*elements(t.Dims), func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		out := make([]byte, 2*len(x))
		dtype.EncodeF16(out, x)
		return out, nil
	})}
}

// halfQuality is the SQNR in dB of x in float16; -Inf when that format does not reach a value.
func halfQuality(x []float32) float64 {
	var signal, noise float64
	for _, f := range x {
		d := float64(f) - float64(dtype.F16ToF32(dtype.F16FromF32(f)))
		signal += float64(f) * float64(f)
		noise += d * d
	}
	return decibels(signal, noise)
}
