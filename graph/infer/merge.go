package infer

import "github.com/onnxpass/onnxpass/onnx"

// Merge joins what inference found with what the file declares. Inference wins, in
// symbols too; a declaration fills what it left open, but never with a symbol:
// exporters write one name for sizes that differ. It is false when the two contradict
// each other in element type, rank or a known size.
func Merge(inferred, declared Type) (Type, bool) {
	switch {
	case inferred.Other != nil:
		return inferred, declared.Elem == onnx.Undefined
	case declared.Other != nil:
		if inferred.Elem == onnx.Undefined && !inferred.Shape.Ranked {
			return declared, true
		}
		return inferred, false
	}
	ok := inferred.Elem == onnx.Undefined || declared.Elem == onnx.Undefined || inferred.Elem == declared.Elem
	if inferred.Elem == onnx.Undefined {
		inferred.Elem = declared.Elem
	}
	s, fits := filled(inferred.Shape, declared.Shape)
	if fits {
		inferred.Shape = s
	}
	return inferred, ok && fits
}

// filled is shape a with the known sizes of b where a knows nothing.
func filled(a, b Shape) (Shape, bool) {
	switch {
	case !b.Ranked:
		return a, true
	case !a.Ranked:
		a = dynamic(len(b.Dims))
	case len(a.Dims) != len(b.Dims):
		return a, false
	}
	var dims []Dim // a copy of a.Dims as soon as it differs
	for i, d := range b.Dims {
		have := a.Dims[i]
		switch {
		case have.IsStatic() && d.IsStatic() && have.Value != d.Value:
			return a, false
		case !have.IsStatic() && have.Param == "" && d.IsStatic():
			if dims == nil {
				dims = append(dims, a.Dims...)
			}
			dims[i] = Static(d.Value)
		}
	}
	if dims == nil {
		dims = a.Dims
	}
	return Of(dims...), true
}

// join is what holds for both of two values, whichever it is at run time.
func join(a, b Value) Value {
	v := Value{Type: Type{Elem: a.Elem, Shape: joinShape(a.Shape, b.Shape), Other: a.Other}}
	if a.Elem != b.Elem {
		v.Elem = onnx.Undefined
	}
	if a.Other != nil || b.Other != nil {
		return Value{Type: Type{Other: joinTypes(a.Other, b.Other)}}
	}
	if _, static := v.Shape.Static(); static && len(a.Ints) == len(b.Ints) && a.Ints != nil && b.Ints != nil {
		v.Ints = make([]Dim, len(a.Ints))
		for i, e := range a.Ints {
			if v.Ints[i] = e; !sameElement(e, b.Ints[i]) {
				v.Ints[i] = Dynamic()
			}
		}
	}
	return v
}

func joinShape(a, b Shape) Shape {
	if !a.Ranked || !b.Ranked || len(a.Dims) != len(b.Dims) {
		return Shape{}
	}
	dims := make([]Dim, len(a.Dims))
	for i, d := range a.Dims {
		if dims[i] = d; !d.Same(b.Dims[i]) {
			dims[i] = Dynamic()
		}
	}
	return Of(dims...)
}

// joinTypes is join for sequences; other types are kept when they are equal.
func joinTypes(a, b *onnx.Type) *onnx.Type {
	switch {
	case a != nil && b != nil && a.Sequence != nil && b.Sequence != nil:
		return &onnx.Type{Sequence: proto(join(Value{Type: fromProto(a.Sequence)}, Value{Type: fromProto(b.Sequence)}).Type)}
	case equalTypes(a, b):
		return a
	}
	return nil
}

// equalTypes compares types of sequences, maps and optionals as far as they are certain.
func equalTypes(a, b *onnx.Type) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.Tensor != nil && b.Tensor != nil:
		return a.Tensor.Elem == b.Tensor.Elem && equalProtoShapes(a.Tensor.Shape, b.Tensor.Shape)
	case a.Sequence != nil && b.Sequence != nil:
		return equalTypes(a.Sequence, b.Sequence)
	case a.Optional != nil && b.Optional != nil:
		return equalTypes(a.Optional, b.Optional)
	}
	return a == b
}

func equalProtoShapes(a, b *onnx.Shape) bool {
	if a == nil || b == nil {
		return a == b
	}
	if len(a.Dim) != len(b.Dim) {
		return false
	}
	for i, d := range a.Dim {
		e := b.Dim[i]
		if d.Kind != e.Kind || d.Value != e.Value || d.Param != e.Param {
			return false
		}
	}
	return true
}
