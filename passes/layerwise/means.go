package layerwise

import (
	"fmt"

	"github.com/onnxpass/onnxpass/calib"
)

// MeanWindows are the means over all positions of what a layer's windows hold
// [Groups, Cols], with the zeros of padding, for an input x. They are nil when x is not finite.
func MeanWindows(l *Layer, x calib.Array) ([]float64, error) {
	y, err := l.output(x.Shape)
	if err != nil {
		return nil, err
	}
	v, err := newView(l, x.Shape, y)
	if err != nil {
		return nil, err
	}
	f, err := x.Float32s(new([]float32))
	if err != nil || v.positions == 0 {
		return nil, err
	}
	means := v.sums(&Input{Shape: x.Shape, floats: f})
	for i := range means {
		if means[i] /= float64(v.positions); means[i]-means[i] != 0 {
			return nil, nil
		}
	}
	return means, nil
}

// output is the shape that the layer makes of an input of shape x.
func (l *Layer) output(x []int64) ([]int64, error) {
	if !l.conv {
		if len(x) == 0 || x[len(x)-1] != int64(l.Cols) {
			return nil, fmt.Errorf("an input of shape %v for a product with %d rows", x, l.Cols)
		}
		y := append([]int64(nil), x...)
		y[len(y)-1] = int64(l.Rows)
		return y, nil
	}
	d := l.Dims()
	if len(x) != d+2 {
		return nil, fmt.Errorf("an input of shape %v for a convolution over %d dimensions", x, d)
	}
	y := []int64{x[0], int64(l.Channels())}
	n := l.Node
	strides, dilations, pads := spread(n.Ints("strides", nil), d, 1), spread(n.Ints("dilations", nil), d, 1), spread(n.Ints("pads", nil), 2*d, 0)
	extra, given := spread(n.Ints("output_padding", nil), d, 0), n.Ints("output_shape", nil)
	auto := n.String("auto_pad", "NOTSET")
	for k := range d {
		reach, all := (l.dims[k+2]-1)*dilations[k]+1, pads[k]+pads[d+k]
		if auto != "NOTSET" {
			all = 0
		}
		same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
		switch {
		case l.turns && len(given) >= d:
			y = append(y, given[len(given)-d+k])
		case l.turns && same:
			y = append(y, x[k+2]*strides[k])
		case l.turns:
			y = append(y, strides[k]*(x[k+2]-1)+extra[k]+reach-all)
		case same:
			y = append(y, (x[k+2]+strides[k]-1)/strides[k])
		default:
			y = append(y, max((x[k+2]+all-reach)/strides[k]+1, 0))
		}
	}
	return y, nil
}
