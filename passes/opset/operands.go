package opset

import (
	"errors"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Rules that turn attributes into inputs.

func slice10(c *conversion) error {
	for i, attr := range []string{"starts", "ends", "axes"} {
		if err := c.attrToInput(attr, i+1); err != nil {
			return err
		}
	}
	return nil
}

func topK10(c *conversion) error {
	if err := c.reference("k"); err != nil {
		return err
	}
	if k := c.n.Attr("k"); k != nil {
		c.n.SetIn(1, c.ints("k", k.I))
		c.n.DropAttr("k")
	}
	return nil
}

// pad11 writes the value only where it counts: with mode constant, when it is not 0.
func pad11(c *conversion) error {
	if err := c.reference("value", "mode"); err != nil {
		return err
	}
	if c.n.Attr("pads") == nil {
		return nil
	}
	var value *graph.Value
	if v := c.n.Float("value", 0); v != 0 && c.n.String("mode", "constant") == "constant" {
		var err error
		if value, err = c.scalar("value", c.n.In(0).Elem(), v); err != nil {
			return err
		}
	}
	if err := c.attrToInput("pads", 1); err != nil {
		return err
	}
	if value != nil {
		c.n.SetIn(2, value)
	}
	return drop("value")(c)
}

// clip11 leaves bounds out that the file leaves out. Their defaults were the
// largest float32 values, so infinities are no longer clipped to these.
func clip11(c *conversion) error {
	for i, attr := range []string{"min", "max"} {
		a := c.n.Attr(attr)
		if a == nil {
			continue
		}
		v, err := c.bound(a)
		if err != nil {
			return err
		}
		c.n.SetIn(i+1, v)
	}
	_ = drop("min")(c)
	return drop("max")(c)
}

func (c *conversion) bound(a *onnx.Attribute) (*graph.Value, error) {
	elem := c.n.In(0).Elem()
	if elem == onnx.Undefined {
		elem = c.n.Out(0).Elem()
	}
	if a.RefAttrName == "" {
		return c.scalar(a.Name, elem, a.F)
	}
	if elem != onnx.Float {
		return nil, fmt.Errorf("attribute %s is given by the callers of the function, and the input is not known to be float32", a.Name)
	}
	return c.forwarded(a, "value_float", onnx.AttrFloat)
}

// dropout10: the mask, of the input's type before, is bool.
func dropout10(c *conversion) error {
	mask := c.n.Out(1)
	if mask == nil {
		return nil
	}
	if mask.NumUses() == 0 {
		c.n.DropOut(1)
		return nil
	}
	elem := c.n.In(0).Elem()
	if elem == onnx.Undefined {
		return errors.New("the mask is used and the element type of the input is unknown")
	}
	was, name := mask.Type(), mask.Name()
	mask.Rename(name + "_bool")
	to := []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(elem)}}
	cast := c.after().OpN("Cast", "", name, 1, to, mask)
	mask.ReplaceUses(cast.Out(0), func(u graph.Use) bool { return u.Node != cast })
	was.Elem = elem
	cast.Out(0).SetType(was)
	was.Elem = onnx.Bool
	mask.SetType(was)
	return nil
}

// dropout12: at inference the ratio counts for nothing, but it is kept for readers.
func dropout12(c *conversion) error {
	a := c.n.Attr("ratio")
	switch {
	case a == nil:
		return nil
	case a.RefAttrName == "":
		v, err := c.scalar("ratio", onnx.Float, a.F)
		if err != nil {
			return err
		}
		c.n.SetIn(1, v)
	}
	c.n.DropAttr("ratio")
	return nil
}

// split18: without sizes the number of parts must be written.
func split18(c *conversion) error {
	if c.n.In(1) == nil && c.n.Attr("num_outputs") == nil {
		c.n.SetInt("num_outputs", int64(c.n.NumOut()))
	}
	return nil
}

// dft20: the default axis moved, so the axis is always written.
func dft20(c *conversion) error {
	if err := c.reference("axis"); err != nil {
		return err
	}
	c.n.SetIn(2, c.number("axis", c.n.Int("axis", 1)))
	return drop("axis")(c)
}

func gridSample20(c *conversion) error {
	if err := c.reference("mode"); err != nil {
		return err
	}
	switch c.n.String("mode", "") {
	case "bilinear":
		c.n.SetString("mode", "linear")
	case "bicubic":
		c.n.SetString("mode", "cubic")
	}
	return nil
}

func roiAlign16(c *conversion) error {
	if c.n.Attr("coordinate_transformation_mode") == nil {
		c.n.SetString("coordinate_transformation_mode", "output_half_pixel")
	}
	return nil
}

func scatter11(c *conversion) error {
	c.n.SetOp("ScatterElements", "")
	return nil
}

func scan9(*conversion) error {
	return errors.New("the body of a Scan of opset 8 sees a batch, that of later versions does not")
}
