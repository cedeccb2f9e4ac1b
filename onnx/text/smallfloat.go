package text

import (
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// smallFloat completes f for the float types of 16 and fewer bits; ok is false for every other type.
func smallFloat(f format) (_ format, ok bool) {
	switch f.elem {
	case onnx.Float16:
		return f.float16(dtype.F16ToF32, dtype.F16FromF32), true
	case onnx.BFloat16:
		return f.float16(dtype.BF16ToF32, dtype.BF16FromF32), true
	case onnx.Float8E4M3FN:
		return f.float8(dtype.E4M3FNToF32, rounding(dtype.E4M3FNFromF32)), true
	case onnx.Float8E4M3FNUZ:
		return f.float8(dtype.E4M3FNUZToF32, rounding(dtype.E4M3FNUZFromF32)), true
	case onnx.Float8E5M2:
		return f.float8(dtype.E5M2ToF32, rounding(dtype.E5M2FromF32)), true
	case onnx.Float8E5M2FNUZ:
		return f.float8(dtype.E5M2FNUZToF32, rounding(dtype.E5M2FNUZFromF32)), true
	case onnx.Float4E2M1:
		f = f.float8(dtype.E2M1ToF32, dtype.E2M1FromF32)
		f.bits = 4
		return f, true
	case onnx.Float8E8M0:
		f.bits = 8 // codes only: exponents read better as integers
		return f, true
	}
	return f, false
}

func (f format) float16(decode func(uint16) float32, encode func(float32) uint16) format {
	f.bits = 16
	f.decode = func(code uint64) float64 { return float64(decode(uint16(code))) }
	f.encode = func(v float64) uint64 { return uint64(encode(float32(v))) }
	return f
}

func (f format) float8(decode func(uint8) float32, encode func(float32) uint8) format {
	f.bits = 8
	f.decode = func(code uint64) float64 { return float64(decode(uint8(code))) }
	f.encode = func(v float64) uint64 { return uint64(encode(float32(v))) }
	return f
}

// rounding encodes with infinity or NaN for what is out of range.
func rounding(encode func(float32, bool) uint8) func(float32) uint8 {
	return func(v float32) uint8 { return encode(v, false) }
}
