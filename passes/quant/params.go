package quant

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// Params are the quantization parameters of one tensor: x is stored as
// q = saturate(round(x/Scale) + Zero) and read back as (q - Zero) * Scale.
// One element of Scale and Zero serves the whole tensor; more serve one index
// of Axis each.
type Params struct {
	Elem  onnx.DataType // Int8, Uint8 or a float8 type, whose zero point is 0
	Scale []float32
	Zero  []int32
	Axis  int
}

// codes are the least and the largest stored value of an 8-bit element type.
func codes(elem onnx.DataType) (lo, hi int32) {
	if elem == onnx.Uint8 {
		return 0, 255
	}
	return -128, 127
}

// Bounds are the least and the largest real value that the parameters can represent (of the first channel).
func (p Params) Bounds() (lo, hi float32) {
	if p.Elem.IsFloat8() {
		hi = float32(float8Of(p.Elem).largest) * p.Scale[0]
		return -hi, hi
	}
	a, b := codes(p.Elem)
	return float32(a-p.Zero[0]) * p.Scale[0], float32(b-p.Zero[0]) * p.Scale[0]
}

// PerChannel says whether there is more than one scale.
func (p Params) PerChannel() bool { return len(p.Scale) > 1 }

// Round is the value of x after quantization and dequantization, in the
// float32 arithmetic that ONNX prescribes: divide, round half to even, add the
// zero point, saturate.
func (p Params) Round(x float32) float32 {
	if p.Elem.IsFloat8() {
		return float8Value(p.Elem, float8Code(p.Elem, x, p.Scale[0]), p.Scale[0])
	}
	lo, hi := codes(p.Elem)
	q := math.RoundToEven(float64(x/p.Scale[0])) + float64(p.Zero[0])
	q = min(max(q, float64(lo)), float64(hi))
	return (float32(q) - float32(p.Zero[0])) * p.Scale[0]
}

// symmetric makes signed parameters with zero point 0 for the range [lo, hi]: scale = max(|lo|, |hi|) / 127.
func symmetric(lo, hi float64) Params {
	return Params{Elem: onnx.Int8, Scale: []float32{scale(max(-lo, hi) / 127)}, Zero: []int32{0}}
}

// centred is symmetric stored in unsigned codes: zero point 128.
func centred(lo, hi float64) Params {
	p := symmetric(lo, hi)
	p.Elem, p.Zero[0] = onnx.Uint8, 128
	return p
}

// unsigned makes parameters with zero point 0 for values in [0, hi]: scale = hi / 255.
func unsigned(hi float64) Params {
	return Params{Elem: onnx.Uint8, Scale: []float32{scale(hi / 255)}, Zero: []int32{0}}
}

// narrowest is the width below which a two-sided range is widened, so that a
// constant tensor does not get a scale near the smallest float.
const narrowest = 8e-4

// asymmetric makes parameters for the range [lo, hi] in which zero is exact.
// The range is stretched to hold zero and is never cut. Of the two zero points
// around -lo*255/(hi-lo) the one with the smaller step is taken: rounding to
// the nearer one could stretch a lopsided range by half.
func asymmetric(elem onnx.DataType, lo, hi float64) Params {
	lo, hi = min(lo, 0), max(hi, 0)
	if hi-lo <= narrowest {
		lo, hi = lo-narrowest, hi+narrowest
	}
	z := min(math.Floor(-lo*255/(hi-lo)), 254)
	s := stepFor(lo, hi, z)
	if up := stepFor(lo, hi, z+1); up < s {
		z, s = z+1, up
	}
	p := Params{Elem: elem, Scale: []float32{scale(s)}, Zero: []int32{int32(z)}}
	if elem == onnx.Int8 {
		p.Zero[0] -= 128
	}
	return p
}

// stepFor is the least step with which codes 0..255 around zero point z cover [lo, hi].
func stepFor(lo, hi, z float64) float64 {
	switch {
	case z < 0 || z > 255 || z == 0 && lo < 0 || z == 255 && hi > 0:
		return math.Inf(1)
	case z == 0:
		return hi / 255
	case z == 255:
		return -lo / 255
	}
	return max(-lo/z, hi/(255-z))
}

// leastScale keeps the reciprocal and products of two scales finite in float32.
const leastScale = 1e-18

// scale rounds s to float32 and keeps it positive, finite and far from the ends of the type.
func scale(s float64) float32 {
	if !(s > leastScale) {
		return 1
	}
	return float32(min(s, 1e18))
}

// within lowers the scale by single steps of float32 until the last code does
// not exceed the upper bound that the graph implies: runtimes drop a Clip
// before QuantizeLinear only when the codes cannot reach beyond it.
func (p *Params) within(b Bounds) {
	for range 4 {
		_, hi := p.Bounds()
		if p.PerChannel() || float64(hi) <= b.Hi || float64(hi) > b.Hi*(1+1e-5) {
			return
		}
		p.Scale[0] = math.Nextafter32(p.Scale[0], 0)
	}
}
