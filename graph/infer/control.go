package infer

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// ifElse is If: what holds for both branches, or the branch that a constant condition takes.
// A contradiction inside one branch means that this branch is never taken.
func ifElse(c *call) error {
	if c.Sub == nil {
		return nil
	}
	yes, errYes := c.Sub("then_branch", nil)
	no, errNo := c.Sub("else_branch", nil)
	if errYes != nil && errNo != nil {
		return errYes
	}
	cond, known := c.scalar(0)
	always, never := errNo != nil || known && cond != 0, errYes != nil || known && cond == 0
	for i := range c.out {
		switch {
		case always && i < len(yes):
			c.out[i] = variable(yes[i])
		case never && i < len(no):
			c.out[i] = variable(no[i])
		case !always && !never && i < len(yes) && i < len(no):
			c.out[i] = join(variable(yes[i]), variable(no[i]))
		}
	}
	return nil
}

// variable is a value without the tensor that it is a copy of.
func variable(v Value) Value {
	if x, ok := contentOf(&v); ok {
		v.Ints, v.Floats = x.ints, x.floats
	}
	v.Const = nil
	return v
}

// loop is Loop: inputs M, cond and the carried values; the body takes (iteration, cond,
// carried...) and returns (cond, carried..., scanned...).
func loop(c *call) error {
	n := len(c.In) - 2
	if c.Sub == nil || n < 0 {
		return nil
	}
	head := []Value{
		{Type: Type{Elem: onnx.Int64, Shape: Of()}},
		{Type: Type{Elem: onnx.Bool, Shape: Of()}, Ints: []Dim{Static(1)}}, // true whenever the body runs
	}
	outs, carried, err := c.iterate("body", head, c.initial(2, n), nil, 1)
	if err != nil {
		return err
	}
	trips := c.trips(outs)
	for i := range c.out {
		switch {
		case i < n:
			c.out[i] = carried[i]
		case 1+i < len(outs):
			c.out[i] = stacked(outs[1+i], trips, 0)
		}
	}
	return nil
}

// trips is the number of iterations, known when only the count can end the loop.
func (c *call) trips(outs []Value) Dim {
	count, ok := contentOf(c.in(0))
	endless := !c.has(1)
	if cond, ok := c.scalar(1); ok {
		endless = cond != 0
	}
	stays := len(outs) > 0 && len(outs[0].Ints) == 1 && outs[0].Ints[0].Value == 1
	if !ok || !endless || !stays || len(count.ints) != 1 {
		return Dynamic()
	}
	if count.ints[0].Value < 0 && number(count.ints[0]) {
		return Static(0)
	}
	return size(count.ints[0])
}

// initial are n inputs from i on as values that later iterations change.
func (c *call) initial(i, n int) []Value {
	list := make([]Value, n)
	for j := range list {
		list[j].Type = c.in(i + j).Type
	}
	return list
}

// iterate infers the body of a loop until the types of the carried values hold for every
// iteration: first as they come in, then with what one iteration changes left open, at last
// with nothing but the element type. The body's inputs are head, carried, tail; the new
// carried values start at its output skip.
func (c *call) iterate(attr string, head, carried, tail []Value, skip int) (outs, stable []Value, err error) {
	for range 3 {
		outs, err = c.Sub(attr, slices.Concat(head, carried, tail))
		if err != nil {
			return nil, nil, err
		}
		if len(outs) < skip+len(carried) {
			return nil, nil, c.mismatch("the body has too few outputs", skip+len(carried), len(outs))
		}
		next, same := widen(carried, outs[skip:])
		if same {
			return outs, carried, nil
		}
		carried = next
	}
	for i := range carried {
		carried[i].Shape = Shape{}
	}
	outs, err = c.Sub(attr, slices.Concat(head, carried, tail))
	if len(outs) < skip+len(carried) {
		outs = make([]Value, skip+len(carried))
	}
	return outs, carried, err
}

// widen joins values with their successors; same tells that nothing changed.
func widen(carried, outs []Value) (next []Value, same bool) {
	next, same = make([]Value, len(carried)), true
	for i, v := range carried {
		next[i].Type = join(Value{Type: v.Type}, Value{Type: outs[i].Type}).Type
		same = same && next[i].Elem == v.Elem && equalTypes(next[i].Other, v.Other) && equalShapes(next[i].Shape, v.Shape)
	}
	return next, same
}

// equalShapes tells whether the same is known of two shapes.
func equalShapes(a, b Shape) bool {
	if a.Ranked != b.Ranked || len(a.Dims) != len(b.Dims) {
		return false
	}
	for i, d := range a.Dims {
		if element(d) != element(b.Dims[i]) {
			return false
		}
	}
	return true
}

// stacked inserts an axis of n iterations.
func stacked(v Value, n Dim, axis int) Value {
	out := Value{Type: Type{Elem: v.Elem}}
	if v.Shape.Ranked && axis <= len(v.Shape.Dims) {
		out.Shape = Of(slices.Insert(slices.Clone(v.Shape.Dims), axis, n)...)
	}
	return out
}

// scan is Scan from opset 9 on: the states, then the sequences, whose slices the body gets.
func scan(c *call) error {
	scanned := c.int("num_scan_inputs", 0)
	n := int64(len(c.In)) - scanned
	if c.Sub == nil || c.Version < 9 || scanned <= 0 || n < 0 {
		return nil
	}
	axes := c.listOf("scan_input_axes", int(scanned), 0)
	if int64(len(axes)) != scanned {
		return c.mismatch("scan_input_axes does not fit num_scan_inputs", scanned, len(axes))
	}
	length := Dynamic()
	slicesOf := make([]Value, scanned)
	for i := range slicesOf {
		d, s, err := c.sliced(int(n)+i, axes[i])
		if err != nil {
			return err
		}
		slicesOf[i].Type = Type{Elem: c.elem(int(n) + i), Shape: s}
		var ok bool
		if length, ok = equalDim(length, d); !ok {
			return c.mismatch("scanned sequences differ in length", length, d)
		}
	}
	outs, states, err := c.iterate("body", nil, c.initial(0, int(n)), slicesOf, 0)
	if err != nil {
		return err
	}
	return c.scanOutputs(outs, states, length)
}

// sliced is the length of an axis of input i, and the shape without it.
func (c *call) sliced(i int, axis int64) (Dim, Shape, error) {
	dims, ok := c.dims(i)
	if !ok {
		return Dynamic(), Shape{}, nil
	}
	a, err := c.axis(axis, len(dims))
	if err != nil {
		return Dynamic(), Shape{}, err
	}
	return dims[a], Of(slices.Delete(slices.Clone(dims), a, a+1)...), nil
}

func (c *call) scanOutputs(outs, states []Value, length Dim) error {
	axes := c.listOf("scan_output_axes", max(len(outs)-len(states), 0), 0)
	for i := range c.out {
		switch j := i - len(states); {
		case j < 0:
			c.out[i] = states[i]
		case i < len(outs) && j < len(axes):
			a := axes[j]
			if rank := outs[i].Shape.Rank(); rank >= 0 {
				at, err := c.axis(a, rank+1)
				if err != nil {
					return err
				}
				c.out[i] = stacked(outs[i], length, at)
				continue
			}
			c.out[i] = stacked(outs[i], length, 0)
		}
	}
	return nil
}
