package quant

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/dtype"
	"github.com/onnxpass/onnxpass/passes/target"
)

// The choices of Options.Format.
const (
	FormatInt8 = "int8"
	FormatE4M3 = "fp8"
	FormatE5M2 = "fp8-e5m2"
)

// float8Opset is the first opset with float8 types.
const float8Opset = 19

// elementOf is the element type of the codes of a format; Int8 stands for both 8-bit integers.
func elementOf(format string) onnx.DataType {
	switch format {
	case FormatE4M3:
		return onnx.Float8E4M3FN
	case FormatE5M2:
		return onnx.Float8E5M2
	}
	return onnx.Int8
}

// prepare says what the passes before are told: the exponents of float8 make channels of different size equal already.
func prepare(o any) []string {
	if elementOf(o.(Options).Format).IsFloat8() {
		return []string{"equalize.mode=off"}
	}
	return nil
}

// float8 says whether codes are 8-bit floats.
func (p *planner) float8() bool { return p.profile.Quant.Signed.IsFloat8() }

// useFloat8 turns to the target's rules for 8-bit floats.
func (p *planner) useFloat8(elem onnx.DataType) error {
	if v := p.model.Opset(""); v < float8Opset {
		return diag.New("OP3461", "float8 needs opset 19", "found", fmt.Sprintf("opset %d", v)).Hinted("leave --no-prep out, so that the opset pass raises it first")
	}
	own := p.profile.WithFloat8(elem)
	if own == nil {
		var names []string
		for _, name := range target.Names() {
			if target.Lookup(name).WithFloat8(elem) != nil {
				names = append(names, name)
			}
		}
		return diag.New("OP3462", p.profile.Title+" has no products of "+elem.String(), "target", p.profile.Name, "targets with them", strings.Join(names, ", ")).
			Hinted("weights alone can be stored as float8 by the pass woq")
	}
	p.profile = own
	return nil
}

// float8Format is how a float8 type spends its bits.
type float8Format struct {
	largest  float64 // finite value
	mantissa int     // bits
	least    int     // exponent of the least normal number
}

func float8Of(elem onnx.DataType) float8Format {
	if elem == onnx.Float8E5M2 {
		return float8Format{57344, 2, -14}
	}
	return float8Format{448, 3, -6}
}

// step is the distance of codes around |x| = a, in units of the scale.
func (f float8Format) step(a float64) float64 {
	_, e := math.Frexp(a)
	return math.Ldexp(1, max(e-1, f.least)-f.mantissa)
}

// float8Code is the code of x / s, saturated.
func float8Code(elem onnx.DataType, x, s float32) byte {
	if elem == onnx.Float8E5M2 {
		return dtype.E5M2FromF32(x/s, true)
	}
	return dtype.E4M3FNFromF32(x/s, true)
}

// float8Value is the value of a code under scale s.
func float8Value(elem onnx.DataType, code byte, s float32) float32 {
	if elem == onnx.Float8E5M2 {
		return dtype.E5M2ToF32(code) * s
	}
	return dtype.E4M3FNToF32(code) * s
}

// leastFloat8Scale keeps scales normal numbers of float16, in which the rest of the network may be. Codes lose nothing
// before values lie eighteen binary orders below the largest one.
const leastFloat8Scale = 0x1p-14

// float8Params makes parameters with zero point 0 for the range [lo, hi]: scale = max(|lo|, |hi|) / largest code.
func float8Params(elem onnx.DataType, lo, hi float64) Params {
	s := scale(max(-lo, hi) / float8Of(elem).largest)
	return Params{Elem: elem, Scale: []float32{max(s, leastFloat8Scale)}, Zero: []int32{0}}
}

// float8Error is squaredError for codes whose distance grows with their value.
func (h *Histogram) float8Error(p Params) float64 {
	f, s := float8Of(p.Elem), float64(p.Scale[0])
	var sum float64
	for i, b := range h.Bins {
		a := math.Abs(b.Centre) / s
		y := float64(p.Round(float32(b.Centre)))
		step := f.step(min(a, f.largest)) * s
		slope, d := 1.0, y-b.Centre
		if h.response != nil {
			slope, d = h.slope[i], h.response(y)-h.value[i]
		}
		r := d * d
		switch {
		case a > f.largest && b.Centre < 0:
			r *= h.below
		case a > f.largest:
			r *= h.above
		case b.Width >= step/2:
			r = slope * slope * step * step / 12
		}
		sum += float64(b.Count) * r
	}
	return sum
}

// alignments is how many scales are tried for a channel of a weight: a factor of 2 changes nothing, what lies between
// decides where the values fall among the codes.
const alignments = 8

// float8Scale is the scale with which the values of a channel lose least; most is their largest magnitude.
func float8Scale(elem onnx.DataType, x []float32, most float32) float32 {
	first := max(scale(float64(most)/float8Of(elem).largest), leastFloat8Scale)
	best, least := first, math.Inf(1)
	for k := range alignments {
		s := first * float32(math.Exp2(float64(k)/alignments))
		var sum float64
		for _, f := range x {
			d := float64(f) - float64(float8Value(elem, float8Code(elem, f, s), s))
			sum += d * d
		}
		if sum < least {
			best, least = s, sum
		}
	}
	return best
}
