package layerwise

import (
	"errors"
	"fmt"
)

// view is how the windows of a layer lie in an input of one shape.
type view struct {
	layer     *Layer
	channels  int    // of the input; the columns of a product of matrices
	axes      []axis // by dimension in space; nil for products of matrices
	in, out   int    // elements of one channel of the input, and of the output
	positions int    // of all items of the batch
}

// axis is one dimension in space of a convolution.
type axis struct {
	in, out, taps         int
	stride, dilation, pad int  // of the pads, that in front
	turned                bool // a transposed convolution
}

// errAmbiguous is returned for pads that no two readers of the standard place alike.
var errAmbiguous = errors.New("the pads of a transposed convolution are not known")

// newView places the windows of a layer in an input of shape x, with an output of shape y.
func newView(l *Layer, x, y []int64) (*view, error) {
	v := &view{layer: l}
	if !l.conv {
		v.channels, v.positions = l.Cols, int(product(y))/l.Rows
		if product(x) != int64(v.positions*l.Cols) {
			return nil, fmt.Errorf("an input of shape %v for an output of shape %v", x, y)
		}
		return v, nil
	}
	d := l.Dims()
	v.channels = l.Groups * l.Cols / l.taps()
	if len(x) != d+2 || len(y) != d+2 || x[0] != y[0] || x[1] != int64(v.channels) || y[1] != int64(l.Channels()) {
		return nil, fmt.Errorf("an input of shape %v for an output of shape %v", x, y)
	}
	v.in, v.out = int(product(x[2:])), int(product(y[2:]))
	v.positions = int(y[0]) * v.out
	v.axes = make([]axis, d)
	strides, dilations := spread(l.Node.Ints("strides", nil), d, 1), spread(l.Node.Ints("dilations", nil), d, 1)
	for k := range v.axes {
		a := axis{in: int(x[k+2]), out: int(y[k+2]), taps: int(l.dims[k+2]), stride: int(strides[k]), dilation: int(dilations[k]), turned: l.turns}
		if err := a.place(l, k); err != nil {
			return nil, err
		}
		v.axes[k] = a
	}
	return v, nil
}

// place finds the pad in front of dimension k.
func (a *axis) place(l *Layer, k int) error {
	auto := l.Node.String("auto_pad", "NOTSET")
	switch shape := l.Node.Ints("output_shape", nil); {
	case auto == "VALID" && shape == nil:
		return nil
	case auto == "NOTSET" && shape == nil:
		a.pad = int(spread(l.Node.Ints("pads", nil), 2*l.Dims(), 0)[k])
		return nil
	}
	reach := (a.taps-1)*a.dilation + 1
	if a.turned {
		extra := int(spread(l.Node.Ints("output_padding", nil), l.Dims(), 0)[k])
		all := a.stride*(a.in-1) + extra + reach - a.out
		if all < 0 || all%2 != 0 {
			return errAmbiguous
		}
		a.pad = all / 2
		return nil
	}
	all := max((a.out-1)*a.stride+reach-a.in, 0)
	a.pad = all / 2
	if auto == "SAME_LOWER" {
		a.pad = all - all/2
	}
	return nil
}

// at is the element of the input that a tap reads for position o of the output; -1 for padding.
func (a axis) at(tap, o int) int {
	i := o*a.stride + tap*a.dilation - a.pad
	if a.turned {
		n := o + a.pad - tap*a.dilation
		if i = n / a.stride; n%a.stride != 0 {
			return -1
		}
	}
	if i < 0 || i >= a.in {
		return -1
	}
	return i
}

// used are the elements of the input that a tap reads for all positions: count of them from first on, step apart.
func (a axis) used(tap int) (first, step, count int) {
	shift := tap*a.dilation - a.pad // of position or element 0
	if a.turned {
		first = max(0, ceil(-shift, a.stride))
		return first, 1, max(0, min(a.in, ceil(a.out-shift, a.stride))-first)
	}
	from := max(0, ceil(-shift, a.stride))
	to := min(a.out, ceil(a.in-shift, a.stride))
	return from*a.stride + shift, a.stride, max(0, to-from)
}

// ceil is a/b rounded up, for b > 0.
func ceil(a, b int) int {
	if a > 0 {
		return (a + b - 1) / b
	}
	return -(-a / b)
}

// offsets are, for each tap and some positions, the element of an input channel of
// the first item that the tap reads there, with the distance to the position's own item added; -1 for padding.
func (v *view) offsets(at []int32) [][]int32 {
	if v.axes == nil {
		return nil
	}
	taps := v.layer.taps()
	out := make([][]int32, taps)
	cells := make([]int32, taps*len(at))
	for t := range out {
		out[t] = cells[t*len(at) : (t+1)*len(at)]
	}
	tap, where := make([]int, len(v.axes)), make([]int, len(v.axes))
	for j, p := range at {
		item, rest := int(p)/v.out, int(p)%v.out
		for k := len(v.axes) - 1; k >= 0; k-- {
			where[k] = rest % v.axes[k].out
			rest /= v.axes[k].out
		}
		for t := range out {
			out[t][j] = v.offset(t, tap, where, item*v.channels*v.in)
		}
	}
	return out
}

// offset is that of tap t, at the position of which where holds the coordinates; tap is scratch.
func (v *view) offset(t int, tap, where []int, item int) int32 {
	for k := len(v.axes) - 1; k >= 0; k-- {
		tap[k] = t % v.axes[k].taps
		t /= v.axes[k].taps
	}
	at := 0
	for k, a := range v.axes {
		i := a.at(tap[k], where[k])
		if i < 0 {
			return -1
		}
		at = at*a.in + i
	}
	return int32(item + at)
}
