package graph

import (
	"encoding/binary"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// maxInts bounds the tensors whose contents are tracked for shape arithmetic.
const maxInts = 256

// raw is tensor content in memory.
type raw []byte

func (r raw) Len() int64             { return int64(len(r)) }
func (r raw) Bytes() ([]byte, error) { return r, nil }

// constantOf is the tensor that a Constant node produces; nil for other nodes,
// for sparse constants and for values that come from a function's attribute.
func constantOf(n *Node) *onnx.Tensor {
	if n.proto.OpType != "Constant" || n.Domain() != "" {
		return nil
	}
	for _, a := range n.proto.Attribute {
		if a.RefAttrName != "" {
			continue
		}
		if t := attributeTensor(a); t != nil {
			return t
		}
	}
	return nil
}

func attributeTensor(a *onnx.Attribute) *onnx.Tensor {
	switch a.Name {
	case "value":
		return a.T
	case "value_float":
		return floatTensor(nil, a.F)
	case "value_floats":
		return floatTensor([]int64{int64(len(a.Floats))}, a.Floats...)
	case "value_int":
		return intTensor(nil, a.I)
	case "value_ints":
		return intTensor([]int64{int64(len(a.Ints))}, a.Ints...)
	case "value_string":
		return &onnx.Tensor{Type: onnx.String, Strings: [][]byte{a.S}}
	case "value_strings":
		return &onnx.Tensor{Type: onnx.String, Dims: []int64{int64(len(a.Strings))}, Strings: a.Strings}
	}
	return nil
}

func floatTensor(dims []int64, v ...float32) *onnx.Tensor {
	b := make(raw, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return &onnx.Tensor{Type: onnx.Float, Dims: dims, Data: b}
}

func intTensor(dims []int64, v ...int64) *onnx.Tensor {
	b := make(raw, 0, 8*len(v))
	for _, i := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(i))
	}
	return &onnx.Tensor{Type: onnx.Int64, Dims: dims, Data: b}
}

// constInts is the content of a small int32 or int64 tensor of rank 0 or 1; nil for others.
func constInts(t *onnx.Tensor) []Dim {
	if t == nil || len(t.Dims) > 1 {
		return nil
	}
	count := int64(1)
	if len(t.Dims) == 1 {
		count = t.Dims[0]
	}
	size := int64(8)
	if t.Type == onnx.Int32 {
		size = 4
	} else if t.Type != onnx.Int64 {
		return nil
	}
	if count < 0 || count > maxInts {
		return nil
	}
	if count == 0 {
		return []Dim{}
	}
	if t.Data == nil || t.Data.Len() != count*size {
		return nil
	}
	b, err := t.Data.Bytes()
	if err != nil {
		return nil
	}
	return decodeInts(b, size)
}

func decodeInts(b []byte, size int64) []Dim {
	out := make([]Dim, 0, int64(len(b))/size)
	for ; len(b) > 0; b = b[size:] {
		if size == 4 {
			out = append(out, Dim{Value: int64(int32(binary.LittleEndian.Uint32(b)))})
		} else {
			out = append(out, Dim{Value: int64(binary.LittleEndian.Uint64(b))})
		}
	}
	return out
}
