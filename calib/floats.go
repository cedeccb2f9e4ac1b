package calib

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// Float32s is the content of a numeric array as float32: the array's own memory
// for Float where that is possible, else scratch, which grows as needed. Wider
// types are rounded to nearest; Bool is 0 and 1.
func (a Array) Float32s(scratch *[]float32) ([]float32, error) {
	if a.Type == onnx.Float {
		if x, ok := view[float32](a.Bytes); ok {
			return x, nil
		}
	}
	return convert(a, scratch)
}

// Float64s is the content of a numeric array as float64: the array's own
// memory for Double where that is possible, else scratch. 64-bit integers are
// rounded to nearest.
func (a Array) Float64s(scratch *[]float64) ([]float64, error) {
	if a.Type == onnx.Double {
		if x, ok := view[float64](a.Bytes); ok {
			return x, nil
		}
	}
	return convert(a, scratch)
}

func convert[T float32 | float64](a Array, scratch *[]T) ([]T, error) {
	size, get := element(a.Type)
	if size == 0 {
		return nil, fmt.Errorf("values of type %v are not numbers that can be compared or observed", a.Type)
	}
	to := (*scratch)[:0]
	if x, ok := view[float32](a.Bytes); ok && a.Type == onnx.Float {
		for _, f := range x {
			to = append(to, T(f))
		}
		*scratch = to
		return to, nil
	}
	for b := a.Bytes; len(b) >= size; b = b[size:] {
		to = append(to, T(get(b)))
	}
	*scratch = to
	return to, nil
}

// element gives size and reader of one element; size 0 for types without one.
func element(t onnx.DataType) (size int, get func(b []byte) float64) {
	le := binary.LittleEndian
	switch t {
	case onnx.Float:
		return 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	case onnx.Double:
		return 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }
	case onnx.Float16:
		return 2, func(b []byte) float64 { return float64(dtype.F16ToF32(le.Uint16(b))) }
	case onnx.BFloat16:
		return 2, func(b []byte) float64 { return float64(dtype.BF16ToF32(le.Uint16(b))) }
	case onnx.Uint8, onnx.Bool:
		return 1, func(b []byte) float64 { return float64(b[0]) }
	case onnx.Int8:
		return 1, func(b []byte) float64 { return float64(int8(b[0])) }
	case onnx.Uint16:
		return 2, func(b []byte) float64 { return float64(le.Uint16(b)) }
	case onnx.Int16:
		return 2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }
	case onnx.Uint32:
		return 4, func(b []byte) float64 { return float64(le.Uint32(b)) }
	case onnx.Int32:
		return 4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }
	case onnx.Uint64:
		return 8, func(b []byte) float64 { return float64(le.Uint64(b)) }
	case onnx.Int64:
		return 8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) }
	}
	return 0, nil
}
