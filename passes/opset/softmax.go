package opset

import (
	"errors"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// softmax13 converts Softmax, LogSoftmax and Hardmax. Before 13 the input was
// flattened to two dimensions at axis and the function taken over the second
// one. That is the function along one axis when all other dimensions behind
// axis are 1; otherwise the flattening is written out:
//
//	y = Softmax <axis = a> (x)
//
// becomes
//
//	s = Shape (x)
//	f = Flatten <axis = a> (x)
//	g = Softmax <axis = -1> (f)
//	y = Reshape (g, s)
func softmax13(c *conversion) error {
	if err := c.reference("axis"); err != nil {
		return err
	}
	axis := c.n.Int("axis", 1)
	dims, ranked := shape(c.n.In(0))
	switch rank := int64(len(dims)); {
	case !ranked && axis == -1:
		return nil
	case !ranked:
	case axis < -rank || axis >= rank:
		return errors.New("the axis is out of range")
	default:
		if along, ok := onlyAxis(dims, (axis+rank)%rank); ok {
			c.n.SetInt("axis", along)
			return nil
		}
	}
	c.flattened(axis)
	return nil
}

// onlyAxis is the one axis from start on whose size is not known to be 1.
func onlyAxis(dims []int64, start int64) (axis int64, ok bool) {
	axis = start
	found := 0
	for i := start; i < int64(len(dims)); i++ {
		if dims[i] != 1 {
			axis = i
			found++
		}
	}
	return axis, found <= 1
}

func (c *conversion) flattened(axis int64) {
	x := c.n.In(0)
	size := c.before().Op("Shape", c.hint("shape"), x).Out(0)
	at := []*onnx.Attribute{{Name: "axis", Type: onnx.AttrInt, I: axis}}
	flat := c.before().OpN("Flatten", "", c.hint("flat"), 1, at, x).Out(0)
	c.n.SetIn(0, flat)
	c.n.SetInt("axis", -1)
	c.behind("Reshape", "flat", nil, size)
	c.n.Out(0).SetType(graph.Type{Elem: x.Elem(), Shape: graph.Shape{Ranked: true, Dims: []graph.Dim{{Value: -1}, {Value: -1}}}})
}
