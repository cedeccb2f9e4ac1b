//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package openvino

import (
	"errors"
	"unsafe"

	"github.com/onnxpass/onnxpass/onnx"
)

// elements translates element types to ov_element_type_e and back.
type elements struct {
	code map[onnx.DataType]uintptr
	kind map[int32]onnx.DataType
}

// Runs of ov_element_type_e that have kept their order in every release.
var (
	signedRun   = []onnx.DataType{onnx.Bool, onnx.BFloat16, onnx.Float16, onnx.Float, onnx.Double, onnx.Int4, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64}
	unsignedRun = []onnx.DataType{onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64}
)

const doubleInRun = 4 // Double in signedRun

// probe finds out how the library numbers element types. The enumeration was
// renumbered twice between releases: "undefined" left its start, 2-, 3- and
// 6-bit types came between int64 and uint8. Sizes of small tensors tell: the
// first type of 8 bytes an element is double, and the first of 1 byte behind
// int64 is uint8.
func (a *api) probe() (*elements, error) {
	e := &elements{map[onnx.DataType]uintptr{}, map[int32]onnx.DataType{}}
	double := a.next(1, 8)
	first := double - doubleInRun
	u8 := a.next(first+len(signedRun), 1)
	if double < doubleInRun || u8 < 0 {
		return nil, errors.New("its element types are numbered in an unknown way")
	}
	for i, t := range signedRun {
		e.add(t, first+i)
	}
	for i, t := range unsignedRun {
		e.add(t, u8+i)
	}
	return e, nil
}

func (e *elements) add(t onnx.DataType, code int) {
	e.code[t], e.kind[int32(code)] = uintptr(code), t
}

// next is the first code from start on whose elements take size bytes; negative when there is none nearby.
func (a *api) next(start int, size uintptr) int {
	for code := start; code < start+12; code++ {
		if a.bytesOfEight(code) == 8*size {
			return code
		}
	}
	return -1
}

// bytesOfEight is the size of a tensor of eight elements; 0 for codes that make none.
func (a *api) bytesOfEight(code int) uintptr {
	t, err := a.newTensor(uintptr(code), []int64{8}, nil)
	if err != nil {
		return 0
	}
	defer a.release(tensorFree, t)
	var n uintptr
	if a.call(tensorGetByteSize, uintptr(t), uintptr(unsafe.Pointer(&n))) != nil {
		return 0
	}
	return n
}
