package opset

import (
	"errors"

	"github.com/onnxpass/onnxpass/graph"
)

// Upsample 7 becomes Upsample 9 (scales are an input), then Resize 10 (the
// name changes), then Resize 11, which has modes for what was implied.

func upsample9(c *conversion) error {
	if err := c.reference("scales"); err != nil {
		return err
	}
	if a := c.n.Attr("scales"); a != nil {
		c.n.SetIn(1, c.floats("scales", a.Floats...))
		c.n.DropAttr("scales")
	}
	return nil
}

func upsample10(c *conversion) error {
	c.n.SetOp("Resize", "")
	c.enlarges[c.n] = true
	return nil
}

// resize11 writes what Resize 10 implied: output pixel i is at i/scale of the
// input. Nearest neighbour rounds that down when it enlarges and up when it
// shrinks (the "simple" mode of OpenVINO and ONNX Runtime).
func resize11(c *conversion) error {
	if err := c.reference("mode"); err != nil {
		return err
	}
	scales := c.n.In(1)
	if c.n.String("mode", "nearest") == "nearest" {
		round, err := c.rounding(scales)
		if err != nil {
			return err
		}
		c.n.SetString("nearest_mode", round)
	}
	c.n.SetString("coordinate_transformation_mode", "asymmetric")
	c.n.SetIn(2, scales)
	c.n.SetIn(1, c.floats("roi")) // required until 13
	return nil
}

// maxRank bounds the number of scales that are looked at.
const maxRank = 64

// rounding is the nearest_mode for scales. Those of Upsample are at least 1.
func (c *conversion) rounding(scales *graph.Value) (string, error) {
	if c.enlarges[c.n] || grows(c.n) {
		return "floor", nil
	}
	var values []float32
	t := scales.Const()
	err := errors.New("not constant")
	if t != nil && len(t.Dims) == 1 && t.Dims[0] <= maxRank {
		values, err = t.Float32s()
	}
	if err != nil {
		return "", errors.New("nearest neighbour with computed scales: how to round depends on them")
	}
	var up, down bool
	for _, s := range values {
		up = up || s > 1
		down = down || s < 1
	}
	switch {
	case up && down:
		return "", errors.New("nearest neighbour that enlarges one dimension and shrinks another")
	case down:
		return "ceil", nil
	}
	return "floor", nil
}

// grows says whether all dimensions are known and none gets smaller. Sizes are
// rounded down, so then every scale is at least 1.
func grows(n *graph.Node) bool {
	in, okIn := shape(n.In(0))
	out, okOut := shape(n.Out(0))
	if !okIn || !okOut || len(in) != len(out) {
		return false
	}
	for i, size := range in {
		if size < 0 || out[i] < size {
			return false
		}
	}
	return true
}

// resize13 drops empty roi, scales and sizes, which may be absent now, and
// the coordinate mode that 13 does not have: nearest neighbour at
// v = (i + 0.5)/scale is half_pixel, which is at v - 0.5, with another rounding.
func resize13(c *conversion) error {
	if err := c.reference("coordinate_transformation_mode", "mode", "nearest_mode"); err != nil {
		return err
	}
	if c.n.String("coordinate_transformation_mode", "") == "tf_half_pixel_for_nn" {
		if err := c.halfPixel(); err != nil {
			return err
		}
	}
	for i := range 4 {
		if v := c.n.In(i); i > 0 && v != nil && empty(v) {
			c.replace(i, nil)
		}
	}
	return nil
}

func (c *conversion) halfPixel() error {
	round := map[string]string{"floor": "round_prefer_ceil", "round_prefer_floor": "ceil", "": "ceil"}
	mode, ok := round[c.n.String("nearest_mode", "")]
	if !ok || c.n.String("mode", "nearest") != "nearest" {
		return errors.New("tf_half_pixel_for_nn with this mode of rounding")
	}
	c.n.SetString("nearest_mode", mode)
	c.n.SetString("coordinate_transformation_mode", "half_pixel")
	return nil
}

// empty says whether v is a constant without elements.
func empty(v *graph.Value) bool {
	t := v.Const()
	return t != nil && len(t.Dims) == 1 && t.Dims[0] == 0
}
