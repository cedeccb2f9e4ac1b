package infer

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// Rules of fused operators that ONNX Runtime writes (domain com.microsoft). The table of
// standard operators does not know them, so the rules set element types themselves.

// kept wraps a rule of a standard operator: the element type is that of input i.
func kept(i int, of rule) rule {
	return func(c *call) error {
		c.setElem(0, c.elem(i))
		return of(c)
	}
}

// skipNorm is SkipLayerNormalization and its RMS form: output, mean, inverse deviation, sum.
func skipNorm(c *call) error {
	c.setType(0, c.elem(0), c.shape(0))
	c.setType(3, c.elem(0), c.shape(0))
	for i := 1; i < min(len(c.out), 3); i++ {
		c.setElem(i, onnx.Float)
	}
	return nil
}

// embedNorm is EmbedLayerNormalization: [batch, seq, hidden] from ids and tables.
func embedNorm(c *call) error {
	out := []Dim{Dynamic(), Dynamic(), Dynamic()}
	if dims, ok := c.dims(0); ok && len(dims) == 2 {
		out[0], out[1] = dims[0], dims[1]
	}
	if dims, ok := c.dims(2); ok && len(dims) == 2 {
		out[2] = dims[1]
	}
	c.setType(0, c.elem(2), Of(out...))
	c.setType(1, onnx.Int32, Of(out[0]))
	return nil
}

// fusedAttention is Attention of com.microsoft: [batch, seq, hidden] times packed weights
// of queries, keys and values.
func fusedAttention(c *call) error {
	c.setElem(0, c.elem(0))
	dims, ok := c.dims(0)
	if !ok || len(dims) != 3 {
		return nil
	}
	hidden := Dynamic()
	weight, known := c.dims(1)
	sizes, given := c.list("qkv_hidden_sizes")
	switch {
	case given && len(sizes) == 3:
		hidden = size(Dim{Value: sizes[2]})
	case !given && known && len(weight) == 2 && weight[1].IsStatic() && weight[1].Value%3 == 0:
		hidden = Static(weight[1].Value / 3)
	}
	c.set(0, Of(dims[0], dims[1], hidden))
	return nil
}

// multiHeadAttention of com.microsoft with separate operands of rank 3.
func multiHeadAttention(c *call) error {
	c.setElem(0, c.elem(0))
	q, ok := c.dims(0)
	v, ok1 := c.dims(2)
	if ok && ok1 && len(q) == 3 && len(v) == 3 {
		c.set(0, Of(q[0], q[1], v[2]))
	}
	return nil
}

// groupQueryAttention of com.microsoft with separate operands keeps the shape of the queries.
func groupQueryAttention(c *call) error {
	c.setElem(0, c.elem(0))
	c.setElem(1, c.elem(3))
	c.setElem(2, c.elem(4))
	if c.has(1) && c.has(2) {
		c.set(0, c.shape(0))
	}
	return nil
}

// biasSplitGelu halves the last axis.
func biasSplitGelu(c *call) error {
	c.setElem(0, c.elem(0))
	dims, ok := c.dims(0)
	if !ok || len(dims) == 0 {
		return nil
	}
	out := slices.Clone(dims)
	last := len(out) - 1
	out[last] = exactDiv(out[last], Static(2))
	c.set(0, Of(out...))
	return nil
}
