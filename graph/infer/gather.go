package infer

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// gather replaces one axis of the data by the axes of the indices.
func gather(c *call) error {
	data, ok0 := c.dims(0)
	indices, ok1 := c.dims(1)
	if !ok0 || !ok1 {
		return nil
	}
	if err := c.wantRank(0, 1, maxRank); err != nil {
		return err
	}
	a, err := c.axis(c.int("axis", 0), len(data))
	if err != nil {
		return err
	}
	c.set(0, Of(slices.Concat(data[:a], indices, data[a+1:])...))
	return c.gatherContent(a, len(indices))
}

func (c *call) gatherContent(a, rank int) error {
	list, ok := c.ints(1)
	if !ok {
		return nil
	}
	if d := c.shape(0).Dims[a]; d.IsStatic() {
		for _, i := range list {
			if i < -d.Value || i >= d.Value {
				return c.fail("OP3204", "an index is out of range", fmt.Sprintf("%d to %d", -d.Value, d.Value-1), fmt.Sprint(i))
			}
		}
	}
	x, tracked := contentOf(c.in(0))
	out, static := c.out[0].Shape.Static()
	index, _ := contentOf(c.in(1))
	if !tracked || !static || len(index.dims) != rank || len(x.dims) != len(c.shape(0).Dims) {
		return nil
	}
	y, ok := x.pick(out, func(at, src []int64) {
		copy(src, at[:a])
		i := list[index.offset(at[a:a+rank])]
		if i < 0 {
			i += x.dims[a]
		}
		src[a] = i
		copy(src[a+1:], at[a+rank:])
	})
	if ok {
		c.setContent(0, y)
	}
	return nil
}

// gatherElements has the shape of the indices.
func gatherElements(c *call) error {
	c.set(0, c.shape(1))
	return nil
}

// gatherND replaces the axes that an index tuple addresses by those of the tuples.
func gatherND(c *call) error {
	data, ok0 := c.dims(0)
	indices, ok1 := c.dims(1)
	if !ok0 || !ok1 || len(indices) == 0 || !indices[len(indices)-1].IsStatic() {
		return nil
	}
	batch, last := c.int("batch_dims", 0), indices[len(indices)-1].Value
	if batch < 0 || batch >= int64(min(len(data), len(indices))) || last > int64(len(data))-batch {
		return c.mismatch("indices address more axes than the data has", fmt.Sprintf("%d axes at most", len(data)), fmt.Sprintf("%d batch axes and tuples of %d", batch, last))
	}
	c.set(0, Of(slices.Concat(indices[:len(indices)-1], data[batch+last:])...))
	return nil
}

// arrayFeatureExtractor picks columns (ai.onnx.ml).
func arrayFeatureExtractor(c *call) error {
	dims, ok := c.dims(0)
	n, ok1 := c.shape(1).Elements()
	if !ok || !ok1 || len(dims) == 0 {
		return nil
	}
	if len(dims) == 1 {
		c.set(0, Sizes(1, n))
		return nil
	}
	c.set(0, Of(append(slices.Clone(dims[:len(dims)-1]), Static(n))...))
	return nil
}

// oneHot inserts an axis of the given depth.
func oneHot(c *call) error {
	c.setElem(0, c.elem(2))
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	a, err := c.axis(c.int("axis", -1), len(dims)+1)
	if err != nil {
		return err
	}
	c.set(0, Of(slices.Insert(slices.Clone(dims), a, c.lengthFrom(1))...))
	return nil
}

// topK keeps k entries of one axis.
func topK(c *call) error {
	c.setElem(1, onnx.Int64)
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	a, err := c.axis(c.int("axis", -1), len(dims))
	if err != nil {
		return err
	}
	var k Dim
	if c.Version < 10 {
		k = size(Dim{Value: c.int("k", -1)})
	} else {
		k = c.lengthFrom(1)
	}
	if d := dims[a]; d.IsStatic() && k.IsStatic() && k.Value > d.Value {
		return c.mismatch("k is larger than the axis", fmt.Sprintf("%d at most", d.Value), k)
	}
	out := slices.Clone(dims)
	out[a] = k
	c.set(0, Of(out...))
	c.set(1, Of(out...))
	return nil
}

// nonZero lists the positions of non-zero elements, one column each.
func nonZero(c *call) error {
	rank := c.shape(0).Rank()
	if rank < 0 {
		c.set(0, dynamic(2))
		return nil
	}
	c.set(0, Of(Static(int64(rank)), Dynamic()))
	x, ok := contentOf(c.in(0))
	list, known := x.numbers()
	if !ok || !known || rank != len(x.dims) || rank == 0 {
		return nil
	}
	columns := make([][]int64, 0, len(list))
	at := make([]int64, rank)
	for _, n := range list {
		if n != 0 {
			columns = append(columns, slices.Clone(at))
		}
		advance(at, x.dims)
	}
	y := content{dims: []int64{int64(rank), int64(len(columns))}, ints: []Dim{}}
	for i := range rank {
		for _, column := range columns {
			y.ints = append(y.ints, Static(column[i]))
		}
	}
	if len(y.ints) <= maxContent {
		c.setContent(0, y)
	}
	return nil
}

// compress keeps the rank when it works along an axis; how many entries stay depends on the data.
func compress(c *call) error {
	if c.attr("axis", onnx.AttrInt) == nil {
		c.set(0, Of(Dynamic()))
		return nil
	}
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	a, err := c.axis(c.int("axis", 0), len(dims))
	if err != nil {
		return err
	}
	out := slices.Clone(dims)
	out[a] = Dynamic()
	c.set(0, Of(out...))
	return nil
}

// unique finds distinct values, or distinct slices along an axis.
func unique(c *call) error {
	if err := compress(c); err != nil {
		return err
	}
	for i := 1; i < 4; i++ {
		c.setType(i, onnx.Int64, Of(Dynamic()))
	}
	return nil
}
