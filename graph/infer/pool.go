package infer

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// pool is MaxPool, AveragePool and LpPool.
func pool(c *call) error {
	if err := c.wantRank(0, 3, maxRank); err != nil {
		return err
	}
	dims, ok := c.dims(0)
	list, given := c.list("kernel_shape")
	if !ok || !given {
		if ok {
			c.set(0, Of(append(slices.Clone(dims[:2]), dynamic(len(dims)-2).Dims...)...))
		} else if given && len(list) <= maxRank {
			c.set(0, dynamic(len(list)+2))
		}
		return nil
	}
	if len(list) != len(dims)-2 {
		return c.mismatch("kernel_shape does not fit the input", dims[2:], list)
	}
	w, err := c.window(c.kernelOf(dims))
	if err != nil {
		return err
	}
	out := dynamic(len(dims)).Dims
	copy(out, dims[:2])
	if w != nil {
		w.pool = true
		spatial, err := c.slide(w, dims[2:])
		if err != nil {
			return err
		}
		copy(out[2:], spatial)
	}
	c.set(0, Of(out...))
	if c.Op.Type == "MaxPool" {
		c.setType(1, onnx.Int64, Of(out...))
	}
	return nil
}

// globalPool leaves spatial axes of size one.
func globalPool(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	out := slices.Clone(dims)
	for i := 2; i < len(out); i++ {
		out[i] = Static(1)
	}
	c.set(0, Of(out...))
	return nil
}

// maxUnpool inverts MaxPool: a third input gives the shape outright.
func maxUnpool(c *call) error {
	if c.has(2) {
		s, err := c.shapeFrom(2)
		if err != nil {
			return err
		}
		c.set(0, s)
		return nil
	}
	dims, ok := c.dims(0)
	list, given := c.list("kernel_shape")
	if !ok || !given || len(list) != len(dims)-2 {
		return nil
	}
	w, err := c.window(c.kernelOf(dims))
	if err != nil || w == nil {
		return err
	}
	out := slices.Clone(dims)
	for i, d := range dims[2:] {
		out[2+i] = Dynamic()
		if reach, ok := w.reach(i); ok {
			out[2+i] = w.transposed(i, d, reach, 0)
		}
	}
	c.set(0, Of(out...))
	return nil
}

// roiPool is MaxRoiPool: one pooled map for each region.
func roiPool(c *call) error {
	list, _ := c.list("pooled_shape")
	if len(list) != 2 {
		return nil
	}
	return c.regions(1, Static(list[0]), Static(list[1]))
}

// roiAlign samples a fixed grid for each region.
func roiAlign(c *call) error {
	return c.regions(2, Static(c.int("output_height", 1)), Static(c.int("output_width", 1)))
}

// regions sets [regions, channels, height, width]; the number of regions is the length of input i.
func (c *call) regions(i int, height, width Dim) error {
	out := []Dim{Dynamic(), Dynamic(), size(height), size(width)}
	if dims, ok := c.dims(i); ok && len(dims) > 0 {
		out[0] = dims[0]
	}
	if dims, ok := c.dims(0); ok && len(dims) == 4 {
		out[1] = dims[1]
	}
	c.set(0, Of(out...))
	return nil
}
