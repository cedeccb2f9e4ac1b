package ort

import "github.com/onnxpass/onnxpass/onnx"

// ONNXTensorElementDataType numbers types as TensorProto.DataType does, but for the last three.
const (
	ortUint2      = 24
	ortInt2       = 25
	ortFloat8E8M0 = 26
)

func fromORT(t int32) onnx.DataType {
	switch t {
	case ortUint2:
		return onnx.Uint2
	case ortInt2:
		return onnx.Int2
	case ortFloat8E8M0:
		return onnx.Float8E8M0
	}
	return onnx.DataType(t)
}

func toORT(t onnx.DataType) uintptr {
	switch t {
	case onnx.Uint2:
		return ortUint2
	case onnx.Int2:
		return ortInt2
	case onnx.Float8E8M0:
		return ortFloat8E8M0
	}
	return uintptr(t)
}
