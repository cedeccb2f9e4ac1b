package infer

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// concat joins its inputs along an axis.
func concat(c *call) error {
	if len(c.In) == 0 {
		return nil
	}
	def := int64(0)
	if c.Version < 4 {
		def = 1
	}
	joined := Shape{}
	for i := range c.In {
		if s := c.shape(i); s.Ranked {
			joined = dynamic(s.Rank())
		}
	}
	if !joined.Ranked {
		return nil
	}
	a, err := c.axis(c.int("axis", def), joined.Rank())
	if err != nil {
		return err
	}
	total := Static(0)
	for i := range c.In {
		s := c.shape(i)
		if !s.Ranked {
			total = Dynamic()
			continue
		}
		if s.Rank() != joined.Rank() {
			return c.mismatch("inputs differ in rank", joined, s)
		}
		total = add(total, element(s.Dims[a]))
		open := Of(slices.Clone(s.Dims)...)
		open.Dims[a] = Dynamic()
		var ok bool
		if joined, ok = equalShape(joined, open); !ok {
			return c.mismatch(fmt.Sprintf("inputs differ beside axis %d", a), joined, s)
		}
	}
	joined.Dims[a] = size(total)
	c.set(0, joined)
	c.concatContent(a)
	return nil
}

func (c *call) concatContent(a int) {
	out, static := c.out[0].Shape.Static()
	if !static || count(out) < 0 {
		return
	}
	parts := make([]content, len(c.In))
	for i, v := range c.In {
		var ok bool
		if parts[i], ok = smallContent(v); !ok || len(parts[i].dims) != len(out) || (parts[i].ints == nil) != (parts[0].ints == nil) {
			return
		}
	}
	whole := content{dims: out}
	inner := int64(1)
	for _, d := range out[a:] {
		inner *= d
	}
	outer := int64(1)
	for _, d := range out[:a] {
		outer *= d
	}
	if inner == 0 {
		outer = 0
	}
	for o := range outer {
		for _, p := range parts {
			n := int64(p.len()) / outer
			if p.ints != nil {
				whole.ints = append(whole.ints, p.ints[o*n:(o+1)*n]...)
			} else {
				whole.floats = append(whole.floats, p.floats[o*n:(o+1)*n]...)
			}
		}
	}
	if int64(whole.len()) == count(out) && whole.len() > 0 {
		c.setContent(0, whole)
	}
}

// split cuts an axis into parts: of given sizes, or as equal as possible.
func split(c *call) error {
	dims, ranked := c.dims(0)
	if !ranked {
		return nil
	}
	a, err := c.axis(c.int("axis", 0), len(dims))
	if err != nil {
		return err
	}
	parts, err := c.parts(dims[a])
	if err != nil {
		return err
	}
	from := int64(0)
	for i := range c.out {
		out := slices.Clone(dims)
		out[a] = Dynamic()
		if i < len(parts) {
			out[a] = size(parts[i])
		}
		c.set(i, Of(out...))
		if from >= 0 && out[a].IsStatic() {
			c.partContent(i, a, from)
			from = add(Static(from), out[a]).Value
		} else {
			from = -1
		}
	}
	return nil
}

// parts are the sizes of the outputs of a Split.
func (c *call) parts(d Dim) ([]Dim, error) {
	if given, ok := c.givenParts(); ok {
		total := Static(0)
		for _, p := range given {
			total = add(total, p)
		}
		if len(given) != c.NumOut || d.IsStatic() && number(total) && total.Value != d.Value {
			return nil, c.mismatch("split sizes do not fit the axis", fmt.Sprintf("%d sizes that sum to %s", c.NumOut, d), fmt.Sprint(given))
		}
		return given, nil
	}
	n := int64(c.NumOut)
	if c.Version < 13 && c.attr("split", onnx.AttrInts) != nil || c.Version >= 13 && c.has(1) || c.Version == 1 && c.has(1) || n == 0 {
		return nil, nil
	}
	if c.Version >= 18 {
		n = c.int("num_outputs", n)
	}
	if !d.IsStatic() {
		if n == 1 || n > 0 && n <= maxOutputs && c.Version < 18 {
			return slices.Repeat([]Dim{ratio(element(d), Static(n))}, int(n)), nil
		}
		return nil, nil
	}
	if n <= 0 || n > maxOutputs || c.Version < 18 && d.Value%n != 0 {
		return nil, c.mismatch("the axis does not divide into equal parts", fmt.Sprintf("a multiple of %d", n), d)
	}
	return equalParts(d.Value, n), nil
}

// equalParts cuts size into n parts, the last one smaller when it does not divide.
func equalParts(size, n int64) []Dim {
	part := ceilDiv(size, n)
	list := make([]Dim, n)
	for i := range list {
		list[i] = Static(max(min(part, size-part*int64(i)), 0))
	}
	return list
}

func (c *call) givenParts() ([]Dim, bool) {
	if c.Version >= 13 || c.Version == 1 && c.has(1) {
		x, ok := smallContent(c.in(1))
		return x.ints, ok && x.ints != nil
	}
	list, ok := c.list("split")
	out := make([]Dim, len(list))
	for i, n := range list {
		out[i] = Static(n)
	}
	return out, ok && len(list) > 0
}

func (c *call) partContent(i, a int, from int64) {
	x, ok := contentOf(c.in(0))
	out, static := c.out[i].Shape.Static()
	if !ok || !static || len(x.dims) != len(out) {
		return
	}
	if y, ok := x.pick(out, func(at, src []int64) {
		copy(src, at)
		src[a] += from
	}); ok {
		c.setContent(i, y)
	}
}
