package infer

import (
	"fmt"
	"slices"
)

// pad adds to both ends of axes; negative pads cut.
func pad(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	pads, axes, ok, err := c.padOperands(len(dims))
	if err != nil {
		return err
	}
	if !ok {
		c.set(0, dynamic(len(dims)))
		return nil
	}
	if len(pads) != 2*len(axes) {
		return c.mismatch("pads do not fit the input", fmt.Sprintf("%d pads", 2*len(axes)), len(pads))
	}
	out := slices.Clone(dims)
	for i, a := range axes {
		out[a] = size(add(add(element(dims[a]), pads[i]), pads[len(axes)+i]))
	}
	c.set(0, Of(out...))
	return nil
}

func (c *call) padOperands(rank int) (pads []Dim, axes []int, ok bool, err error) {
	axes = make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if c.Version < 11 {
		name := "pads"
		if c.Version < 2 {
			name = "paddings"
		}
		list, ok := c.list(name)
		for _, n := range list {
			pads = append(pads, Static(n))
		}
		return pads, axes, ok, nil
	}
	x, ok := smallContent(c.in(1))
	if c.Version >= 18 && c.has(3) {
		list, known := c.ints(3)
		if !known {
			return nil, nil, false, nil
		}
		axes, err = c.axes(list, rank)
	}
	return x.ints, axes, ok && x.ints != nil, err
}

// centerCropPad crops or pads axes to the given sizes.
func centerCropPad(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	list, given := c.list("axes")
	if !given {
		for i := range dims {
			list = append(list, int64(i))
		}
	}
	axes, err := c.axes(list, len(dims))
	if err != nil {
		return err
	}
	sizes, ok := smallContent(c.in(1))
	out := slices.Clone(dims)
	for i, a := range axes {
		out[a] = Dynamic()
		if ok && i < len(sizes.ints) {
			out[a] = size(sizes.ints[i])
		}
	}
	c.set(0, Of(out...))
	return nil
}
