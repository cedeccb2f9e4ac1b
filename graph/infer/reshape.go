package infer

import (
	"fmt"
	"slices"
)

// reshape follows the target in input 1 (attribute shape before opset 5).
func reshape(c *call) error {
	target, ok := c.reshapeTarget()
	if !ok {
		c.rankOfLength(1)
		return nil
	}
	if len(target) > maxRank {
		return nil
	}
	in, ranked := c.dims(0)
	out, rest, err := c.reshapeDims(target, in, ranked)
	if err != nil {
		return err
	}
	c.set(0, Of(out...))
	if rest >= 0 || !ranked {
		return c.keepContent()
	}
	want, have := product(in), product(out)
	if want.IsStatic() && have.IsStatic() && want.Value != have.Value {
		return c.mismatch("elements do not fit the new shape", fmt.Sprintf("%d elements for %s", want.Value, Of(out...)), Of(in...))
	}
	return c.keepContent()
}

func (c *call) reshapeTarget() ([]Dim, bool) {
	if c.Version >= 5 {
		x, ok := smallContent(c.in(1))
		return x.ints, ok && x.ints != nil && len(x.dims) == 1
	}
	list, ok := c.list("shape")
	target := make([]Dim, len(list))
	for i, n := range list {
		target[i] = Dim{Value: n}
	}
	return target, ok
}

// reshapeDims resolves the target: rest is the index of the single dimension that
// was found from the number of elements, -1 when there is none.
func (c *call) reshapeDims(target, in []Dim, ranked bool) (out []Dim, rest int, err error) {
	allowZero := c.Version >= 14 && c.flag("allowzero", false)
	out, rest = make([]Dim, len(target)), -1
	open := 0 // dimensions that are neither known nor equal to one of the input
	var kept []int
	for i, e := range target {
		out[i] = size(e)
		switch {
		case e.Value == 0 && !allowZero && !ranked:
			out[i] = Dynamic()
			open++
		case e.Value == 0 && !allowZero:
			if i >= len(in) {
				return nil, -1, c.mismatch("a zero copies a dimension that the input does not have", fmt.Sprintf("rank above %d", i), Of(in...))
			}
			out[i] = in[i]
			kept = append(kept, i)
		case number(e) && e.Value < -1:
			return nil, -1, c.fail("OP3204", "a size is negative", "sizes of 0 or more, or -1", fmt.Sprint(e.Value))
		case e.Value == -1 && slices.Contains(target[:i], e):
			return nil, -1, c.fail("OP3204", "two sizes are -1", "one -1 at most", fmt.Sprint(target))
		case !out[i].IsStatic() && out[i].Param == "":
			rest = i
			open++
		}
	}
	if open != 1 || !ranked {
		rest = -1
	}
	if rest < 0 {
		return out, -1, nil
	}
	d, ok := quotient(in, out, kept, rest)
	if !ok {
		return nil, -1, c.mismatch("elements do not fit the new shape", fmt.Sprintf("a multiple of the elements of %s", Of(out...)), Of(in...))
	}
	out[rest] = d
	return out, rest, nil
}

// quotient divides the elements of in by those of out without its dimension rest.
// Dimensions kept at the same place cancel even when unknown. It is false when the
// division leaves a remainder.
func quotient(in, out []Dim, kept []int, rest int) (Dim, bool) {
	num, den := make([]Dim, 0, len(in)), make([]Dim, 0, len(out))
	for i, d := range in {
		if !slices.Contains(kept, i) || d.Value == 0 {
			num = append(num, d)
		}
	}
	for i, d := range out {
		if i != rest && (!slices.Contains(kept, i) || d.Value == 0) {
			den = append(den, d)
		}
	}
	num, den = cancel(num, den)
	n, d := product(num), product(den)
	switch {
	case d.Value == 0:
		return Dynamic(), true
	case n.IsStatic() && d.IsStatic():
		return Static(n.Value / d.Value), n.Value%d.Value == 0
	}
	return size(ratio(n, d)), true
}

// cancel removes symbols that stand on both sides.
func cancel(num, den []Dim) (n, d []Dim) {
	for _, e := range den {
		i := -1
		if !e.IsStatic() && e.Param != "" {
			i = slices.IndexFunc(num, e.Same)
		}
		if i < 0 {
			d = append(d, e)
			continue
		}
		num = slices.Delete(num, i, i+1)
	}
	return num, d
}

// keepContent hands the content of input 0 on in the shape of output 0.
func (c *call) keepContent() error {
	dims, static := c.out[0].Shape.Static()
	if x, ok := contentOf(c.in(0)); ok && static {
		if y, ok := x.reshaped(dims); ok {
			c.setContent(0, y)
		}
	}
	return nil
}

