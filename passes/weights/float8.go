package weights

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Float8 stores weights in an 8-bit float type with one scale for each channel.
type Float8 struct {
	Type    onnx.DataType // onnx.Float8E4M3FN or onnx.Float8E5M2
	Target  *target.Profile
	Threads int
}

// Name names the format.
func (f *Float8) Name() string { return f.Type.String() + " per channel" }

// largest8 is the largest finite value of the type.
func largest8(t onnx.DataType) float64 {
	if t == onnx.Float8E5M2 {
		return 57344
	}
	return 448
}

// Fit chooses the scales: max|W_c| / max of the type, or the shares of it down to one half that lose least.
func (f *Float8) Fit(s *Source) (Coding, string, error) {
	if why := f.Suits(s.Weight); why != "" {
		return nil, why, nil
	}
	if !finite(s.X) {
		return nil, "the weight holds NaN or infinity", nil
	}
	g := &float8{format: f, weight: s.Weight, how: formFor(s.Weight, f.Target), scale: make([]float32, s.Channels)}
	Each(f.Threads, s.Channels, func(c int) { g.search(c, s.X[c*s.Cols:(c+1)*s.Cols], s.Of(c)) })
	return g, "", nil
}

// Suits is why the format does not suit a weight, whatever its elements; empty when it does.
func (f *Float8) Suits(w *Weight) string {
	how := formFor(w, f.Target)
	switch {
	case !f.Target.Weights.Dequantizes(f.Type) || how == widen && !f.Target.Weights.Widens(f.Type):
		return f.Target.Title + " has no " + f.Type.String() + " weights for " + w.Node().Op()
	case w.Value.Graph().Model().Opset("") < opsetHalf:
		return fmt.Sprintf("the form needs opset %d", opsetHalf)
	case how == dequantize && w.Axis() < 0:
		return "scales of several axes"
	}
	return ""
}

// float8 is Float8 fitted to one weight.
type float8 struct {
	format *Float8
	weight *Weight
	how    form
	scale  []float32
}

// search tries scales within an octave: floats of 8 bits look alike in all of them.
func (g *float8) search(c int, x, w []float32) {
	low, high := extremes(x)
	reach := float64(max(-low, high)) / largest8(g.format.Type)
	if reach == 0 {
		g.scale[c] = 1
		return
	}
	best, least := float32(0), math.Inf(1)
	for k := range 16 {
		g.scale[c] = g.stored(reach * math.Exp2(-float64(k)/16))
		if e := g.loss(c, x, w); e < least {
			best, least = g.scale[c], e
		}
	}
	g.scale[c] = best
}

func (g *float8) loss(c int, x, w []float32) float64 {
	var sum float64
	for i, v := range x {
		d := float64(v - g.value(g.code(v, c), c))
		if w != nil {
			d *= d * float64(w[i])
		} else {
			d *= d
		}
		sum += d
	}
	return sum
}

func (g *float8) stored(s float64) float32 {
	return storedScale(g.scaleType(), s)
}

func (g *float8) code(x float32, c int) byte {
	if g.format.Type == onnx.Float8E5M2 {
		return dtype.E5M2FromF32(x/g.scale[c], true)
	}
	return dtype.E4M3FNFromF32(x/g.scale[c], true)
}

func (g *float8) value(q byte, c int) float32 {
	v := dtype.E4M3FNToF32(q)
	if g.format.Type == onnx.Float8E5M2 {
		v = dtype.E5M2ToF32(q)
	}
	return narrowed(g.weight.Const.Type, v*g.scale[c])
}

// Unit is 1: every element has its own code.
func (g *float8) Unit() int { return 1 }

// Round decodes the nearest code.
func (g *float8) Round(channel, _ int, v, _ []float32) {
	v[0] = g.value(g.code(v[0], channel), channel)
}

// Scaled multiplies the scales of each channel.
func (g *float8) Scaled(factor []float32) Coding {
	out := *g
	out.scale = make([]float32, len(g.scale))
	for i, s := range g.scale {
		out.scale[i] = g.stored(float64(s) * float64(factor[i]))
	}
	return &out
}

// Bytes counts codes and scales.
func (g *float8) Bytes() int64 {
	scales, _ := g.scaleType().RawSize(int64(len(g.scale)))
	return int64(g.weight.Elements()) + scales
}

// Store writes codes and scales, and the nodes that compute the weight.
func (g *float8) Store(w *Weight, x []float32, pass string) error {
	bytes := make([]byte, len(x))
	for i, v := range x {
		bytes[i] = g.code(v, i/w.Cols)
	}
	s := newStoring(w, pass)
	codes := s.init("_q", onnx.NewTensor(g.format.Type, w.Dims, Tensor(w.Layout, bytes)))
	if g.how == widen {
		w.Replace(s.scaled(codes, s.init("_scale", FloatTensor(w.Const.Type, w.ChannelDims(), ByChannel(w.Layout, g.scale))), false))
		return nil
	}
	scale := s.init("_scale", FloatTensor(g.scaleType(), []int64{int64(len(g.scale))}, g.scale))
	s.dequantize([]*onnx.Attribute{integer("axis", int64(s.Axis()))}, codes, scale)
	return nil
}

func (g *float8) scaleType() onnx.DataType { return scaleType(g.weight, g.how, g.format.Target) }
