package infer

import (
	"fmt"
	"slices"
)

// window holds the attributes of sliding windows (convolution, pooling), one
// entry for each spatial axis.
type window struct {
	kernel             []Dim
	strides, dilations []int64
	pads               []int64 // begins, then ends
	auto               string  // attribute auto_pad
	pool, ceil         bool
}

// window reads the attributes for a number of spatial axes. It is nil when a list
// does not fit that number (nothing can be said then).
func (c *call) window(kernel []Dim) (*window, error) {
	n := len(kernel)
	w := &window{kernel: kernel, auto: c.str("auto_pad", "NOTSET"), ceil: c.flag("ceil_mode", false)}
	w.strides, w.dilations, w.pads = c.listOf("strides", n, 1), c.listOf("dilations", n, 1), c.listOf("pads", 2*n, 0)
	if len(w.strides) != n || len(w.dilations) != n || len(w.pads) != 2*n {
		return nil, c.fail("OP3204", "strides, dilations or pads do not fit the number of spatial axes", fmt.Sprintf("%d, %d and %d entries", n, n, 2*n),
			fmt.Sprintf("%d, %d and %d", len(w.strides), len(w.dilations), len(w.pads)))
	}
	for i := range n {
		if w.strides[i] <= 0 || w.dilations[i] <= 0 || w.kernel[i].IsStatic() && w.kernel[i].Value == 0 {
			return nil, c.fail("OP3204", "a kernel size, stride or dilation is not positive", "numbers above 0", fmt.Sprintf("kernel %v, strides %v, dilations %v", kernel, w.strides, w.dilations))
		}
		if !within(w.strides[i], w.dilations[i], w.pads[i], w.pads[n+i]) || w.kernel[i].IsStatic() && !within(w.kernel[i].Value*1) {
			return nil, nil
		}
	}
	return w, nil
}

// listOf reads a list attribute, or n times its default.
func (c *call) listOf(name string, n int, def int64) []int64 {
	if list, ok := c.list(name); ok && len(list) > 0 {
		return list
	}
	return slices.Repeat([]int64{def}, n)
}

// reach is the extent of the dilated kernel along axis i.
func (w *window) reach(i int) (int64, bool) {
	if !w.kernel[i].IsStatic() {
		return 0, false
	}
	r := mul(Static(w.kernel[i].Value-1), Static(w.dilations[i]))
	return r.Value + 1, number(r) && within(r.Value)
}

// size is the number of window positions along axis i of an input of size d. Symbolic
// sizes are taken to be large enough for the kernel; a known one that is not is an error
// of a convolution (false), and unknown for pooling, where runtimes differ.
//
//	NOTSET: floor((d + pads - reach) / stride) + 1, or ceil with ceil_mode, where a last
//	        window that starts in the padding behind the input does not count;
//	SAME:   ceil(d / stride);  VALID: NOTSET without pads.
func (w *window) size(i int, d Dim) (Dim, bool) {
	stride := w.strides[i]
	if w.auto == "SAME_UPPER" || w.auto == "SAME_LOWER" {
		switch {
		case w.pool && w.dilations[i] > 1:
			return Dynamic(), true // ONNX Runtime leaves the dilation out of the pads
		case stride == 1:
			return d, true
		case d.IsStatic():
			return Static(ceilDiv(d.Value, stride)), true
		}
		return size(divDown(add(element(d), Static(stride-1)), stride)), true
	}
	begin, end := w.pads[i], w.pads[len(w.kernel)+i]
	if w.auto == "VALID" {
		begin, end = 0, 0
	}
	reach, ok := w.reach(i)
	switch {
	case !ok:
		return Dynamic(), true
	case !d.IsStatic() && stride == 1 && begin+end == reach-1:
		return d, true
	case d.IsStatic() && !within(d.Value) || !d.IsStatic() && w.ceil && stride > 1:
		return Dynamic(), true
	case !d.IsStatic():
		return size(add(divDown(add(element(d), Static(begin+end-reach)), stride), Static(1))), true
	}
	return w.positions(d.Value, stride, reach, begin, end)
}

func (w *window) positions(d, stride, reach, begin, end int64) (Dim, bool) {
	room := d + begin + end - reach
	if room < 0 {
		return Dynamic(), d == 0 || w.pool // some runtimes pool to nothing
	}
	n := room/stride + 1
	if w.ceil {
		n = ceilDiv(room, stride) + 1
		if (n-1)*stride >= d+begin {
			n--
		}
	}
	return Static(n), true
}

// slide applies the window to the spatial axes of input i; the error names the axis
// that is too small for the kernel.
func (c *call) slide(w *window, spatial []Dim) ([]Dim, error) {
	out := make([]Dim, len(spatial))
	for i, d := range spatial {
		var ok bool
		if out[i], ok = w.size(i, d); !ok {
			reach, _ := w.reach(i)
			return nil, c.mismatch("the kernel is larger than the padded input", fmt.Sprintf("at least %d along spatial axis %d", reach, i),
				fmt.Sprintf("%s with pads %v", d, w.pads))
		}
	}
	return out, nil
}
