package text

import (
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// typeText is the text of a type, empty when nothing is known.
func typeText(t *onnx.Type) string { return typeTextAt(t, 0) }

func typeTextAt(t *onnx.Type, depth int) string {
	switch {
	case t == nil || depth > maxDepth:
		return ""
	case t.Tensor != nil:
		return tensorTypeText(t.Tensor)
	case t.Sequence != nil:
		return "seq(" + typeTextAt(t.Sequence, depth+1) + ")"
	case t.Optional != nil:
		return "optional(" + typeTextAt(t.Optional, depth+1) + ")"
	case t.Map != nil:
		return "map(" + elementName(t.Map.Key) + ", " + typeTextAt(t.Map.Value, depth+1) + ")"
	case t.SparseTensor != nil:
		return "sparse_tensor(" + tensorTypeText(t.SparseTensor) + ")"
	case t.Opaque != nil:
		return opaqueText(t.Opaque)
	}
	return ""
}

func opaqueText(t *onnx.OpaqueType) string {
	switch {
	case t.Domain != "":
		return "opaque(" + domainText(t.Domain) + ", " + id(t.Name) + ")"
	case t.Name != "":
		return "opaque(" + domainText(t.Name) + ")"
	}
	return "opaque()"
}

func tensorTypeText(t *onnx.TensorType) string {
	name := elementName(t.Elem)
	switch {
	case t.Shape == nil:
		return name + "[]"
	case len(t.Shape.Dim) == 0:
		return name
	}
	words := make([]string, len(t.Shape.Dim))
	for i, d := range t.Shape.Dim {
		words[i] = dimText(d)
	}
	return name + "[" + strings.Join(words, ", ") + "]"
}

func dimText(d onnx.Dim) string {
	switch d.Kind {
	case onnx.DimValue:
		return strconv.FormatInt(d.Value, 10)
	case onnx.DimParam:
		return id(d.Param)
	}
	return "?"
}

func shapeText(dims []int64) string {
	if len(dims) == 0 {
		return ""
	}
	return list(dims, func(d int64) string { return strconv.FormatInt(d, 10) })
}
