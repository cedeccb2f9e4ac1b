package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// Element is a Go type that one element of a tensor can have.
type Element interface {
	bool | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | float32 | float64 | complex64 | complex128
}

// TypeOf is the element type that holds a Go type.
func TypeOf[T Element]() DataType {
	var v T
	switch any(v).(type) {
	case bool:
		return Bool
	case int8:
		return Int8
	case uint8:
		return Uint8
	case int16:
		return Int16
	case uint16:
		return Uint16
	case int32:
		return Int32
	case uint32:
		return Uint32
	case int64:
		return Int64
	case uint64:
		return Uint64
	case float32:
		return Float
	case float64:
		return Double
	case complex64:
		return Complex64
	default:
		return Complex128
	}
}

// Elements is a copy of the elements of t, whose type must be TypeOf[T].
func Elements[T Element](t *Tensor) ([]T, error) {
	if want := TypeOf[T](); t.Type != want {
		return nil, fmt.Errorf("tensor %s: elements are not %s", t.label(), want)
	}
	var out []T
	err := t.read(func(n int, raw []byte) error {
		out = make([]T, n)
		fill(out, raw)
		return nil
	})
	return out, err
}

// From is a tensor with a copy of values in row-major order; nil dims make a scalar.
func From[T Element](dims []int64, values []T) *Tensor {
	raw := make([]byte, len(values)*sizeOf[T]())
	var v T
	if size := sizeOf[T](); size == 1 || littleEndian {
		copy(raw, asBytes(values))
	} else {
		swapped(raw, asBytes(values), wordSize(v, size))
	}
	return NewTensor(TypeOf[T](), dims, raw)
}

// FromFloat32s is From for the most usual type.
func FromFloat32s(dims []int64, values []float32) *Tensor { return From(dims, values) }

// FromInt64s is From for shapes and indices.
func FromInt64s(dims []int64, values []int64) *Tensor { return From(dims, values) }

// FromStrings is a String tensor over values, which are not copied.
func FromStrings(dims []int64, values [][]byte) *Tensor {
	return &Tensor{Type: String, Dims: dims, Strings: values}
}

// read hands the number of elements and the raw content, whose size it has checked, to fn.
func (t *Tensor) read(fn func(n int, raw []byte) error) error {
	n, err := t.NumElements()
	if err != nil {
		return err
	}
	want, ok := t.Type.RawSize(n)
	if !ok {
		return fmt.Errorf("tensor %s: elements have no fixed size", t.label())
	}
	return guarded(func() error {
		raw, err := t.Raw()
		if err != nil {
			return err
		}
		if int64(len(raw)) != want {
			return t.invalid("content does not fit type and dims", fmt.Sprintf("%d bytes", want), fmt.Sprintf("%d bytes", len(raw)))
		}
		return fn(int(n), raw)
	})
}

// littleEndian tells whether memory has the order of raw content.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func asBytes[T Element](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*sizeOf[T]())
}

// fill copies raw content to out.
func fill[T Element](out []T, raw []byte) {
	var v T
	switch size := sizeOf[T](); {
	case TypeOf[T]() == Bool:
		// Go allows only 0 and 1 in memory; a file may hold anything.
		for i, b := range raw {
			asBytes(out)[i] = min(b, 1)
		}
	case size == 1 || littleEndian:
		copy(asBytes(out), raw)
	default:
		swapped(asBytes(out), raw, wordSize(v, size))
	}
}

// wordSize is the size of what has a byte order: half of a complex number.
func wordSize(v any, size int) int {
	switch v.(type) {
	case complex64, complex128:
		return size / 2
	}
	return size
}

func swapped(dst, src []byte, word int) {
	for i := range src {
		dst[i/word*word+word-1-i%word] = src[i]
	}
}

// Float32s is a copy of the elements of any real floating-point type as
// float32: exact for types up to 32 bits, rounded for Double.
func (t *Tensor) Float32s() ([]float32, error) {
	if !t.Type.IsFloat() {
		return nil, fmt.Errorf("tensor %s: elements are not floating-point numbers", t.label())
	}
	var out []float32
	err := t.read(func(n int, raw []byte) error {
		out = make([]float32, n)
		t.Type.decodeFloats(out, raw)
		return nil
	})
	return out, err
}

// decodeFloats converts raw content of a real floating-point type.
func (t DataType) decodeFloats(out []float32, raw []byte) {
	switch t {
	case Float:
		fill(out, raw)
	case Double:
		for i := range out {
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	case Float16:
		dtype.DecodeF16(out, raw)
	case BFloat16:
		dtype.DecodeBF16(out, raw)
	case Float8E4M3FN:
		dtype.DecodeE4M3FN(out, raw)
	case Float8E4M3FNUZ:
		dtype.DecodeE4M3FNUZ(out, raw)
	case Float8E5M2:
		dtype.DecodeE5M2(out, raw)
	case Float8E5M2FNUZ:
		dtype.DecodeE5M2FNUZ(out, raw)
	case Float8E8M0:
		dtype.DecodeE8M0(out, raw)
	case Float4E2M1:
		dtype.DecodeE2M1(out, raw)
	case Float6E2M3:
		dtype.DecodeE2M3(out, raw)
	case Float6E3M2:
		dtype.DecodeE3M2(out, raw)
	}
}

// Float64s is a copy of the elements of any real floating-point type; always exact.
func (t *Tensor) Float64s() ([]float64, error) {
	if t.Type == Double {
		return Elements[float64](t)
	}
	narrow, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(narrow))
	for i, v := range narrow {
		out[i] = float64(v)
	}
	return out, nil
}

// Int64s is a copy of the elements of any integer type, or of Bool as 0 and 1.
// Uint64 elements above the largest int64 are an error.
func (t *Tensor) Int64s() ([]int64, error) {
	if !t.Type.IsInteger() && t.Type != Bool {
		return nil, fmt.Errorf("tensor %s: elements are not integers", t.label())
	}
	var out []int64
	err := t.read(func(n int, raw []byte) error {
		out = make([]int64, n)
		bits := t.Type.Bits()
		for i := range out {
			v := bitsAt(raw, i, bits)
			switch {
			case t.Type.IsSigned():
				out[i] = int64(v<<(64-bits)) >> (64 - bits)
			case t.Type == Bool:
				out[i] = int64(min(v, 1))
			case v > math.MaxInt64:
				return fmt.Errorf("tensor %s: element %d does not fit int64: %d", t.label(), i, v)
			default:
				out[i] = int64(v)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// bitsAt is element i of raw content with a power of two bits per element, up to 64.
func bitsAt(raw []byte, i, bits int) uint64 {
	switch bits {
	case 64:
		return binary.LittleEndian.Uint64(raw[8*i:])
	case 32:
		return uint64(binary.LittleEndian.Uint32(raw[4*i:]))
	case 16:
		return uint64(binary.LittleEndian.Uint16(raw[2*i:]))
	case 8:
		return uint64(raw[i])
	}
	bit := i * bits
	return uint64(raw[bit/8]) >> (bit % 8) & (1<<bits - 1)
}
