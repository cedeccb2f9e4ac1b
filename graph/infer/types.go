// Package infer computes the types and shapes of an operator's outputs from
// those of its inputs, and the integer contents of small tensors that steer
// shapes. It sees one operator at a time; package graph walks the model.
//
// "Unknown" is an answer; a wrong type or shape is not.
package infer

import "github.com/onnxpass/onnxpass/onnx"

// Dim is one dimension. Value >= 0: known. Value < 0: unknown, and Param, if
// not empty, is its symbolic name (equal names mean equal sizes).
type Dim struct {
	Value int64
	Param string
}

// Shape is a list of dimensions, or an unknown rank.
type Shape struct {
	Ranked bool
	Dims   []Dim
}

// Type is the type of one value. Elem is Undefined when unknown. Values that
// are not tensors (sequences, maps, optionals) carry Other and no shape.
type Type struct {
	Elem  onnx.DataType
	Shape Shape
	Other *onnx.Type
}

// Value is what is known of one value before execution.
type Value struct {
	Type
	Const *onnx.Tensor // content, when it is constant
	Ints  []Dim        // element by element content of a small int tensor of rank 0 or 1 (shape arithmetic); nil when not tracked
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
	Sub func(attr string, in []Value) ([]Value, error)
}
