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
		w := &widening{constant: c, at: g.Begin().By(passName)}
		if c.bits == 8 && p.codesOf(c) == onnx.Uint8 {
			if zero[g] == nil {
				zero[g] = g.Init("codes_zero_point", onnx.From(nil, []int32{middle}))
			}
			w.zero = zero[g]
		}
		if w.gathers() {
			w.gather()
		} else {
			wide := w.widened()
			for _, u := range c.uses {
				u.Set(wide)
			}
		}
		removeUnused(c.value)
	}
}

// codesOf is the element type of a constant's codes.
func (p *planner) codesOf(c *constant) onnx.DataType {
	for _, u := range c.uses {
		if u.Node.Is(recurrent...) {
			return p.profile.Quant.CodesState
		}
	}
	return p.profile.Quant.Codes
}

// widening inserts the nodes that compute a float constant from its stored form.
type widening struct {
	*constant
	at   *graph.Cursor
	zero *graph.Value // what to subtract from the codes, which are unsigned then; nil when they are signed
}

// widened is the float constant.
func (w *widening) widened() *graph.Value {
	g, name := w.at.Graph(), w.value.Name()
	if w.bits == 16 {
		return w.cast(g.Init(name+"_half", halfTensor(w.value.Const())), name+"_float", onnx.Float)
	}
	return w.scaled(name, w.initCodes(), w.initScale())
}

func (w *widening) initCodes() *graph.Value {
	return w.at.Graph().Init(w.value.Name()+"_q", w.codes(w.zero != nil))
}

func (w *widening) initScale() *graph.Value {
	return w.at.Graph().Init(w.value.Name()+"_scale", onnx.FromFloat32s(w.cells.shape, w.scale))
}

func (w *widening) cast(v *graph.Value, hint string, to onnx.DataType) *graph.Value {
	return w.at.OpN("Cast", "", hint, 1, []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(to)}}, v).Out(0)
}

// scaled is codes times scale.
func (w *widening) scaled(name string, codes, scale *graph.Value) *graph.Value {
	if w.zero != nil {
		codes = w.at.Op("Sub", name+"_centred", w.cast(codes, name+"_wide", onnx.Int32), w.zero).Out(0)
	}
	return w.at.Op("Mul", name+"_float", w.cast(codes, name+"_cast", onnx.Float), scale).Out(0)
}

// gathers says whether only the rows of a table that are looked up are
// restored: all readers take rows of signed codes, with a scale each.
func (w *widening) gathers() bool {
	if w.bits != 8 || w.zero != nil || w.cells.shape[0] != w.value.Const().Dims[0] {
		return false
	}
	for _, u := range w.uses {
		if !u.Node.Is("Gather") || u.Index != 0 || u.Node.Int("axis", 0) != 0 || u.Node.In(1) == nil || u.Node.Out(0) == nil {
			return false
		}
	}
	return true
}

// gather looks up codes and scales instead of floats: the table stays as small
// in memory as it is in the file, and loads faster.
func (w *widening) gather() {
	codes, scale := w.initCodes(), w.initScale()
	for _, u := range w.uses {
		n, out := u.Node, u.Node.Out(0)
		w.at = n.Before().By(passName)
		name := out.Name()
		v := w.at.OpN("Gather", "", name+"_q", 1, n.Attrs(), codes, n.In(1)).Out(0)
		s := w.at.OpN("Gather", "", name+"_scale", 1, n.Attrs(), scale, n.In(1)).Out(0)
		v = w.scaled(name, v, s)
		out.ReplaceUses(v, nil)
		n.Remove()
		v.Rename(name)
	}
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
