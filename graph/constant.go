package graph

import "github.com/onnxpass/onnxpass/onnx"

// maxInts bounds the tensors whose contents are tracked for shape arithmetic.
const maxInts = 256

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
		return onnx.From(nil, []float32{a.F})
	case "value_floats":
		return onnx.From([]int64{int64(len(a.Floats))}, a.Floats)
	case "value_int":
		return onnx.From(nil, []int64{a.I})
	case "value_ints":
		return onnx.From([]int64{int64(len(a.Ints))}, a.Ints)
	case "value_string":
		return onnx.FromStrings(nil, [][]byte{a.S})
	case "value_strings":
		return onnx.FromStrings([]int64{int64(len(a.Strings))}, a.Strings)
	}
	return nil
}

// constInts is the content of a small int32 or int64 tensor of rank 0 or 1; nil for others.
func constInts(t *onnx.Tensor) []Dim {
	if t == nil || len(t.Dims) > 1 || t.Type != onnx.Int32 && t.Type != onnx.Int64 {
		return nil
	}
	if n, err := t.NumElements(); err != nil || n > maxInts {
		return nil
	}
	values, err := t.Int64s()
	if err != nil {
		return nil
	}
	out := make([]Dim, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	return out
}
