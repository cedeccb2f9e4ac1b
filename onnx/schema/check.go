package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// CheckArity checks the presence of inputs and outputs: in[i] and out[i] tell
// whether position i is there (an absent optional one has an empty name).
func (op *Op) CheckArity(in, out []bool) error {
	if err := checkList("input", op.Inputs, in); err != nil {
		return err
	}
	return checkList("output", op.Outputs, out)
}

func checkList(kind string, params []Param, present []bool) error {
	low, high := arity(params)
	if len(present) < low || len(present) > high {
		return fmt.Errorf("has %d %ss, %s expected", len(present), kind, span(low, high))
	}
	if kind == "output" {
		return nil // any output may be left unnamed
	}
	for i, there := range present {
		if p, _ := param(params, i); !there && p.Option == Single {
			return fmt.Errorf("%s %d (%s) is absent but required", kind, i, p.Name)
		}
	}
	return nil
}

func span(low, high int) string {
	switch {
	case low == high:
		return fmt.Sprint(low)
	case high == Unbounded:
		return fmt.Sprintf("%d or more", low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

// CheckAttrs checks that every attribute is known, has its type and occurs
// once, and that no required one is missing. Names that start with "__" are free. An attribute that refers to one of the
// enclosing function (RefAttrName) counts as present; its type is checked when it is stated.
func (op *Op) CheckAttrs(attrs []*onnx.Attribute) error {
	seen := make(map[string]bool, len(attrs))
	for _, a := range attrs {
		want, ok := op.Attr(a.Name)
		switch {
		case seen[a.Name]:
			return fmt.Errorf("attribute %s occurs twice", a.Name)
		case !ok && !strings.HasPrefix(a.Name, "__"):
			return fmt.Errorf("attribute %s is not one of %s", a.Name, op)
		case ok && a.Type != want.Type && (a.Type != onnx.AttrUndefined || a.RefAttrName == ""):
			return fmt.Errorf("attribute %s is %s, %s expected", a.Name, attrName(a.Type), attrName(want.Type))
		}
		seen[a.Name] = true
	}
	for _, want := range op.Attrs {
		if want.Required && !seen[want.Name] {
			return fmt.Errorf("attribute %s is missing but required", want.Name)
		}
	}
	return nil
}

// CheckElems checks the element types of tensor inputs and outputs against the type
// constraints, and that parameters of one constraint agree. onnx.Undefined stands for
// an absent, unknown or non-tensor value and is skipped.
func (op *Op) CheckElems(in, out []onnx.DataType) error {
	bound := map[string]onnx.DataType{}
	for i, t := range in {
		if p, ok := op.Input(i); ok {
			if err := p.check("input", i, t, bound); err != nil {
				return err
			}
		}
	}
	for i, t := range out {
		if p, ok := op.Output(i); ok {
			if err := p.check("output", i, t, bound); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p Param) check(kind string, i int, t onnx.DataType, bound map[string]onnx.DataType) error {
	if t == onnx.Undefined || p.Allowed == nil {
		return nil
	}
	if !p.Allowed.Tensor.Has(t) {
		return fmt.Errorf("%s %d (%s) is %s, one of %s expected", kind, i, p.Name, ElemName(t), p.Allowed.Tensor)
	}
	if !p.tied() {
		return nil
	}
	if other, ok := bound[p.Type]; ok && other != t {
		return fmt.Errorf("%s %d (%s) is %s, the same type as the other operands (%s) expected", kind, i, p.Name, ElemName(t), ElemName(other))
	}
	bound[p.Type] = t
	return nil
}

// tied tells whether two values of this constraint always have the same
// element type: not for mixed variadic lists, nor where tensor and container forms meet.
func (p Param) tied() bool {
	return (p.Option != Variadic || p.Homogeneous) && p.Allowed.TensorsOnly()
}

// OutElem derives the element type of output i from those of the inputs by the type
// constraints alone; onnx.Undefined where they leave it open.
func (op *Op) OutElem(i int, in []onnx.DataType) onnx.DataType {
	out, ok := op.Output(i)
	if !ok || out.Allowed == nil || !out.tied() {
		return onnx.Undefined
	}
	if t, ok := out.Allowed.Tensor.only(); ok {
		return t
	}
	for j, t := range in {
		if p, ok := op.Input(j); ok && p.Type == out.Type && p.tied() && t != onnx.Undefined {
			return t
		}
	}
	return onnx.Undefined
}

// only returns the single member of a set of one.
func (e Elems) only() (onnx.DataType, bool) {
	if e == 0 || e&(e-1) != 0 {
		return onnx.Undefined, false
	}
	return e.List()[0], true
}

// List returns the members in order of their numbers.
func (e Elems) List() []onnx.DataType {
	var list []onnx.DataType
	for t := onnx.DataType(0); t < 64; t++ {
		if e.Has(t) {
			list = append(list, t)
		}
	}
	return list
}

// String lists the members by name.
func (e Elems) String() string {
	var names []string
	for _, t := range e.List() {
		names = append(names, ElemName(t))
	}
	return strings.Join(names, ", ")
}

// String names the operator with its version: "Conv-11", "ai.onnx.ml.Scaler-1".
func (op *Op) String() string {
	name := fmt.Sprintf("%s-%d", op.Name, op.Since)
	if op.Domain != "" {
		name = op.Domain + "." + name
	}
	return name
}

// elemNames are the names of element types as schemas write them.
var elemNames = [...]string{"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool",
	"float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz",
	"float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2", "float6e2m3", "float6e3m2"}

// ElemName is the name of an element type in type constraints: "float", "int64".
func ElemName(t onnx.DataType) string {
	if t < 0 || int(t) >= len(elemNames) {
		return fmt.Sprintf("data type %d", t)
	}
	return elemNames[t]
}

func attrName(t onnx.AttributeType) string {
	names := []string{"untyped", "a float", "an int", "a string", "a tensor", "a graph", "a list of floats", "a list of ints",
		"a list of strings", "a list of tensors", "a list of graphs", "a sparse tensor", "a list of sparse tensors", "a type", "a list of types"}
	if int(t) < 0 || int(t) >= len(names) {
		return fmt.Sprintf("attribute type %d", t)
	}
	return names[t]
}

// Ops returns the names of all operators of a domain, sorted.
func Ops(domain string) []string {
	var names []string
	for _, op := range load().all {
		if op.Domain == canonical(domain) {
			names = append(names, op.Name)
		}
	}
	return slices.Compact(names)
}
