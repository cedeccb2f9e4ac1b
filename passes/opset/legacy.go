package opset

import (
	"errors"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Rules for versions up to 7.

func concat4(c *conversion) error {
	if c.n.Attr("axis") == nil {
		c.n.SetInt("axis", 1)
	}
	return nil
}

func lpPool2(c *conversion) error {
	a := c.n.Attr("p")
	if a == nil || a.Type != onnx.AttrFloat {
		return nil
	}
	if a.RefAttrName != "" || a.F != float32(int64(a.F)) {
		return errors.New("attribute p is no integer")
	}
	c.n.SetInt("p", int64(a.F))
	return nil
}

func pad2(c *conversion) error {
	a := c.n.Attr("paddings")
	if a == nil {
		return nil
	}
	if err := c.reference("paddings"); err != nil {
		return err
	}
	c.n.SetInts("pads", a.Ints)
	c.n.DropAttr("paddings")
	return nil
}

func split2(c *conversion) error {
	if c.n.In(1) != nil {
		return errors.New("the sizes are an input, which opsets 2 to 12 do not have")
	}
	return nil
}

func reshape5(c *conversion) error {
	if a := c.n.Attr("shape"); a != nil && a.RefAttrName == "" && len(a.Ints) == 0 {
		c.n.SetIn(1, c.ints("shape")) // to a scalar
		c.n.DropAttr("shape")
	} else if err := c.attrToInput("shape", 1); err != nil {
		return err
	}
	return drop("consumed_inputs")(c)
}

func cast6(c *conversion) error {
	a := c.n.Attr("to")
	if a == nil || a.Type != onnx.AttrString {
		return c.reference("to")
	}
	names := [...]string{onnx.Float: "FLOAT", onnx.Uint8: "UINT8", onnx.Int8: "INT8", onnx.Uint16: "UINT16",
		onnx.Int16: "INT16", onnx.Int32: "INT32", onnx.Int64: "INT64", onnx.Bool: "BOOL", onnx.Float16: "FLOAT16",
		onnx.Double: "DOUBLE", onnx.Uint32: "UINT32", onnx.Uint64: "UINT64"}
	to := slices.Index(names[:], strings.ToUpper(string(a.S)))
	if to <= 0 || len(a.S) == 0 {
		return errors.New("the element type " + string(a.S) + " is unknown")
	}
	c.n.SetInt("to", int64(to))
	return nil
}

func selu6(c *conversion) error {
	if c.n.Attr("alpha") == nil {
		c.n.SetFloat("alpha", 1.6732)
	}
	if c.n.Attr("gamma") == nil {
		c.n.SetFloat("gamma", 1.0507)
	}
	return drop("consumed_inputs")(c)
}

func tile6(c *conversion) error {
	if c.n.In(2) != nil {
		return errors.New("tiles along one axis given by inputs")
	}
	return nil
}

// broadcast7 drops the attribute broadcast. With an axis, the dimensions of B
// start at that axis of A; numpy aligns them on the right, so B gets
// dimensions of 1 behind its own.
func broadcast7(c *conversion) error {
	if err := c.reference("broadcast", "axis"); err != nil {
		return err
	}
	if axis := c.n.Attr("axis"); axis != nil && c.n.Int("broadcast", 0) != 0 {
		a, okA := shape(c.n.In(0))
		b, okB := shape(c.n.In(1))
		if !okA || !okB {
			return errors.New("broadcast along an axis of inputs whose rank is unknown")
		}
		at := axis.I
		if at < 0 {
			at += int64(len(a))
		}
		if err := c.alignRight(1, int64(len(a))-at-int64(len(b)), int64(len(b))); err != nil {
			return err
		}
	}
	_ = drop("broadcast")(c)
	return drop("axis")(c)
}

// alignRight appends count dimensions of 1 to input i, whose rank is given.
func (c *conversion) alignRight(i int, count, rank int64) error {
	if count < 0 {
		return errors.New("the axis of broadcasting is out of range")
	}
	if count == 0 {
		return nil
	}
	axes := make([]int64, count)
	for k := range axes {
		axes[k] = rank + int64(k)
	}
	u := c.before().OpN("Unsqueeze", "", c.hint("aligned"), 1, []*onnx.Attribute{{Name: "axes", Type: onnx.AttrInts, Ints: axes}}, c.n.In(i))
	in := c.n.In(i).Type()
	in.Shape.Dims = slices.Clone(in.Shape.Dims)
	for range count {
		in.Shape.Dims = append(in.Shape.Dims, graph.Dim{Value: 1})
	}
	u.Out(0).SetType(in)
	c.n.SetIn(i, u.Out(0))
	return nil
}

// prelu7: a slope of one value per channel belongs to dimension 1.
func prelu7(c *conversion) error {
	slope, ok := shape(c.n.In(1))
	if !ok {
		return errors.New("the rank of the slope is unknown")
	}
	if len(slope) != 1 || slope[0] == 1 {
		return nil
	}
	x, ok := shape(c.n.In(0))
	if !ok || len(x) < 2 {
		return errors.New("a slope per channel needs an input of known rank")
	}
	return c.alignRight(1, int64(len(x))-2, 1)
}

// upsample7: height_scale and width_scale become scales of all four dimensions.
func upsample7(c *conversion) error {
	if err := c.reference("height_scale", "width_scale"); err != nil {
		return err
	}
	if c.n.Attr("height_scale") == nil {
		return nil
	}
	c.n.SetFloats("scales", []float32{1, 1, c.n.Float("height_scale", 1), c.n.Float("width_scale", 1)})
	c.n.DropAttr("height_scale")
	c.n.DropAttr("width_scale")
	if c.n.String("mode", "nearest") == "bilinear" {
		c.n.SetString("mode", "linear")
	}
	return nil
}
