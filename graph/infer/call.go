package infer

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// maxRank bounds the rank that inference follows; shapes beyond it stay unknown.
const maxRank = 64

// maxOutputs bounds what a node may declare.
const maxOutputs = 1 << 16

// key names an operator.
type key struct{ domain, op string }

// rule fills in what one operator's outputs are; see call.
type rule func(c *call) error

// call is one inference in progress. A rule reads inputs and attributes through it and
// sets outputs; what it does not set stays unknown.
type call struct {
	*Op
	out []Value // one at least, also of a node without outputs
	// opaque is set when an attribute that a rule asked for has no value that can be
	// known here (it refers to an attribute of the enclosing function, or has the wrong type).
	opaque bool
}

// Infer returns NumOut values. Element types follow from the operator table, shapes and
// contents from a rule of the operator; what has neither is unknown. The error is a
// *diag.Error with a code OP32xx that names what was expected and found.
func Infer(op *Op) ([]Value, error) {
	if op.NumOut < 0 || op.NumOut > maxOutputs {
		return nil, nil
	}
	c := &call{Op: op, out: make([]Value, max(op.NumOut, 1))}
	c.elemsBySchema()
	domain := op.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	f := rules[key{domain, op.Type}]
	if f == nil {
		return c.out[:op.NumOut], nil
	}
	err := f(c)
	if err != nil && !c.opaque {
		clear(c.out)
		c.elemsBySchema()
		return c.out[:op.NumOut], err
	}
	c.tidy()
	return c.out[:op.NumOut], nil
}

// elemsBySchema sets the element types that follow from the type constraints alone.
func (c *call) elemsBySchema() {
	op, ok := schema.Lookup(c.Domain, c.Type, c.Version)
	if !ok {
		return
	}
	in := make([]onnx.DataType, len(c.In))
	for i, v := range c.In {
		if v != nil {
			in[i] = v.Elem
		}
	}
	for i := range c.out {
		c.out[i].Elem = op.OutElem(i, in)
	}
}

// tidy drops what must not leave: everything a rule derived from an attribute without a
// value, contents of other types than are tracked, and ranks beyond the bound.
func (c *call) tidy() {
	for i := range c.out {
		v := &c.out[i]
		if c.opaque {
			*v = Value{}
		}
		if v.Ints != nil && !tracksInts(v.Elem) {
			v.Ints = nil
		}
		if v.Floats != nil && !tracksFloats(v.Elem) {
			v.Floats = nil
		}
		if len(v.Shape.Dims) > maxRank {
			v.Shape, v.Ints, v.Floats = Shape{}, nil, nil
		}
	}
	if c.opaque {
		c.elemsBySchema()
	}
}

// nothing stands for an absent input.
var nothing = &Value{}

// in is input i; a value of which nothing is known when it is absent.
func (c *call) in(i int) *Value {
	if c.has(i) {
		return c.In[i]
	}
	return nothing
}

// has tells whether input i is present.
func (c *call) has(i int) bool { return i < len(c.In) && c.In[i] != nil }

// shape is the shape of input i; one of absurd rank counts as unknown.
func (c *call) shape(i int) Shape {
	s := c.in(i).Shape
	if len(s.Dims) > maxRank {
		return Shape{}
	}
	return s
}

func (c *call) elem(i int) onnx.DataType { return c.in(i).Elem }

// dims returns the dimensions of input i; ok is false when its rank is unknown.
func (c *call) dims(i int) (dims []Dim, ok bool) {
	s := c.shape(i)
	return s.Dims, s.Ranked
}

// ints returns the content of input i when all of it is known integers.
func (c *call) ints(i int) ([]int64, bool) {
	x, ok := contentOf(c.in(i))
	if !ok {
		return nil, false
	}
	return x.numbers()
}

// scalar returns the content of an input of one integer.
func (c *call) scalar(i int) (int64, bool) {
	list, ok := c.ints(i)
	if !ok || len(list) != 1 {
		return 0, false
	}
	return list[0], true
}

// set gives output i a shape.
func (c *call) set(i int, s Shape) {
	if i < len(c.out) {
		c.out[i].Shape = s
	}
}

// setElem gives output i an element type.
func (c *call) setElem(i int, t onnx.DataType) {
	if i < len(c.out) {
		c.out[i].Elem = t
	}
}

