package infer

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// upsample multiplies axes by scales: attributes before opset 9, an input then.
func upsample(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	var scales []float64
	switch {
	case c.Version >= 9:
		x, _ := contentOf(c.in(1))
		scales = x.floats
	case c.Version >= 7:
		if a := c.attr("scales", onnx.AttrFloats); a != nil {
			scales = widened(a.Floats)
		}
	default:
		h, w := c.attr("height_scale", onnx.AttrFloat), c.attr("width_scale", onnx.AttrFloat)
		if h != nil && w != nil {
			scales = widened([]float32{1, 1, h.F, w.F})
		}
	}
	return c.scaled(dims, scales, nil)
}

func widened(list []float32) []float64 {
	out := make([]float64, len(list))
	for i, f := range list {
		out[i] = float64(f)
	}
	return out
}

// resize is Resize: scales or sizes, from opset 18 on for chosen axes.
func resize(c *call) error {
	dims, ok := c.dims(0)
	if !ok {
		return nil
	}
	axes, ok, err := c.resizeAxes(len(dims))
	if err != nil {
		return err
	}
	if !ok {
		c.set(0, dynamic(len(dims)))
		return nil
	}
	if c.Version < 11 {
		x, _ := contentOf(c.in(1))
		return c.scaled(dims, x.floats, nil)
	}
	if c.has(3) {
		return c.resizeTo(dims, axes)
	}
	x, _ := contentOf(c.in(2))
	if c.str("coordinate_transformation_mode", "") == "tf_crop_and_resize" {
		x.floats = nil // the specification multiplies by the size of the crop, runtimes do not
	}
	if len(axes) == 0 {
		axes = nil
	}
	return c.scaled(dims, x.floats, axes)
}

// resizeAxes are the axes that scales and sizes talk of, nil for all.
func (c *call) resizeAxes(rank int) ([]int, bool, error) {
	list, ok := c.list("axes")
	if !ok || c.Version < 18 {
		return nil, true, nil
	}
	axes, err := c.axes(list, rank)
	negative := len(list) > 0 && slices.Min(list) < 0 // ONNX Runtime skips such axes
	return axes, !negative, err
}

// scaled multiplies sizes by scales, in single precision as runtimes do.
func (c *call) scaled(dims []Dim, scales []float64, axes []int) error {
	out := slices.Clone(dims)
	for i := range out {
		if axes == nil || slices.Contains(axes, i) {
			out[i] = Dynamic()
		}
	}
	c.set(0, Of(out...))
	n := len(dims)
	if axes != nil {
		n = len(axes)
	}
	if len(scales) == 0 {
		return nil
	}
	if len(scales) != n {
		return c.mismatch("scales do not fit the input", fmt.Sprintf("%d scales", n), len(scales))
	}
	for i, f := range scales {
		a := i
		if axes != nil {
			a = axes[i]
		}
		out[a] = scaledDim(dims[a], f)
	}
	return nil
}

func scaledDim(d Dim, scale float64) Dim {
	switch {
	case scale == 1:
		return d
	case !d.IsStatic():
		return scaledSymbol(d, scale)
	}
	f := float32(d.Value) * float32(scale)
	if !(f >= 0 && f < 1<<31) {
		return Dynamic()
	}
	return Static(int64(math.Floor(float64(f))))
}

// scaledSymbol follows the scales that are exact in single precision: whole numbers and
// their reciprocals that are powers of two.
func scaledSymbol(d Dim, scale float64) Dim {
	if n := math.Round(scale); n == scale && n > 0 && n <= 1024 {
		return size(mul(element(d), Static(int64(n))))
	}
	if n := 1 / scale; n == 2 || n == 4 || n == 8 || n == 16 {
		return size(divDown(element(d), int64(n)))
	}
	return Dynamic()
}

// resizeTo takes the sizes from input 3, with the aspect ratio kept where asked.
func (c *call) resizeTo(dims []Dim, axes []int) error {
	x, ok := smallContent(c.in(3))
	if !ok || x.ints == nil {
		c.set(0, dynamic(len(dims)))
		return nil
	}
	if axes == nil {
		axes = make([]int, len(dims))
		for i := range axes {
			axes[i] = i
		}
	}
	if len(x.ints) != len(axes) {
		return c.mismatch("sizes do not fit the input", fmt.Sprintf("%d sizes", len(axes)), len(x.ints))
	}
	out := slices.Clone(dims)
	for i, a := range axes {
		out[a] = size(x.ints[i])
	}
	if policy := c.str("keep_aspect_ratio_policy", "stretch"); policy != "stretch" && c.Version >= 18 {
		keepRatio(dims, out, axes, policy == "not_larger")
	}
	c.set(0, Of(out...))
	return nil
}

// keepRatio scales all axes by the least (or greatest) of the factors that the sizes ask for.
func keepRatio(dims, out []Dim, axes []int, least bool) {
	scale, known := float32(0), true
	for i, a := range axes {
		if !dims[a].IsStatic() || !out[a].IsStatic() || dims[a].Value == 0 {
			known = false
			break
		}
		f := float32(out[a].Value) / float32(dims[a].Value)
		if i == 0 || least && f < scale || !least && f > scale {
			scale = f
		}
	}
	for _, a := range axes {
		if !known {
			out[a] = Dynamic()
			continue
		}
		f := float64(scale * float32(dims[a].Value))
		if out[a] = Static(int64(math.Round(f))); math.Abs(f-math.Floor(f)-0.5) < 1e-3 || f >= 1<<31 {
			out[a] = Dynamic() // runtimes round halves differently
		}
	}
}
