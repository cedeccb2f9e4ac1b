// Package schema is the table of standard operators: which exist in which
// version, with what inputs, outputs, attributes and element types. The data
// is generated (generate.py) and decoded at the first look-up.
//
// The table covers the domains ai.onnx (written "" or "ai.onnx"), ai.onnx.ml,
// ai.onnx.preview and ai.onnx.preview.training. Operators of other domains are unknown to it.
package schema

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// Unbounded is the greatest count of a variadic parameter list.
const Unbounded = math.MaxInt32

// Op is one version of one operator. It is shared: read only.
type Op struct {
	Domain     string // "" is ai.onnx
	Name       string
	Since      int64 // first opset version that has this form
	Deprecated bool  // from Since on the operator must not be used
	Inputs     []Param
	Outputs    []Param
	Attrs      []Attr // sorted by name
}

// Option says how often a parameter occurs.
type Option uint8

// The three kinds of parameters.
const (
	Single   Option = iota // must be present
	Optional               // may be absent (empty name, or left out at the end)
	Variadic               // any number of times, at the end of the list
)

// Param is one formal input or output.
type Param struct {
	Name        string
	Option      Option
	Homogeneous bool     // variadic: all occurrences have the same type
	MinArity    int      // variadic: least number of occurrences
	Type        string   // name of the type constraint ("T"), or a concrete type ("tensor(int64)")
	Allowed     *TypeSet // what Type stands for
}

// Attr is one formal attribute.
type Attr struct {
	Name     string
	Type     onnx.AttributeType
	Required bool
	Default  *onnx.Attribute // nil when there is none
}

// Elems is a set of element types: bit i is data type i.
type Elems uint64

// Has tells whether t is in the set.
func (e Elems) Has(t onnx.DataType) bool { return t >= 0 && t < 64 && e>>uint(t)&1 == 1 }

// TypeSet is what a type constraint allows.
type TypeSet struct {
	Tensor           Elems    // tensor(t)
	Sequence         Elems    // seq(tensor(t))
	Optional         Elems    // optional(tensor(t))
	OptionalSequence Elems    // optional(seq(tensor(t)))
	Other            []string // maps and sequences of maps, as schemas write them
}

// TensorsOnly tells whether nothing but tensors is allowed.
func (s *TypeSet) TensorsOnly() bool {
	return s.Sequence|s.Optional|s.OptionalSequence == 0 && len(s.Other) == 0
}

// Lookup returns the form of an operator that is in force in an opset version.
func Lookup(domain, op string, opset int64) (*Op, bool) {
	versions := load().ops[key{canonical(domain), op}]
	for i := len(versions) - 1; i >= 0; i-- {
		if versions[i].Since <= opset {
			return versions[i], true
		}
	}
	return nil, false
}

// Known tells whether any version of the operator is in the table.
func Known(domain, op string) bool { return len(load().ops[key{canonical(domain), op}]) > 0 }

// Versions returns all forms of an operator, oldest first.
func Versions(domain, op string) []*Op {
	return append([]*Op(nil), load().ops[key{canonical(domain), op}]...)
}

// Latest is the newest opset version of a domain in the table, 0 for a domain that is not in it.
func Latest(domain string) int64 { return load().latest[canonical(domain)] }

// All returns every form of every operator, ordered by domain, name and version.
func All() []*Op { return append([]*Op(nil), load().all...) }

// Attr returns the formal attribute of that name.
func (op *Op) Attr(name string) (Attr, bool) {
	for _, a := range op.Attrs {
		if a.Name == name {
			return a, true
		}
	}
	return Attr{}, false
}

// Input returns the formal parameter of input i; a variadic one answers for all behind it.
func (op *Op) Input(i int) (Param, bool) { return param(op.Inputs, i) }

// Output returns the formal parameter of output i.
func (op *Op) Output(i int) (Param, bool) { return param(op.Outputs, i) }

func param(list []Param, i int) (Param, bool) {
	if last := len(list) - 1; last >= 0 && i > last && list[last].Option == Variadic {
		i = last
	}
	if i < 0 || i >= len(list) {
		return Param{}, false
	}
	return list[i], true
}

// InputArity is the least and greatest number of inputs; the greatest may be Unbounded.
func (op *Op) InputArity() (low, high int) { return arity(op.Inputs) }

// OutputArity is the least and greatest number of outputs.
func (op *Op) OutputArity() (low, high int) { return arity(op.Outputs) }

func arity(list []Param) (low, high int) {
	for i, p := range list {
		high++
		switch p.Option {
		case Single:
			low = high
		case Variadic:
			low, high = i+p.MinArity, Unbounded
		}
	}
	return low, high
}

func canonical(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}
