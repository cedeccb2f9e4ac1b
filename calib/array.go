package calib

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/onnxpass/onnxpass/graph/infer"
)

// Len is the number of elements that the shape stands for.
func (a Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= int(d)
	}
	return n
}

// String is type and shape as messages show them, for instance "float32 [1,3,224,224]".
func (a Array) String() string { return fmt.Sprintf("%v %s", a.Type, dimString(a.Shape)) }

func dimString(dims []int64) string {
	return strings.ReplaceAll(fmt.Sprint(dims), " ", ",")
}

// TypeString is type and shape of the port, unknown dimensions as their symbol or "?".
func (p Port) TypeString() string { return fmt.Sprintf("%v %s", p.Elem, shapeString(p.Shape)) }

func shapeString(s infer.Shape) string {
	if !s.Ranked {
		return "of any rank"
	}
	dims := make([]string, len(s.Dims))
	for i, d := range s.Dims {
		switch {
		case d.Value >= 0:
			dims[i] = fmt.Sprint(d.Value)
		case d.Param != "":
			dims[i] = d.Param
		default:
			dims[i] = "?"
		}
	}
	return "[" + strings.Join(dims, ",") + "]"
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// view is b as elements of type T without a copy; ok is false where memory
// does not allow that.
func view[T float32 | float64](b []byte) (x []T, ok bool) {
	var zero T
	size := unsafe.Sizeof(zero)
	if len(b) == 0 {
		return nil, true
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if !littleEndian || uintptr(p)%size != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), len(b)/int(size)), true
}

func decodeFloat32(b []byte, to []float32) []float32 {
	for ; len(b) >= 4; b = b[4:] {
		to = append(to, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return to
}
