// Package infer computes the types and shapes of an operator's outputs from
// those of its inputs, and the contents of small tensors that steer shapes.
// It sees one operator at a time; package graph walks the model.
//
// "Unknown" is an answer; a wrong type or shape is not. A contradiction that
// is certain (inner dimensions of a MatMul that differ) is an error.
package infer

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// Unknown is the value of a Dim that is not known. For a dimension every
// negative value means the same; for an element of Value.Ints only this one,
// because contents may be negative (the -1 of a Reshape).
const Unknown int64 = math.MinInt64

// Dim is one dimension. Value >= 0: known. Value < 0: unknown, and Param, if
// not empty, is its symbolic name (equal names mean equal sizes).
type Dim struct {
	Value int64
	Param string
}

// Static is a dimension of known size.
func Static(n int64) Dim { return Dim{Value: n} }

// Symbol is a dimension that has a name but no known size.
func Symbol(name string) Dim { return Dim{Value: Unknown, Param: name} }

// Dynamic is a dimension of which nothing is known.
func Dynamic() Dim { return Dim{Value: Unknown} }

// IsStatic tells whether the size of the dimension is known.
func (d Dim) IsStatic() bool { return d.Value >= 0 }

// Same tells whether two dimensions are certainly equal.
func (d Dim) Same(e Dim) bool {
	if d.IsStatic() || e.IsStatic() {
		return d.Value == e.Value
	}
	return d.Param != "" && d.Param == e.Param
}

// String is the size, the name, or "?".
func (d Dim) String() string {
	switch {
	case d.IsStatic():
		return fmt.Sprint(d.Value)
	case d.Param != "":
		return d.Param
	}
	return "?"
}

// Shape is a list of dimensions, or an unknown rank.
type Shape struct {
	Ranked bool
	Dims   []Dim
}

// Of is the shape of known rank with these dimensions; Of() is a scalar's.
func Of(dims ...Dim) Shape { return Shape{Ranked: true, Dims: dims} }

// Sizes is a shape of which all dimensions are known.
func Sizes(dims ...int64) Shape {
	s := Shape{Ranked: true, Dims: make([]Dim, len(dims))}
	for i, n := range dims {
		s.Dims[i] = Static(n)
	}
	return s
}

// Rank is the number of dimensions, -1 when it is unknown.
func (s Shape) Rank() int {
	if !s.Ranked {
		return -1
	}
	return len(s.Dims)
}

// Static returns the dimensions when all of them are known.
func (s Shape) Static() ([]int64, bool) {
	if !s.Ranked {
		return nil, false
	}
	dims := make([]int64, len(s.Dims))
	for i, d := range s.Dims {
		if !d.IsStatic() {
			return nil, false
		}
		dims[i] = d.Value
	}
	return dims, true
}

// Elements is the number of elements when all dimensions are known and their product fits.
func (s Shape) Elements() (int64, bool) {
	if !s.Ranked {
		return 0, false
	}
	n := product(s.Dims)
	return n.Value, n.IsStatic()
}

// String is "[N,3,224,?]"; "[...]" when the rank is unknown.
func (s Shape) String() string {
	if !s.Ranked {
		return "[...]"
	}
	words := make([]string, len(s.Dims))
	for i, d := range s.Dims {
		words[i] = d.String()
	}
	return "[" + strings.Join(words, ",") + "]"
}

// Type is the type of one value. Elem is Undefined when unknown. Values that
// are not tensors (sequences, maps, optionals) carry Other and no shape.
type Type struct {
	Elem  onnx.DataType
	Shape Shape
	Other *onnx.Type
}

// String is "float [N,3,224,224]".
func (t Type) String() string {
	if t.Other != nil {
		return "a value that is not a tensor"
	}
	return schema.ElemName(t.Elem) + " " + t.Shape.String()
}

// Value is what is known of one value before execution.
type Value struct {
	Type
	Const *onnx.Tensor // content, when it is constant

	// Ints is the content of a small integer or Boolean tensor, element by
	// element in row-major order (shape arithmetic); nil when not tracked. An
	// element is a number (possibly negative), a symbol (the size of the
	// dimension of that name), or Unknown. Floats is the same for a small
	// float or double tensor (computed scales); NaN stands for an unknown element.
	Ints   []Dim
	Floats []float64
}

// Op is one operator to infer.
type Op struct {
	Domain, Type string
	Version      int64                             // opset version in force for Domain
	In           []*Value                          // nil for an absent optional input
	NumOut       int                               // outputs declared by the node
	Attr         func(name string) *onnx.Attribute // nil when absent
	// Sub infers the body of a subgraph attribute for the given values of the
	// body's own inputs and returns its outputs. It is nil where the caller cannot.
	// It may be called several times; the last call is the one whose results hold
	// for every execution of the body.
	Sub func(attr string, in []Value) ([]Value, error)
}
