package text

import (
	"encoding/binary"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// format describes how elements of one type are written.
type format struct {
	elem   onnx.DataType
	bits   int
	signed bool
	// The float types of 16 and fewer bits have both.
	decode func(code uint64) float64
	encode func(v float64) uint64
}

// formatOf covers all element types but strings and complex numbers.
func formatOf(t onnx.DataType) (f format, ok bool) {
	f = format{elem: t}
	switch t {
	case onnx.Float:
		f.bits = 32
	case onnx.Double:
		f.bits = 64
	case onnx.Int2, onnx.Uint2:
		f.bits, f.signed = 2, t == onnx.Int2
	case onnx.Int4, onnx.Uint4:
		f.bits, f.signed = 4, t == onnx.Int4
	case onnx.Int8, onnx.Uint8:
		f.bits, f.signed = 8, t == onnx.Int8
	case onnx.Int16, onnx.Uint16:
		f.bits, f.signed = 16, t == onnx.Int16
	case onnx.Int32, onnx.Uint32:
		f.bits, f.signed = 32, t == onnx.Int32
	case onnx.Int64, onnx.Uint64:
		f.bits, f.signed = 64, t == onnx.Int64
	case onnx.Bool:
		f.bits = 8
	default:
		return smallFloat(f)
	}
	return f, true
}

// code is the bit pattern of element i of packed little-endian data.
func (f format) code(data []byte, i int64) uint64 {
	switch f.bits {
	case 64:
		return binary.LittleEndian.Uint64(data[8*i:])
	case 32:
		return uint64(binary.LittleEndian.Uint32(data[4*i:]))
	case 16:
		return uint64(binary.LittleEndian.Uint16(data[2*i:]))
	case 8:
		return uint64(data[i])
	}
	per := int64(8 / f.bits)
	return uint64(data[i/per]) >> (int(i%per) * f.bits) & (1<<f.bits - 1)
}

// signedCode is code with the sign extended.
func (f format) signedCode(code uint64) int64 {
	shift := 64 - f.bits
	return int64(code<<shift) >> shift
}

// value is element i as a number, rounded where 64 bits do not fit.
func (f format) value(data []byte, i int64) float64 {
	code := f.code(data, i)
	switch {
	case f.elem == onnx.Float:
		return float64(math.Float32frombits(uint32(code)))
	case f.elem == onnx.Double:
		return math.Float64frombits(code)
	case f.decode != nil:
		return f.decode(code)
	case f.signed:
		return float64(f.signedCode(code))
	}
	return float64(code)
}

// size is the number of bytes that n elements take.
func (f format) size(n int64) int64 { return n/8*int64(f.bits) + (n%8*int64(f.bits)+7)/8 }
