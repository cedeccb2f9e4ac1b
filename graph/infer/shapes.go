package infer

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
)

// shapeOf is Shape: the content of the output is the shape of the input.
func shapeOf(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		c.set(0, Of(Dynamic()))
		return nil
	}
	n := int64(len(dims))
	start, end := int64(0), n
	if c.Version >= 15 {
		start, end = clampAxis(c.int("start", 0), n), clampAxis(c.int("end", n), n)
	}
	x := content{dims: []int64{max(end-start, 0)}, ints: []Dim{}}
	for i := start; i < end; i++ {
		x.ints = append(x.ints, element(dims[i]))
	}
	c.setContent(0, x)
	return nil
}

func clampAxis(a, n int64) int64 {
	if a < 0 {
		a += n
	}
	return min(max(a, 0), n)
}

// sizeOf is Size: the number of elements.
func sizeOf(c *call) error {
	c.set(0, Of())
	if dims, ok := c.dims(0); ok {
		c.setContent(0, content{dims: []int64{}, ints: []Dim{product(dims)}})
	}
	return nil
}

// shapeFrom is the shape that the content of input i spells. When the content is
// not tracked, the rank may still follow from the length of the input.
func (c *call) shapeFrom(i int) (Shape, error) {
	if err := c.wantRank(i, 1, 1); err != nil {
		return Shape{}, err
	}
	if x, ok := smallContent(c.in(i)); ok && x.ints != nil && len(x.ints) <= maxRank {
		dims := make([]Dim, len(x.ints))
		for j, e := range x.ints {
			if number(e) && e.Value < 0 {
				return Shape{}, c.fail("OP3204", "a size is negative", "sizes of 0 or more", fmt.Sprint(e.Value))
			}
			dims[j] = size(e)
		}
		return Of(dims...), nil
	}
	return Shape{}, nil
}

// constantOfShape fills a shape with one value.
func constantOfShape(c *call) error {
	t := onnx.Float
	fill := c.attr("value", onnx.AttrTensor)
	if fill != nil && fill.T != nil {
		t = fill.T.Type
	}
	s, err := c.shapeFrom(0)
	if err != nil {
		return err
	}
	c.setType(0, t, s)
	dims, ok := s.Static()
	n := count(dims)
	if !ok || n < 0 {
		return nil
	}
	x := content{dims: []int64{1}, floats: []float64{0}}
	if fill != nil && fill.T != nil {
		if x, ok = constContent(fill.T); !ok || x.len() != 1 {
			return nil
		}
		x.dims = []int64{1}
	}
	if y, ok := x.spreadAny(dims); ok {
		c.setContent(0, y)
	}
	return nil
}

// spreadAny repeats the single element of x over dims of any rank.
func (x content) spreadAny(dims []int64) (content, bool) {
	return x.pick(dims, func(_, src []int64) { src[0] = 0 })
}

// constant reads the value of a Constant node in any of its forms.
func constant(c *call) error {
	if len(c.out) == 0 || c.Op.Attr == nil {
		return nil
	}
	v := &c.out[0]
	if a := c.attr("value", onnx.AttrTensor); a != nil && a.T != nil {
		v.Type, v.Const = Type{Elem: a.T.Type, Shape: Sizes(a.T.Dims...)}, a.T
		if x, ok := constContent(a.T); ok {
			v.Ints, v.Floats = x.ints, x.floats
		}
		return nil
	}
	if a := c.attr("sparse_value", onnx.AttrSparseTensor); a != nil && a.SparseTensor != nil && a.SparseTensor.Values != nil {
		v.Type = Type{Elem: a.SparseTensor.Values.Type, Shape: Sizes(a.SparseTensor.Dims...)}
		return nil
	}
	c.constantList()
	return nil
}

// constantList reads the forms of Constant that are not tensors.
func (c *call) constantList() {
	if a := c.attr("value_int", onnx.AttrInt); a != nil {
		c.setNumbers(onnx.Int64, []int64{}, []int64{a.I}, nil)
	}
	if a := c.attr("value_ints", onnx.AttrInts); a != nil {
		c.setNumbers(onnx.Int64, []int64{int64(len(a.Ints))}, a.Ints, nil)
	}
	if a := c.attr("value_float", onnx.AttrFloat); a != nil {
		c.setNumbers(onnx.Float, []int64{}, nil, []float32{a.F})
	}
	if a := c.attr("value_floats", onnx.AttrFloats); a != nil {
		c.setNumbers(onnx.Float, []int64{int64(len(a.Floats))}, nil, a.Floats)
	}
	if c.attr("value_string", onnx.AttrString) != nil {
		c.setType(0, onnx.String, Of())
	}
	if a := c.attr("value_strings", onnx.AttrStrings); a != nil {
		c.setType(0, onnx.String, Sizes(int64(len(a.Strings))))
	}
}

