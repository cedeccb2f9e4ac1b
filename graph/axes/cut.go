package axes

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// cut is a removal of classes at work. While it runs, shapes of values are still those of before.
type cut struct {
	*space
	model *graph.Model
	gone  []bool   // of each atom
	lost  []int32  // of each axis: atoms that are gone
	late  []func() // changes of the graph's edges: fixes look axes up by the values that were analysed, so these wait for all of them
}

// newCut marks the atoms of the classes to remove.
func (a *Analysis) newCut(m *graph.Model, classes []int) (*cut, error) {
	c := &cut{space: a.space, model: m, gone: make([]bool, len(a.space.parent)), lost: make([]int32, len(a.space.start))}
	for _, k := range classes {
		if k < 0 || k >= len(a.classes) {
			return nil, fmt.Errorf("axes: class %d of %d", k, len(a.classes))
		}
		for _, x := range a.atoms(k) {
			if !c.gone[x] {
				c.gone[x] = true
				c.lost[a.space.axisOf(x)]++
			}
		}
	}
	for x := range axis(len(c.start)) {
		if c.lost[x] > 0 && c.lost[x] == c.width[x] {
			v, i := c.place(x)
			return nil, fmt.Errorf("axes: nothing would be left of axis %d of %s", i, v.Name())
		}
	}
	return c, nil
}

// Cut removes classes from the model that was analysed: it slices constants,
// corrects attributes and operands that state sizes or positions, and infers
// all shapes anew. The analysis does not describe the model any more afterwards.
// An error means a class number that does not exist, an axis that would lose
// everything, or a constant that cannot be read; the model may then be half cut.
func (a *Analysis) Cut(classes []int) error {
	c, err := a.newCut(a.Model, classes)
	if err != nil || len(classes) == 0 {
		return err
	}
	nodes := slices.Collect(a.Model.Main.All())
	for _, n := range nodes {
		if r := table[key{n.Domain(), n.Op()}]; r.fix != nil && !n.Removed() {
			if err := r.fix(c, n); err != nil {
				return err
			}
		}
	}
	for _, do := range c.late {
		do()
	}
	c.cross()
	if err := c.constants(); err != nil {
		return err
	}
	a.Model.Forget()
	if err := a.Model.Infer(); err != nil {
		return fmt.Errorf("axes: shapes do not agree after removal: %w", err)
	}
	return nil
}

// constants slices every constant that lost atoms.
func (c *cut) constants() error {
	for k, v := range c.values {
		t := v.Const()
		if t == nil || v.Removed() {
			continue
		}
		kept, changed := make([][]int, len(t.Dims)), false
		for a := c.first[k]; a < c.first[k+1]; a++ {
			if c.lost[a] > 0 {
				kept[a-c.first[k]] = c.kept(a)
				changed = true
			}
		}
		if !changed {
			continue
		}
		small, err := Select(t, kept)
		if err != nil {
			return fmt.Errorf("axes: constant %s: %w", v.Name(), err)
		}
		if v.IsInit() {
			v.SetInit(small)
		} else {
			v.ReplaceUses(v.Graph().Init(v.Name(), small), nil)
			v.Def().Remove()
		}
	}
	return nil
}

// kept are the indices of axis a that are left.
func (c *cut) kept(a axis) []int {
	out := make([]int, 0, c.width[a]-c.lost[a])
	for i := range c.width[a] {
		if !c.gone[c.start[a]+i] {
			out = append(out, int(i))
		}
	}
	return out
}

// ranks are the new numbers of the indices of axis a, -1 for those that are gone.
func (c *cut) ranks(a axis) []int64 {
	out, next := make([]int64, c.width[a]), int64(0)
	for i := range out {
		out[i] = -1
		if !c.gone[c.start[a]+int32(i)] {
			out[i] = next
			next++
		}
	}
	return out
}

// left is how many indices of axis a are left. For an axis that does not shrink
// and has no atoms of its own it is their number, 1.
func (c *cut) left(a axis) int64 {
	if a == none {
		return 0
	}
	return int64(c.width[a] - c.lost[a])
}

// size is the new size of axis i of v, -1 when it is not known.
func (c *cut) size(v *graph.Value, i int) int64 {
	d := v.Shape().Dims[i].Value
	if a := c.at(v, i); a != none && d >= 0 {
		return d - int64(c.lost[a])
	}
	return max(d, -1)
}

// state makes operand i of n a constant list. A constant that only n reads is changed, one that others read too is left to them.
func (c *cut) state(n *graph.Node, i int, values []int64) {
	c.replace(n, i, onnx.FromInt64s([]int64{int64(len(values))}, values))
}

func (c *cut) replace(n *graph.Node, i int, t *onnx.Tensor) {
	old := n.In(i)
	if old != nil && old.IsInit() && !old.IsInput() && old.NumUses() == 1 && old.Const().Type == t.Type {
		old.SetInit(t)
		return
	}
	hint := n.Label() + "_kept"
	if old != nil {
		n.SetIn(i, nil)
		release(old)
	}
	n.SetIn(i, n.Graph().Init(hint, t))
}

// release removes what computes values that nothing reads any more.
func release(values ...*graph.Value) {
	for len(values) > 0 {
		v := values[len(values)-1]
		values = values[:len(values)-1]
		if v == nil || v.Removed() || v.NumUses() > 0 || v.IsInput() {
			continue
		}
		n := v.Def()
		switch {
		case n == nil && v.IsInit():
			v.RemoveInit()
		case n != nil && n.Domain() == "" && len(n.Subgraphs()) == 0 && !slices.ContainsFunc(n.Outs(), func(o *graph.Value) bool { return o != nil && o.NumUses() > 0 }):
			values = append(values, n.Ins()...)
			n.Remove()
		}
	}
}

// fixPad writes how much of the padding is left.
func fixPad(c *cut, n *graph.Node) error {
	pads, axes, ok := padding(n)
	if !ok {
		return nil
	}
	half, changed := len(pads)/2, false
	out := make([]int64, len(pads))
	for i, p := range pads {
		out[i] = p.Value
	}
	for at := range half {
		i := at
		if axes != nil {
			i = int(axes[at])
		}
		y, before, after := c.at(n.Out(0), i), pads[at].Value, pads[at+half].Value
		if y == none || c.lost[y] == 0 || before == 0 && after == 0 {
			continue
		}
		kept := c.kept(y)
		first, last := int(before), int(int64(c.width[y])-after)
		out[at], out[at+half] = 0, 0
		for _, k := range kept {
			if k < first {
				out[at]++
			} else if k >= last {
				out[at+half]++
			}
		}
		changed = true
	}
	switch {
	case !changed:
	case n.Attr("pads") != nil:
		n.SetInts("pads", out)
	default:
		c.state(n, 1, out)
	}
	return nil
}
