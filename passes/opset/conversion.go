package opset

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// conversion is the work on one node. Its methods are the vocabulary of the rules.
type conversion struct {
	*raiser
	n *graph.Node
}

// hint is a name for something that belongs to the node.
func (c *conversion) hint(suffix string) string {
	for _, v := range c.n.Outs() {
		if v != nil {
			return v.Name() + "_" + suffix
		}
	}
	return c.n.Op() + "_" + suffix
}

func (c *conversion) before() *graph.Cursor { return c.n.Before().By(PassName) }
func (c *conversion) after() *graph.Cursor  { return c.n.After().By(PassName) }

// reference refuses nodes whose attribute is that of the enclosing function.
func (c *conversion) reference(attrs ...string) error {
	for _, name := range attrs {
		if a := c.n.Attr(name); a != nil && a.RefAttrName != "" {
			return fmt.Errorf("attribute %s is given by the callers of the function", name)
		}
	}
	return nil
}

// replace makes v (nil: absent) input i. An initializer that nothing reads any more goes.
func (c *conversion) replace(i int, v *graph.Value) {
	old := c.n.In(i)
	c.n.SetIn(i, v)
	if old != nil && old.IsInit() && !old.IsInput() && old.NumUses() == 0 {
		old.RemoveInit()
	}
}

// shape is the list of dimensions of v, -1 where one is unknown; ok is false when the rank is unknown.
func shape(v *graph.Value) (dims []int64, ok bool) {
	if v == nil || !v.Shape().Ranked {
		return nil, false
	}
	for _, d := range v.Shape().Dims {
		dims = append(dims, max(d.Value, -1))
	}
	return dims, true
}

// constant is a tensor as a value that the node can read: an initializer of
// its graph, one for equal contents, or a Constant node in function bodies,
// which have no initializers.
func (c *conversion) constant(suffix string, t *onnx.Tensor) *graph.Value {
	g := c.n.Graph()
	if g.Function() != nil && g.Owner() == nil {
		value := []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, T: t}}
		return c.before().OpN("Constant", "", c.hint(suffix), 1, value).Out(0)
	}
	c.ir = max(c.ir, 4) // before 4, initializers had to be inputs
	key := fmt.Sprint(t.Type, t.Dims)
	if t.Data != nil {
		data, _ := t.Data.Bytes() // made by this package, in memory
		key += string(data)
	}
	if c.inits[g] == nil {
		c.inits[g] = map[string]*graph.Value{}
	}
	v := c.inits[g][key]
	if v == nil {
		v = g.Init(c.hint(suffix), t)
		c.inits[g][key] = v
	}
	return v
}

// ints is a constant int64 vector.
func (c *conversion) ints(suffix string, values ...int64) *graph.Value {
	return c.constant(suffix, onnx.FromInt64s([]int64{int64(len(values))}, values))
}

// number is a constant int64 scalar.
func (c *conversion) number(suffix string, v int64) *graph.Value {
	return c.constant(suffix, onnx.FromInt64s(nil, []int64{v}))
}

// floats is a constant float vector.
func (c *conversion) floats(suffix string, values ...float32) *graph.Value {
	return c.constant(suffix, onnx.FromFloat32s([]int64{int64(len(values))}, values))
}

// scalar is a constant of a float type.
func (c *conversion) scalar(suffix string, elem onnx.DataType, v float32) (*graph.Value, error) {
	switch elem {
	case onnx.Float:
		return c.constant(suffix, onnx.FromFloat32s(nil, []float32{v})), nil
	case onnx.Double:
		return c.constant(suffix, onnx.From(nil, []float64{float64(v)})), nil
	case onnx.Float16, onnx.BFloat16:
		half := dtype.F16FromF32(v)
		if elem == onnx.BFloat16 {
			half = dtype.BF16FromF32(v)
		}
		data := onnx.RawBytes(binary.LittleEndian.AppendUint16(nil, half))
		return c.constant(suffix, &onnx.Tensor{Type: elem, Data: data}), nil
	}
	return nil, errors.New("the element type of the input is unknown, or no float type")
}

// attrToInput makes an attribute that is a list of ints input i. An absent
// attribute leaves the input absent, an empty one too: both mean the default.
func attrToInput(attr string, i int) func(*conversion) error {
	return func(c *conversion) error { return c.attrToInput(attr, i) }
}

func (c *conversion) attrToInput(attr string, i int) error {
	a := c.n.Attr(attr)
	if a == nil {
		return nil
	}
	switch {
	case a.RefAttrName != "":
		v, err := c.forwarded(a, "value_ints", onnx.AttrInts)
		if err != nil {
			return err
		}
		c.n.SetIn(i, v)
	case len(a.Ints) > 0:
		c.n.SetIn(i, c.ints(attr, a.Ints...))
	}
	c.n.DropAttr(attr)
	return nil
}

// forwarded turns a reference to an attribute of the enclosing function into
// a Constant node whose content it is. Every caller must state the attribute.
func (c *conversion) forwarded(a *onnx.Attribute, as string, t onnx.AttributeType) (*graph.Value, error) {
	f := c.n.Graph().Function()
	if c.to < 12 || f == nil {
		return nil, c.reference(a.Name)
	}
	defaulted := false
	for _, d := range f.Proto.AttributeProto {
		defaulted = defaulted || d.Name == a.RefAttrName
	}
	for _, n := range c.callers(f) {
		if !defaulted && n.Attr(a.RefAttrName) == nil {
			return nil, fmt.Errorf("attribute %s is given by the callers of the function, and %s leaves it out", a.Name, n.Label())
		}
	}
	value := []*onnx.Attribute{{Name: as, Type: t, RefAttrName: a.RefAttrName}}
	return c.before().OpN("Constant", "", c.hint(a.Name), 1, value).Out(0), nil
}

// callers are the nodes that call f.
func (r *raiser) callers(f *graph.Function) []*graph.Node {
	if r.calls == nil {
		type name struct{ domain, op, overload string }
		byName := map[name]*graph.Function{}
		for _, g := range r.m.Functions {
			byName[name{g.Proto.Domain, g.Proto.Name, g.Proto.Overload}] = g
		}
		r.calls = map[*graph.Function][]*graph.Node{}
		for n := range r.m.All() {
			if g := byName[name{n.Domain(), n.Op(), n.Proto().Overload}]; g != nil {
				r.calls[g] = append(r.calls[g], n)
			}
		}
	}
	return r.calls[f]
}

// drop removes an attribute that has no meaning any more.
func drop(attr string) func(*conversion) error {
	return func(c *conversion) error {
		if c.n.Attr(attr) != nil {
			c.n.DropAttr(attr)
		}
		return nil
	}
}

// behind puts a node of one input and one output behind output 0. It takes
// over name, type and readers.
func (c *conversion) behind(op, suffix string, attrs []*onnx.Attribute, more ...*graph.Value) *graph.Node {
	out, t, name := c.n.Out(0), c.n.Out(0).Type(), c.n.Out(0).Name()
	out.Rename(name + "_" + suffix)
	n := c.after().OpN(op, "", name, 1, attrs, append([]*graph.Value{out}, more...)...)
	out.ReplaceUses(n.Out(0), func(u graph.Use) bool { return u.Node != n })
	n.Out(0).SetType(t)
	return n
}
