package infer

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// quantizeLinear: the type is that of the zero point, or an attribute, or uint8.
func quantizeLinear(c *call) error {
	t := onnx.Uint8
	if d := c.dtype("output_dtype", onnx.Undefined); d != onnx.Undefined {
		t = d
	}
	if c.has(2) {
		t = c.elem(2)
	}
	c.setType(0, t, c.shape(0))
	return nil
}

// dequantizeLinear: the type is that of the scale, or an attribute.
func dequantizeLinear(c *call) error {
	t := c.elem(1)
	if d := c.dtype("output_dtype", onnx.Undefined); d != onnx.Undefined {
		t = d
	}
	c.setType(0, t, c.shape(0))
	return nil
}

// dynamicQuantize: quantized input, scale and zero point.
func dynamicQuantize(c *call) error {
	c.setType(0, onnx.Uint8, c.shape(0))
	c.setType(1, onnx.Float, Of())
	c.setType(2, onnx.Uint8, Of())
	return nil
}

// qlinearConv has x, scale, zero point, w, scale, zero point, y scale, y zero point.
func qlinearConv(c *call) error {
	c.setElem(0, c.elem(7))
	if c.flag("channels_last", false) {
		return nil
	}
	return conv(3)(c)
}

// qlinearMatmul has a, scale, zero point, b, scale, zero point, y scale, y zero point.
func qlinearMatmul(c *call) error {
	c.setElem(0, c.elem(7))
	return matmul(0, 3)(c)
}

// qlinearBinary is QLinearAdd and QLinearMul of com.microsoft: operands 0 and 3 broadcast.
func qlinearBinary(c *call) error {
	s, ok := broadcast(c.shape(0), c.shape(3))
	if !ok {
		return c.mismatch("shapes do not broadcast", c.shape(0), c.shape(3))
	}
	c.setType(0, c.elem(0), s)
	return nil
}

// qlinearPool is QLinearGlobalAveragePool and QLinearAveragePool of com.microsoft.
func qlinearPool(of rule) rule {
	return func(c *call) error {
		c.setElem(0, c.elem(0))
		if c.flag("channels_last", false) {
			return nil
		}
		return of(c)
	}
}

// qlinearConcat of com.microsoft: output scale and zero point, then triples of tensor, scale, zero point.
func qlinearConcat(c *call) error {
	c.setElem(0, c.elem(1))
	var parts []*Value
	for i := 2; i < len(c.In); i += 3 {
		parts = append(parts, &Value{Type: c.in(i).Type})
	}
	inner := *c.Op
	inner.In, inner.Version = parts, 13
	sub := &call{Op: &inner, out: make([]Value, 1)}
	if err := concat(sub); err != nil {
		return err
	}
	c.set(0, sub.out[0].Shape)
	return nil
}

// nbitsMatmul is MatMulNBits of com.microsoft: [..., K] times a packed [K, N].
func nbitsMatmul(c *call) error {
	c.setElem(0, c.elem(0))
	dims, ok := c.dims(0)
	if !ok || len(dims) == 0 {
		return nil
	}
	out := slices.Clone(dims)
	if k := c.int("K", -1); k >= 0 && out[len(out)-1].IsStatic() && out[len(out)-1].Value != k {
		return c.mismatch("inner dimensions of the product differ", k, c.shape(0))
	}
	out[len(out)-1] = size(Dim{Value: c.int("N", -1)})
	c.set(0, Of(out...))
	return nil
}