func (c *call) setNumbers(t onnx.DataType, dims, ints []int64, floats []float32) {
	c.setType(0, t, Sizes(dims...))
	if count(dims) < 0 {
		return
	}
	x := content{dims: dims}
	if t == onnx.Int64 {
		x.ints = make([]Dim, len(ints))
		for i, n := range ints {
			x.ints[i] = Static(n)
		}
	} else {
		x.floats = make([]float64, len(floats))
		for i, f := range floats {
			x.floats[i] = float64(f)
		}
	}
	c.setContent(0, x)
}

// expand broadcasts the input against the shape in input 1.
func expand(c *call) error {
	s, err := c.shapeFrom(1)
	if err != nil {
		return err
	}
	out, ok := broadcast(c.shape(0), s)
	if !ok {
		return c.mismatch("shapes do not broadcast", s, c.shape(0))
	}
	c.set(0, out)
	if dims, ok := out.Static(); ok {
		if x, ok := contentOf(c.in(0)); ok {
			if y, ok := x.spread(dims); ok {
				c.setContent(0, y)
			}
		}
	}
	return nil
}

// tile repeats each axis.
func tile(c *call) error {
	if c.Version < 6 {
		return c.tileAxis()
	}
	dims, ok := c.dims(0)
	if !ok {
		c.rankOfLength(1)
		return nil
	}
	out := make([]Dim, len(dims))
	times, known := smallContent(c.in(1))
	if known && len(times.ints) != len(dims) {
		return c.mismatch("repeats do not fit the input", fmt.Sprintf("%d repeats", len(dims)), len(times.ints))
	}
	for i, d := range dims {
		out[i] = Dynamic()
		if known {
			out[i] = size(mul(element(d), times.ints[i]))
		}
	}
	c.set(0, Of(out...))
	return c.tileContent(dims)
}

func (c *call) tileContent(dims []Dim) error {
	x, ok := contentOf(c.in(0))
	out, static := c.out[0].Shape.Static()
	if !ok || !static || len(dims) != len(x.dims) {
		return nil
	}
	if y, ok := x.pick(out, func(at, src []int64) {
		for i, d := range x.dims {
			src[i] = at[i] % max(d, 1)
		}
	}); ok {
		c.setContent(0, y)
	}
	return nil
}

// tileAxis is Tile-1: inputs tiles and axis are scalars.
func (c *call) tileAxis() error {
	dims, ok := c.dims(0)
	tiles, ok1 := c.scalar(1)
	a, ok2 := c.scalar(2)
	if !ok || !ok1 || !ok2 {
		return nil
	}
	i, err := c.axis(a, len(dims))
	if err != nil {
		return err
	}
	out := append([]Dim(nil), dims...)
	out[i] = size(mul(element(out[i]), Static(tiles)))
	c.set(0, Of(out...))
	return nil
}

// rankOfLength gives output 0 unknown dimensions, as many as input i has elements.
func (c *call) rankOfLength(i int) {
	if dims, ok := c.dims(i); ok && len(dims) == 1 && dims[0].IsStatic() && dims[0].Value <= maxRank {
		c.set(0, dynamic(int(dims[0].Value)))
	}
}

// dynamic is a shape of known rank and unknown dimensions.
func dynamic(rank int) Shape {
	dims := make([]Dim, rank)
	for i := range dims {
		dims[i] = Dynamic()
	}
	return Of(dims...)
}

// eyeLike is the shape of the input in the type of an attribute.
func eyeLike(c *call) error {
	c.setType(0, c.dtype("dtype", c.elem(0)), c.shape(0))
	return nil
}

// random is RandomNormal and RandomUniform: the shape is an attribute.
func random(c *call) error {
	list, ok := c.list("shape")
	c.setElem(0, c.dtype("dtype", onnx.Float))
	if !ok || len(list) > maxRank {
		return nil
	}
	for _, n := range list {
		if n < 0 {
			return c.fail("OP3204", "a size is negative", "sizes of 0 or more", fmt.Sprint(list))
		}
	}
	c.set(0, Sizes(list...))
	return nil
}

// multinomial draws sample_size numbers for each row.
func multinomial(c *call) error {
	rows := Dynamic()
	if dims, ok := c.dims(0); ok && len(dims) == 2 {
		rows = dims[0]
	}
	c.setType(0, c.dtype("dtype", onnx.Int32), Of(rows, Static(max(c.int("sample_size", 1), 0))))
	return nil
}
