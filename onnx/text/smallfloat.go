package text

import "github.com/onnxpass/onnxpass/onnx"

// smallFloat completes f for the float types of 16 and fewer bits; ok is false for every other type.
func smallFloat(f format) (_ format, ok bool) {
	switch f.elem {
	case onnx.Float16, onnx.BFloat16:
		f.bits = 16
	case onnx.Float8E4M3FN, onnx.Float8E4M3FNUZ, onnx.Float8E5M2, onnx.Float8E5M2FNUZ, onnx.Float8E8M0:
		f.bits = 8
	case onnx.Float4E2M1:
		f.bits = 4
	default:
		return f, false
	}
	return f, true
}
