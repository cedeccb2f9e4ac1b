package axes

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// fixTarget writes the shape that a Reshape, Expand or ConstantOfShape must make.
func fixTarget(c *cut, n *graph.Node) error {
	at := 1
	switch {
	case n.Is("ConstantOfShape"):
		at = 0
	case n.Is("Reshape") && n.Version() < 5:
		want := slices.Clone(n.Ints("shape", nil))
		if c.target(n, want, n.Out(0), 0) {
			n.SetInts("shape", want)
		}
		return nil
	}
	c.retarget(n, at, n.Out(0), rank(n.Out(0))-length(n.In(at)), nil)
	return nil
}

// fixResize writes the sizes that the axes which are not resized have left.
func fixResize(c *cut, n *graph.Node) error {
	if n.Is("Resize") && n.In(3) != nil && length(n.In(3)) > 0 {
		c.retarget(n, 3, n.Out(0), 0, n.Ints("axes", nil))
	}
	return nil
}

// target corrects a constant shape for y, whose axis shift is element 0. It reports whether something changed.
func (c *cut) target(n *graph.Node, want []int64, y *graph.Value, shift int) bool {
	changed := false
	for j, t := range want {
		i := j + shift
		if i < 0 || i >= rank(y) || t == -1 {
			continue
		}
		size := c.size(y, i)
		if size < 0 || size == t && t != 0 {
			continue
		}
		if t == 0 && n.Is("Reshape") && n.Int("allowzero", 0) == 0 && i < rank(n.In(0)) && c.size(n.In(0), i) == size {
			continue // still the size of the input at this place
		}
		if t == 1 && n.Is("Expand") {
			continue // the input is larger
		}
		want[j] = size
		changed = true
	}
	return changed
}

// retarget makes operand at of n state the sizes of y, whose axis shift is its
// element 0, or those of the listed axes.
func (c *cut) retarget(n *graph.Node, at int, y *graph.Value, shift int, axes []int64) {
	v := n.In(at)
	if v == nil {
		return
	}
	if want, fixed := numbers(v); fixed && v.Const() != nil {
		if axes != nil {
			if c.listed(want, y, axes) {
				c.state(n, at, want)
			}
		} else if c.target(n, want, y, shift) {
			c.state(n, at, want)
		}
		return
	}
	c.computed(n, at, y, shift, axes)
}

// listed is target for sizes of some axes.
func (c *cut) listed(want []int64, y *graph.Value, axes []int64) bool {
	changed := false
	for j := range want {
		i := int(axes[j])
		if i < 0 {
			i += rank(y)
		}
		if size := c.size(y, i); size >= 0 && size != want[j] {
			want[j] = size
			changed = true
		}
	}
	return changed
}

// computed corrects an operand that nodes compute: by a constant where at most
// one of its elements is not known and a Reshape can find that itself, else in
// the literals that it is made of, else by adding the difference.
func (c *cut) computed(n *graph.Node, at int, y *graph.Value, shift int, axes []int64) {
	v := n.In(at)
	content := v.Ints()
	want, delta := make([]int64, len(content)), make([]int64, len(content))
	open, wrong := 0, false
	for j, have := range content {
		i := j + shift
		if axes != nil {
			i = int(axes[j])
		}
		size := int64(-1)
		if i >= 0 && i < rank(y) {
			size = c.size(y, i)
		}
		want[j] = size
		if size < 0 {
			open++
			continue
		}
		if now, ok := c.evaluate(v, j, have); ok && now != size && (now > 0 || now == 0 && !n.Is("Reshape")) {
			delta[j], wrong = size-now, true
		}
	}
	switch {
	case !wrong:
	case n.Is("Reshape") && open <= 1 && n.Int("allowzero", 0) == 0 && !slices.Contains(want, 0), open == 0:
		c.state(n, at, want)
	case c.literals(v, delta):
	default:
		difference := n.Graph().Init(n.Label()+"_difference", onnx.FromInt64s([]int64{int64(len(delta))}, delta))
		sum := n.Before().Op("Add", n.Label()+"_size", v, difference)
		n.SetIn(at, sum.Out(0))
	}
}

// literals adds the differences to the constants that v is joined of, or that
// are added to it, when nobody else reads v. It reports whether that was possible.
func (c *cut) literals(v *graph.Value, delta []int64) bool {
	d := v.Def()
	if d == nil || v.NumUses() != 1 || !d.Is("Concat", "Add") {
		return false
	}
	if d.Is("Add") {
		have, ok := numbers(d.In(1))
		if !ok || len(have) != len(delta) || d.In(1).Const() == nil {
			return false
		}
		c.state(d, 1, sum(have, delta))
		return true
	}
	pieces, from := map[int][]int64{}, 0
	for k, p := range d.Ins() {
		n := length(p)
		if n < 0 || from+n > len(delta) {
			return false
		}
		part := delta[from : from+n]
		from += n
		if !slices.ContainsFunc(part, func(x int64) bool { return x != 0 }) {
			continue
		}
		have, ok := numbers(p)
		if !ok || p.Const() == nil {
			return false
		}
		pieces[k] = sum(have, part)
	}
	for k := range d.NumIn() {
		if p := pieces[k]; p != nil {
			c.state(d, k, p)
		}
	}
	return true
}

func sum(a, b []int64) []int64 {
	out := slices.Clone(a)
	for i := range out {
		out[i] += b[i]
	}
	return out
}

// evaluate is element j of v after removal, which before was have.
func (c *cut) evaluate(v *graph.Value, j int, have graph.Dim) (int64, bool) {
	if !known(have) {
		return 0, false
	}
	if x, a, ok := origin(v, j); ok && a < rank(x) {
		return c.size(x, a), true
	}
	return have.Value, true
}