// setType gives output i an element type and a shape.
func (c *call) setType(i int, t onnx.DataType, s Shape) {
	c.setElem(i, t)
	c.set(i, s)
}

// setContent gives output i a content (and the shape that goes with it).
func (c *call) setContent(i int, x content) {
	if i < len(c.out) {
		c.out[i].Shape = Sizes(x.dims...)
		c.out[i].Ints, c.out[i].Floats = x.ints, x.floats
	}
}

// copy makes output i what input j is.
func (c *call) copy(i, j int) {
	if i >= len(c.out) {
		return
	}
	v := *c.in(j)
	if x, ok := contentOf(&v); ok {
		v.Ints, v.Floats = x.ints, x.floats
	}
	v.Const = nil
	c.out[i] = v
}

// attr returns an attribute of the type; nil when it is absent.
func (c *call) attr(name string, t onnx.AttributeType) *onnx.Attribute {
	if c.Op.Attr == nil {
		return nil
	}
	a := c.Op.Attr(name)
	if a == nil {
		return nil
	}
	if a.RefAttrName != "" || a.Type != t && a.Type != onnx.AttrUndefined {
		c.opaque = true
		return nil
	}
	return a
}

// int returns an integer attribute or its default.
func (c *call) int(name string, def int64) int64 {
	if a := c.attr(name, onnx.AttrInt); a != nil {
		return a.I
	}
	return def
}

// flag returns an integer attribute as a truth value.
func (c *call) flag(name string, def bool) bool {
	if a := c.attr(name, onnx.AttrInt); a != nil {
		return a.I != 0
	}
	return def
}

// list returns an attribute of integers; ok is false when it is absent.
func (c *call) list(name string) (list []int64, ok bool) {
	if a := c.attr(name, onnx.AttrInts); a != nil {
		return a.Ints, true
	}
	return nil, false
}

// str returns a string attribute or its default.
func (c *call) str(name, def string) string {
	if a := c.attr(name, onnx.AttrString); a != nil {
		return string(a.S)
	}
	return def
}

// dtype returns an attribute that holds an element type.
func (c *call) dtype(name string, def onnx.DataType) onnx.DataType {
	t := onnx.DataType(c.int(name, int64(def)))
	if t < 0 || t > maxElem {
		return onnx.Undefined
	}
	return t
}

// maxElem is the greatest element type of the operator table (float6e3m2).
const maxElem = 28

// axis normalises an axis of a tensor of the given rank.
func (c *call) axis(a int64, rank int) (int, error) {
	n := int64(rank)
	if a < -n || a >= n {
		return 0, c.fail("OP3204", "axis is out of range", fmt.Sprintf("an axis from %d to %d", -n, n-1), fmt.Sprint(a))
	}
	if a < 0 {
		a += n
	}
	return int(a), nil
}

// axes normalises a list of axes.
func (c *call) axes(list []int64, rank int) ([]int, error) {
	out := make([]int, 0, min(len(list), maxRank))
	seen := make([]bool, rank)
	for _, a := range list {
		i, err := c.axis(a, rank)
		if err != nil {
			return nil, err
		}
		if seen[i] {
			return nil, c.fail("OP3204", "an axis is named twice", "different axes", fmt.Sprint(list))
		}
		seen[i] = true
		out = append(out, i)
	}
	return out, nil
}

// wantRank fails when the rank of input i is known and lies outside low..high.
func (c *call) wantRank(i, low, high int) error {
	r := c.shape(i).Rank()
	if r < 0 || r >= low && r <= high {
		return nil
	}
	want := fmt.Sprintf("rank %d", low)
	if high > low {
		want = fmt.Sprintf("rank %d to %d", low, high)
	}
	if high >= maxRank {
		want = fmt.Sprintf("rank %d or more", low)
	}
	return c.fail("OP3203", "input has the wrong rank", want, fmt.Sprintf("%s (input %d)", c.shape(i), i))
}

// fail makes the error of a certain contradiction.
func (c *call) fail(code, what, wanted, found string) error {
	return diag.New(code, what, "operator", c.Op.Type, "wanted", wanted, "found", found)
}

// mismatch is the error of dimensions that had to agree.
func (c *call) mismatch(what string, wanted, found any) error {
	return c.fail("OP3201", what, fmt.Sprint(wanted), fmt.Sprint(found))
}
