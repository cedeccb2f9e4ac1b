package infer

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// reduce is the rule of Reduce operators; since is the version that made axes an input,
// of folds integer contents (nil: not followed).
func reduce(since int64, of func(a, b Dim) Dim) rule {
	return func(c *call) error {
		dims, ranked := c.dims(0)
		list, known := c.axesOf(since, 1)
		keep := c.flag("keepdims", true)
		if !ranked {
			return nil
		}
		if !known {
			c.reducedUnknown(len(dims), keep)
			return nil
		}
		if len(list) == 0 && c.Version >= since && c.flag("noop_with_empty_axes", false) {
			c.set(0, c.shape(0))
			return nil
		}
		axes, err := c.axes(list, len(dims))
		if err != nil {
			return err
		}
		if len(list) == 0 {
			axes = everyAxis(len(dims))
		}
		c.set(0, reduced(dims, axes, keep))
		if of != nil {
			c.reduceContent(len(axes) == len(dims), of)
		}
		return nil
	}
}

func everyAxis(rank int) []int {
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	return axes
}

func reduced(dims []Dim, axes []int, keep bool) Shape {
	out := make([]Dim, 0, len(dims))
	for i, d := range dims {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, Static(1))
		}
	}
	return Of(out...)
}

// reducedUnknown knows the rank alone: which axes are reduced is not known.
func (c *call) reducedUnknown(rank int, keep bool) {
	if keep {
		c.set(0, dynamic(rank))
		return
	}
	if n, ok := c.shape(1).Elements(); ok && n > 0 && n <= int64(rank) {
		c.set(0, dynamic(rank-int(n)))
	}
}

// reduceContent folds a content over all its axes.
func (c *call) reduceContent(all bool, of func(a, b Dim) Dim) {
	x, ok := contentOf(c.in(0))
	dims, static := c.out[0].Shape.Static()
	if !ok || !static || !all || len(x.ints) == 0 || !tracksInts(c.elem(0)) {
		return
	}
	acc := x.ints[0]
	for _, e := range x.ints[1:] {
		acc = of(acc, e)
	}
	c.setContent(0, content{dims: dims, ints: []Dim{acc}}.narrowed(c.elem(0)))
}

// argReduce is ArgMax and ArgMin: indices along one axis.
func argReduce(c *call) error {
	c.setElem(0, onnx.Int64)
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	a, err := c.axis(c.int("axis", 0), len(dims))
	if err != nil {
		return err
	}
	c.set(0, reduced(dims, []int{a}, c.flag("keepdims", true)))
	return nil
}
