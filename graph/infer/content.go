package infer

import (
	"encoding/binary"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// maxContent is the greatest number of elements of a tracked content.
const maxContent = 1024

// content is what is known of the elements of a small tensor, in row-major
// order. One of ints and floats is set (not nil).
type content struct {
	dims   []int64
	ints   []Dim
	floats []float64
}

// contentOf returns the content of a value; ok is false when nothing is tracked.
func contentOf(v *Value) (x content, ok bool) {
	if v == nil {
		return x, false
	}
	if v.Const != nil {
		x, ok = constContent(v.Const)
		return x, ok && v.Shape.holds(x.dims)
	}
	if v.Ints == nil && v.Floats == nil {
		return x, false
	}
	x = content{ints: v.Ints, floats: v.Floats}
	if x.dims, ok = v.Shape.Static(); !ok {
		x.dims = []int64{int64(x.len())}
	}
	return x, x.len() <= maxContent && count(x.dims) == int64(x.len())
}

// holds tells whether a shape may be that of a tensor with these dimensions.
func (s Shape) holds(dims []int64) bool {
	if !s.Ranked {
		return true
	}
	if len(s.Dims) != len(dims) {
		return false
	}
	for i, d := range s.Dims {
		if d.IsStatic() && d.Value != dims[i] {
			return false
		}
	}
	return true
}

// smallContent is contentOf, but answers with unknown elements for a small
// tensor of integers that is not tracked, so that neighbours of it stay known.
func smallContent(v *Value) (content, bool) {
	x, ok := contentOf(v)
	if ok || v == nil || !tracksInts(v.Elem) {
		return x, ok
	}
	dims, ok := v.Shape.Static()
	n := count(dims)
	if !ok || n < 0 || n > maxContent {
		return x, false
	}
	x = content{dims: dims, ints: make([]Dim, n)}
	for i := range x.ints {
		x.ints[i] = Dynamic()
	}
	return x, true
}

// tracksInts and tracksFloats tell whose contents are kept.
func tracksInts(t onnx.DataType) bool {
	return t == onnx.Int64 || t == onnx.Int32 || t == onnx.Bool
}

func tracksFloats(t onnx.DataType) bool { return t == onnx.Float || t == onnx.Double }

func (x content) len() int { return max(len(x.ints), len(x.floats)) }

// count is the number of elements, -1 when it is more than maxContent or hostile.
func count(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		if d == 0 {
			return 0
		}
		if d < 0 || n > maxContent/d {
			n = -1
			break
		}
		n *= d
	}
	return n
}

// elemSizes are the bytes of one element of the types whose constants are read.
var elemSizes = map[onnx.DataType]int64{
	onnx.Int64: 8, onnx.Int32: 4, onnx.Bool: 1, onnx.Float: 4, onnx.Double: 8,
	onnx.Uint8: 1, onnx.Int8: 1, onnx.Uint16: 2, onnx.Int16: 2, onnx.Uint32: 4,
}

func constContent(t *onnx.Tensor) (x content, ok bool) {
	width, n := elemSizes[t.Type], count(t.Dims)
	if width == 0 || n < 0 {
		return x, false
	}
	x.dims = t.Dims
	var b []byte
	if t.Data != nil && t.Data.Len() <= 8*maxContent {
		var err error
		if b, err = t.Data.Bytes(); err != nil {
			return x, false
		}
	}
	if int64(len(b)) < n*width {
		return x, false
	}
	if tracksFloats(t.Type) {
		x.floats = make([]float64, n)
		for i := range x.floats {
			x.floats[i] = readFloat(t.Type, b, i)
		}
		return x, true
	}
	x.ints = make([]Dim, n)
	for i := range x.ints {
		x.ints[i] = Static(readInt(t.Type, b, i))
	}
	return x, true
}

func readFloat(t onnx.DataType, b []byte, i int) float64 {
	if t == onnx.Double {
		return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
}

func readInt(t onnx.DataType, b []byte, i int) int64 {
	switch t {
	case onnx.Int64:
		return int64(binary.LittleEndian.Uint64(b[8*i:]))
	case onnx.Int32:
		return int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
	case onnx.Uint32:
		return int64(binary.LittleEndian.Uint32(b[4*i:]))
	case onnx.Int16:
		return int64(int16(binary.LittleEndian.Uint16(b[2*i:])))
	case onnx.Uint16:
		return int64(binary.LittleEndian.Uint16(b[2*i:]))
	case onnx.Int8:
		return int64(int8(b[i]))
	}
	return int64(b[i])
}

// numbers returns the elements when all are known integers.
func (x content) numbers() ([]int64, bool) {
	if x.ints == nil {
		return nil, false
	}
	list := make([]int64, len(x.ints))
	for i, e := range x.ints {
		if !number(e) {
			return nil, false
		}
		list[i] = e.Value
	}
	return list, true
}

// pick builds a content of shape dims whose element at position at is the
// element of x at the position that f writes into src; an index out of range makes it fail.
func (x content) pick(dims []int64, f func(at, src []int64)) (content, bool) {
	n := count(dims)
	if n < 0 {
		return content{}, false
	}
	y := content{dims: dims}
	if x.floats != nil {
		y.floats = make([]float64, n)
	} else {
		y.ints = make([]Dim, n)
	}
	at, src := make([]int64, len(dims)), make([]int64, len(x.dims))
	for i := range int(n) {
		f(at, src)
		j := x.offset(src)
		switch {
		case j < 0:
			return content{}, false
		case x.floats != nil:
			y.floats[i] = x.floats[j]
		default:
			y.ints[i] = x.ints[j]
		}
		advance(at, dims)
	}
	return y, true
}

// offset is the row-major index of a position, -1 when it lies outside.
func (x content) offset(at []int64) int {
	j := int64(0)
	for i, d := range x.dims {
		if at[i] < 0 || at[i] >= d {
			return -1
		}
		j = j*d + at[i]
	}
	return int(j)
}

// advance moves a position to the next one in row-major order.
func advance(at, dims []int64) {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i]++; at[i] < dims[i] {
			return
		}
		at[i] = 0
	}
}

// spread broadcasts x to dims.
func (x content) spread(dims []int64) (content, bool) {
	shift := len(dims) - len(x.dims)
	if shift < 0 {
		return content{}, false
	}
	return x.pick(dims, func(at, src []int64) {
		for i, d := range x.dims {
			src[i] = at[shift+i]
			if d == 1 {
				src[i] = 0
			}
		}
	})
}

// reshaped is x with other dimensions of the same number of elements.
func (x content) reshaped(dims []int64) (content, bool) {
	x.dims = dims
	return x, count(dims) == int64(x.len())
}
