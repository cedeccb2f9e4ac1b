package target

import (
	"encoding/binary"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// content is the raw bytes of a tensor; nil when there are none or they cannot be had.
func content(t *onnx.Tensor) []byte {
	if t.Data == nil {
		return nil
	}
	b, err := t.Data.Bytes()
	if err != nil {
		return nil
	}
	return b
}

// floats are the elements of a float32, float16, bfloat16 or float64 tensor as float32; nil for other types.
func floats(t *onnx.Tensor) []float32 {
	b := content(t)
	switch t.Type {
	case onnx.Float:
		out := make([]float32, len(b)/4)
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return out
	case onnx.Double:
		out := make([]float32, len(b)/8)
		for i := range out {
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
		return out
	case onnx.Float16:
		out := make([]float32, len(b)/2)
		dtype.DecodeF16(out, b)
		return out
	case onnx.BFloat16:
		out := make([]float32, len(b)/2)
		dtype.DecodeBF16(out, b)
		return out
	}
	return nil
}

// integers are the elements of an integer tensor of 8 to 64 bits; nil for other types.
func integers(t *onnx.Tensor) []int64 {
	b := content(t)
	size := t.Type.Bits() / 8
	if !t.Type.IsInteger() || size == 0 {
		return nil
	}
	out := make([]int64, len(b)/size)
	for i := range out {
		out[i] = integer(b[i*size:(i+1)*size], t.Type.IsSigned())
	}
	return out
}

// integer reads one little-endian element.
func integer(b []byte, signed bool) int64 {
	var u uint64
	for i, c := range b {
		u |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	if signed {
		return int64(u<<shift) >> shift
	}
	return int64(u)
}