// axesOf are the axes of Squeeze and Unsqueeze: an attribute before opset 13, an input
// from then on. known is false when they exist but their content is not known.
func (c *call) axesOf(since int64, input int) (axes []int64, known bool) {
	if c.Version < since {
		axes, _ = c.list("axes")
		return axes, true
	}
	if !c.has(input) {
		return nil, true
	}
	return c.ints(input)
}

// squeeze drops axes of size one: the named ones, or all.
func squeeze(c *call) error {
	dims, ranked := c.dims(0)
	list, known := c.axesOf(13, 1)
	named := c.Version < 13 && list != nil || c.has(1)
	if !ranked {
		return nil
	}
	if named && known && len(list) == 0 {
		return nil // runtimes differ: nothing, or all axes of size one
	}
	if !known {
		if n, ok := c.shape(1).Elements(); ok && n > 0 && n <= int64(len(dims)) {
			c.set(0, dynamic(len(dims)-int(n)))
		}
		return nil
	}
	drop := make([]bool, len(dims))
	if named {
		axes, err := c.axes(list, len(dims))
		if err != nil {
			return err
		}
		for _, a := range axes {
			if dims[a].IsStatic() && dims[a].Value != 1 {
				return c.mismatch("a squeezed axis is not of size 1", fmt.Sprintf("size 1 at axis %d", a), Of(dims...))
			}
			drop[a] = true
		}
	} else {
		for i, d := range dims {
			if !d.IsStatic() {
				return nil // may or may not be of size 1
			}
			drop[i] = d.Value == 1
		}
	}
	out := make([]Dim, 0, len(dims))
	for i, d := range dims {
		if !drop[i] {
			out = append(out, d)
		}
	}
	c.set(0, Of(out...))
	return c.keepContent()
}

// unsqueeze inserts axes of size one at positions of the output.
func unsqueeze(c *call) error {
	dims, ranked := c.dims(0)
	list, known := c.axesOf(13, 1)
	if !ranked {
		return nil
	}
	if !known {
		if n, ok := c.shape(1).Elements(); ok && n <= maxRank {
			c.set(0, dynamic(len(dims)+int(n)))
		}
		return nil
	}
	if len(list) > maxRank {
		return nil
	}
	axes, err := c.axes(list, len(dims)+len(list))
	if err != nil {
		return err
	}
	out := make([]Dim, len(dims)+len(list))
	for i := range out {
		if slices.Contains(axes, i) {
			out[i] = Static(1)
			continue
		}
		out[i], dims = dims[0], dims[1:]
	}
	c.set(0, Of(out...))
	return c.keepContent()
}

// flatten makes a matrix of the axes before and from axis on.
func flatten(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		c.set(0, dynamic(2))
		return nil
	}
	a := c.int("axis", 1)
	n := int64(len(dims))
	if a < -n || a > n {
		return c.fail("OP3204", "axis is out of range", fmt.Sprintf("an axis from %d to %d", -n, n), fmt.Sprint(a))
	}
	if a < 0 {
		a += n
	}
	c.set(0, Of(size(product(dims[:a])), size(product(dims[a:]))))
	return c.keepContent()
}

// transpose permutes the axes; without an attribute it reverses them.
func transpose(c *call) error {
	dims, ranked := c.dims(0)
	perm, given := c.list("perm")
	if !ranked {
		if given && len(perm) <= maxRank {
			c.set(0, dynamic(len(perm)))
		}
		return nil
	}
	if !given {
		perm = make([]int64, len(dims))
		for i := range perm {
			perm[i] = int64(len(dims) - 1 - i)
		}
	}
	if len(perm) != len(dims) {
		return c.mismatch("perm does not fit the input", fmt.Sprintf("%d axes", len(dims)), fmt.Sprint(perm))
	}
	axes, err := c.axes(perm, len(dims))
	if err != nil {
		return err
	}
	out := make([]Dim, len(dims))
	for i, a := range axes {
		out[i] = dims[a]
	}
	c.set(0, Of(out...))
	c.transposeContent(axes)
	return nil
}

func (c *call) transposeContent(axes []int) {
	x, ok := contentOf(c.in(0))
	out, static := c.out[0].Shape.Static()
	if !ok || !static || len(x.dims) != len(axes) {
		return
	}
	if y, ok := x.pick(out, func(at, src []int64) {
		for i, a := range axes {
			src[a] = at[i]
		}
	}); ok {
		c.setContent(0, y)
	}
}
