package infer

import "github.com/onnxpass/onnxpass/onnx"

// Sequences and optionals are described by onnx.Type (Type.Other).

// proto spells a type as a message.
func proto(t Type) *onnx.Type {
	if t.Other != nil {
		return t.Other
	}
	p := &onnx.Type{Tensor: &onnx.TensorType{Elem: t.Elem}}
	if !t.Shape.Ranked {
		return p
	}
	p.Tensor.Shape = &onnx.Shape{}
	for _, d := range t.Shape.Dims {
		e := onnx.Dim{}
		switch {
		case d.IsStatic():
			e = onnx.Dim{Kind: onnx.DimValue, Value: d.Value}
		case d.Param != "":
			e = onnx.Dim{Kind: onnx.DimParam, Param: d.Param}
		}
		p.Tensor.Shape.Dim = append(p.Tensor.Shape.Dim, e)
	}
	return p
}

// fromProto is the inverse of proto; anything but a tensor stays a message.
func fromProto(p *onnx.Type) Type {
	if p == nil {
		return Type{}
	}
	if p.Tensor == nil {
		return Type{Other: p}
	}
	t := Type{Elem: p.Tensor.Elem}
	if p.Tensor.Shape == nil {
		return t
	}
	t.Shape.Ranked = true
	for _, d := range p.Tensor.Shape.Dim {
		switch {
		case d.Kind == onnx.DimValue && d.Value >= 0:
			t.Shape.Dims = append(t.Shape.Dims, Static(d.Value))
		case d.Kind == onnx.DimParam:
			t.Shape.Dims = append(t.Shape.Dims, Symbol(d.Param))
		default:
			t.Shape.Dims = append(t.Shape.Dims, Dynamic())
		}
	}
	return t
}

// setSequence makes output i a sequence of t.
func (c *call) setSequence(i int, t Type) {
	if i < len(c.out) {
		c.out[i] = Value{Type: Type{Other: &onnx.Type{Sequence: proto(t)}}}
	}
}

// element is the type of the entries of the sequence at input i.
func (c *call) element(i int) (Type, bool) {
	if o := c.in(i).Other; o != nil && o.Sequence != nil {
		return fromProto(o.Sequence), true
	}
	return Type{}, false
}

// sequenceConstruct: a sequence of what holds for all inputs.
func sequenceConstruct(c *call) error {
	if len(c.In) == 0 {
		return nil
	}
	all := Value{Type: c.in(0).Type}
	for i := range c.In {
		all = join(all, Value{Type: c.in(i).Type})
	}
	c.setSequence(0, all.Type)
	return nil
}

func sequenceEmpty(c *call) error {
	c.setSequence(0, Type{Elem: c.dtype("dtype", onnx.Float)})
	return nil
}

func sequenceAt(c *call) error {
	if t, ok := c.element(0); ok {
		c.out[0].Type = t
	}
	return nil
}

// sequenceInsert keeps the element type; the shape is what old and new entries share.
func sequenceInsert(c *call) error {
	if t, ok := c.element(0); ok {
		c.setSequence(0, join(Value{Type: t}, Value{Type: c.in(1).Type}).Type)
	}
	return nil
}

func sequenceErase(c *call) error {
	c.copy(0, 0)
	return nil
}

// scalarOutput is SequenceLength and OptionalHasElement: a scalar.
func scalarOutput(c *call) error {
	c.set(0, Of())
	return nil
}

// splitToSequence cuts an axis into a sequence.
func splitToSequence(c *call) error {
	t := Type{Elem: c.elem(0)}
	dims, ok := c.dims(0)
	if !ok {
		c.setSequence(0, t)
		return nil
	}
	a, err := c.axis(c.int("axis", 0), len(dims))
	if err != nil {
		return err
	}
	out := append([]Dim(nil), dims...)
	out[a] = Dynamic()
	t.Shape = Of(out...)
	if !c.has(1) {
		if out[a] = Static(1); !c.flag("keepdims", true) {
			t.Shape = Of(append(out[:a:a], out[a+1:]...)...)
		}
	}
	c.setSequence(0, t)
	return nil
}

// concatFromSequence joins the entries along an axis, or stacks them along a new one.
func concatFromSequence(c *call) error {
	t, ok := c.element(0)
	if !ok {
		return nil
	}
	c.setElem(0, t.Elem)
	if !t.Shape.Ranked {
		return nil
	}
	rank := len(t.Shape.Dims)
	fresh := c.flag("new_axis", false)
	if fresh {
		rank++
	}
	a, err := c.axis(c.int("axis", 0), rank)
	if err != nil {
		return err
	}
	if fresh {
		c.out[0].Shape = stacked(Value{Type: t}, Dynamic(), a).Shape
		return nil
	}
	out := append([]Dim(nil), t.Shape.Dims...)
	out[a] = Dynamic()
	c.set(0, Of(out...))
	return nil
}

// sequenceMap applies a body to the entries of sequences; other inputs go in as they are.
func sequenceMap(c *call) error {
	if c.Sub == nil {
		return nil
	}
	in := make([]Value, len(c.In))
	for i := range in {
		in[i].Type = c.in(i).Type
		if t, ok := c.element(i); ok {
			in[i].Type = t
		}
	}
	outs, err := c.Sub("body", in)
	if err != nil {
		return err
	}
	for i := range c.out {
		if i < len(outs) {
			c.setSequence(i, outs[i].Type)
		}
	}
	return nil
}

// optional wraps its input, or is empty of the type in an attribute.
func optional(c *call) error {
	inner := proto(c.in(0).Type)
	if !c.has(0) {
		a := c.attr("type", onnx.AttrTypeProto)
		if a == nil || a.TypeProto == nil {
			return nil
		}
		inner = a.TypeProto
	}
	c.out[0] = Value{Type: Type{Other: &onnx.Type{Optional: inner}}}
	return nil
}

// optionalGet unwraps an optional; other values pass.
func optionalGet(c *call) error {
	if o := c.in(0).Other; o != nil && o.Optional != nil {
		c.out[0] = Value{Type: fromProto(o.Optional)}
		return nil
	}
	c.copy(0, 0)
	return nil
}
