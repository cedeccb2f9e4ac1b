package weights

import (
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// narrowed is x rounded to a float type of 16 bits; to others not at all.
func narrowed(t onnx.DataType, x float32) float32 {
	switch t {
	case onnx.Float16:
		return dtype.F16ToF32(dtype.F16FromF32(x))
	case onnx.BFloat16:
		return dtype.BF16ToF32(dtype.BF16FromF32(x))
	}
	return x
}

// FloatTensor is a tensor of a float type of 32 or 16 bits.
func FloatTensor(t onnx.DataType, dims []int64, x []float32) *onnx.Tensor {
	out := make([]byte, 2*len(x))
	switch t {
	case onnx.Float16:
		dtype.EncodeF16(out, x)
	case onnx.BFloat16:
		dtype.EncodeBF16(out, x)
	default:
		return onnx.FromFloat32s(dims, x)
	}
	return onnx.NewTensor(t, dims, out)
}
