package infer

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
)

// conv is Conv and its kin: the weight is input w, laid out [M, C/group, kernel...].
func conv(w int) rule {
	return func(c *call) error {
		x, weight, err := c.convOperands(w)
		if err != nil || weight == nil {
			return err
		}
		kernel := c.kernelOf(weight)
		if kernel == nil {
			return nil
		}
		out := dynamic(len(weight)).Dims
		out[1] = weight[0]
		if x != nil {
			out[0] = x[0]
			if err := c.checkChannels(x[1], weight[1]); err != nil {
				return err
			}
			win, err := c.window(kernel)
			if err != nil {
				return err
			}
			if win != nil {
				spatial, err := c.slide(win, x[2:])
				if err != nil {
					return err
				}
				copy(out[2:], spatial)
			}
		}
		c.set(0, Of(out...))
		return nil
	}
}

// convOperands returns the dimensions of the data and of the weight, each nil when
// unknown; a weight of unknown rank takes the rank of the data.
func (c *call) convOperands(w int) (x, weight []Dim, err error) {
	if err := c.wantRank(0, 3, maxRank); err != nil {
		return nil, nil, err
	}
	if err := c.wantRank(w, 3, maxRank); err != nil {
		return nil, nil, err
	}
	xs, ws := c.shape(0), c.shape(w)
	switch {
	case xs.Ranked && ws.Ranked && len(xs.Dims) != len(ws.Dims):
		return nil, nil, c.mismatch("input and weight differ in rank", xs, ws)
	case xs.Ranked && !ws.Ranked:
		ws = dynamic(len(xs.Dims))
	}
	return xs.Dims, ws.Dims, nil
}

// kernelOf is the kernel size: the attribute, or the spatial part of the weight.
func (c *call) kernelOf(weight []Dim) []Dim {
	list, given := c.list("kernel_shape")
	if !given {
		return weight[2:]
	}
	if len(list) != len(weight)-2 {
		return nil
	}
	kernel := make([]Dim, len(list))
	for i, n := range list {
		kernel[i] = Static(max(n, 0))
	}
	return kernel
}

func (c *call) checkChannels(channels, perGroup Dim) error {
	group := c.int("group", 1)
	want := mul(element(perGroup), Static(group))
	if group > 0 && channels.IsStatic() && want.IsStatic() && channels.Value != want.Value {
		return c.mismatch("channels do not fit the weight", fmt.Sprintf("%s channels (%s for each of %d groups)", want, perGroup, group), channels)
	}
	return nil
}

// convInteger accumulates in int32.
func convInteger(c *call) error {
	c.setElem(0, onnx.Int32)
	return conv(1)(c)
}

// convTranspose is ConvTranspose: the weight is laid out [C, M/group, kernel...].
//
//	size = stride * (d - 1) + output_padding + reach - pads
//
// with the attribute output_shape instead of it where given; auto_pad SAME makes d * stride.
func convTranspose(c *call) error {
	x, weight, err := c.convOperands(1)
	if err != nil || weight == nil {
		return err
	}
	kernel := c.kernelOf(weight)
	if kernel == nil {
		return nil
	}
	out := dynamic(len(weight)).Dims
	out[1] = size(mul(element(weight[1]), Static(c.int("group", 1))))
	if x != nil {
		out[0] = x[0]
		if x[1].IsStatic() && weight[0].IsStatic() && x[1].Value != weight[0].Value {
			return c.mismatch("channels do not fit the weight", weight[0], x[1])
		}
	}
	w, err := c.window(kernel)
	if err != nil {
		return err
	}
	if w != nil && x != nil {
		c.transposedSizes(w, x[2:], out[2:])
	}
	c.set(0, Of(out...))
	return nil
}

func (c *call) transposedSizes(w *window, spatial, out []Dim) {
	n := len(spatial)
	if shape, ok := c.list("output_shape"); ok {
		if len(shape) == n+2 {
			shape = shape[2:]
		}
		for i := range min(n, len(shape)) {
			out[i] = size(Static(max(shape[i], -1)))
		}
		return
	}
	extra := c.listOf("output_padding", n, 0)
	for i, d := range spatial {
		reach, ok := w.reach(i)
		if ok && len(extra) == n && within(extra[i]) {
			out[i] = w.transposed(i, d, reach, extra[i])
		}
	}
}

func (w *window) transposed(i int, d Dim, reach, extra int64) Dim {
	stride, pads := w.strides[i], w.pads[i]+w.pads[len(w.kernel)+i]
	switch w.auto {
	case "SAME_UPPER", "SAME_LOWER":
		if extra+reach < stride {
			return Dynamic() // pads would be negative: runtimes differ
		}
		return size(mul(element(d), Static(stride)))
	case "VALID":
		pads = 0
	}
	return size(add(mul(element(d), Static(stride)), Static(extra+reach-pads-stride)))
}

// col2im folds columns [N, C*blocks, L] back into an image.
func col2im(c *call) error {
	image, ok := smallContent(c.in(1))
	if !ok || image.ints == nil {
		return nil
	}
	out := []Dim{Dynamic(), Dynamic()}
	if dims, ok := c.dims(0); ok && len(dims) == 3 {
		out[0] = dims[0]
		if block, ok := c.ints(2); ok && dims[1].IsStatic() {
			cells := Static(1)
			for _, n := range block {
				cells = mul(cells, Static(n))
			}
			if cells.IsStatic() && cells.Value > 0 && dims[1].Value%cells.Value == 0 {
				out[1] = Static(dims[1].Value / cells.Value)
			}
		}
	}
	for _, e := range image.ints {
		out = append(out, size(e))
	}
	if len(out) <= maxRank {
		c.set(0, Of(out...))
	}
	return nil
}
