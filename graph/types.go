package graph

import (
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
)

// unknownType is a type of which nothing is known.
func unknownType() Type { return Type{} }

func typeOfInfo(info *onnx.ValueInfo) Type {
	if info == nil {
		return unknownType()
	}
	return typeOf(info.Type)
}

// typeOf is the type that a message declares.
func typeOf(t *onnx.Type) Type {
	switch {
	case t == nil:
		return unknownType()
	case t.Tensor != nil:
		return Type{Elem: t.Tensor.Elem, Shape: shapeOf(t.Tensor.Shape)}
	case t.Sequence == nil && t.Map == nil && t.Optional == nil && t.SparseTensor == nil && t.Opaque == nil:
		return unknownType()
	}
	return Type{Other: t}
}

func shapeOf(s *onnx.Shape) Shape {
	if s == nil {
		return Shape{}
	}
	dims := make([]Dim, len(s.Dim))
	for i, d := range s.Dim {
		dims[i] = dimOf(d)
	}
	return Shape{Ranked: true, Dims: dims}
}

func dimOf(d onnx.Dim) Dim {
	switch {
	case d.Kind == onnx.DimValue && d.Value >= 0:
		return Dim{Value: d.Value}
	case d.Kind == onnx.DimParam:
		return infer.Symbol(d.Param)
	}
	return infer.Dynamic()
}

// protoType is the message that declares t; nil when the element type is unknown.
func protoType(t Type) *onnx.Type {
	if t.Other != nil {
		return t.Other
	}
	if t.Elem == onnx.Undefined {
		return nil
	}
	tensor := &onnx.TensorType{Elem: t.Elem}
	if t.Shape.Ranked {
		tensor.Shape = &onnx.Shape{Dim: make([]onnx.Dim, len(t.Shape.Dims))}
		for i, d := range t.Shape.Dims {
			tensor.Shape.Dim[i] = protoDim(d)
		}
	}
	return &onnx.Type{Tensor: tensor}
}

func protoDim(d Dim) onnx.Dim {
	switch {
	case d.Value >= 0:
		return onnx.Dim{Kind: onnx.DimValue, Value: d.Value}
	case d.Param != "":
		return onnx.Dim{Kind: onnx.DimParam, Param: d.Param}
	}
	return onnx.Dim{}
}

func tensorType(t *onnx.Tensor) Type {
	return Type{Elem: t.Type, Shape: fixedShape(t.Dims)}
}

func fixedShape(dims []int64) Shape {
	s := Shape{Ranked: true, Dims: make([]Dim, len(dims))}
	for i, d := range dims {
		s.Dims[i] = Dim{Value: d}
	}
	return s
}

func sameType(a, b Type) bool {
	if a.Elem != b.Elem || a.Other != b.Other || a.Shape.Ranked != b.Shape.Ranked || len(a.Shape.Dims) != len(b.Shape.Dims) {
		return false
	}
	for i, d := range a.Shape.Dims {
		if e := b.Shape.Dims[i]; d.Param != e.Param || d.Value != e.Value && (d.IsStatic() || e.IsStatic()) {
			return false
		}
	}
	return true
}

// refine joins two statements about one value. Where both know something, a's
// symbolic names win; ok is false when they contradict each other.
func refine(a, b Type) (t Type, ok bool) {
	if a.Other != nil || b.Other != nil {
		return refineOther(a, b)
	}
	t = a
	if t.Elem == onnx.Undefined {
		t.Elem = b.Elem
	}
	t.Shape, ok = refineShape(a.Shape, b.Shape)
	return t, ok && (b.Elem == onnx.Undefined || t.Elem == b.Elem)
}

func refineOther(a, b Type) (Type, bool) {
	if a.Other == nil {
		return b, a.Elem == onnx.Undefined
	}
	return a, b.Elem == onnx.Undefined
}

func refineShape(a, b Shape) (Shape, bool) {
	if !a.Ranked || !b.Ranked {
		if b.Ranked {
			return b, true
		}
		return a, true
	}
	if len(a.Dims) != len(b.Dims) {
		return a, false
	}
	var out []Dim // a copy of a.Dims as soon as it differs
	for i, d := range b.Dims {
		have := a.Dims[i]
		switch {
		case have.Value >= 0 && d.Value >= 0 && have.Value != d.Value:
			return a, false
		case have.Value < 0 && (d.Value >= 0 || have.Param == "" && d.Param != ""):
			if out == nil {
				out = append(out, a.Dims...)
			}
			out[i] = d
		}
	}
	if out == nil {
		out = a.Dims
	}
	return Shape{Ranked: true, Dims: out}, true
}
