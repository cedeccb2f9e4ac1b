package infer

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// cast converts a content to another element type.
func cast(c *call) error {
	var to onnx.DataType
	if c.Version < 6 {
		to = elemNamed(c.str("to", ""))
	} else {
		to = c.dtype("to", onnx.Undefined)
	}
	return c.castTo(to)
}

func castLike(c *call) error { return c.castTo(c.elem(1)) }

func (c *call) castTo(to onnx.DataType) error {
	c.setType(0, to, c.shape(0))
	if !c.has(0) || !small(c.In[0]) || !tracksInts(to) && !tracksFloats(to) {
		return nil
	}
	if x, ok := contentOf(c.in(0)); ok {
		c.setContent(0, x.converted(c.elem(0), to))
	}
	return nil
}

func (x content) converted(from, to onnx.DataType) content {
	y := content{dims: x.dims}
	if tracksFloats(to) {
		y.floats = make([]float64, x.len())
		for i := range y.floats {
			if x.floats != nil {
				y.floats[i] = x.floats[i]
			} else {
				y.floats[i] = realElement(x.ints[i])
			}
		}
		return y.narrowed(to)
	}
	y.ints = make([]Dim, x.len())
	for i := range y.ints {
		switch {
		case x.floats != nil:
			y.ints[i] = truncated(x.floats[i], to)
		case to == onnx.Bool:
			y.ints[i] = boolean(x.ints[i])
		default:
			y.ints[i] = x.ints[i]
		}
	}
	return y.narrowed(to)
}

func realElement(e Dim) float64 {
	if !number(e) {
		return math.NaN()
	}
	return float64(e.Value)
}

// truncated converts a float as C does; what does not fit the target is unknown.
func truncated(f float64, to onnx.DataType) Dim {
	switch {
	case math.IsNaN(f) || math.Abs(f) >= 1<<62:
		return Dynamic()
	case to == onnx.Bool:
		return truth(f != 0)
	}
	return Static(int64(f))
}

func boolean(e Dim) Dim {
	if !number(e) {
		return Dynamic()
	}
	return truth(e.Value != 0)
}

// elemNamed reads the type names of Cast-1: "FLOAT", "INT64".
func elemNamed(s string) onnx.DataType {
	for t := onnx.Undefined + 1; t <= onnx.Complex128; t++ {
		if s == upperNames[t] {
			return t
		}
	}
	return onnx.Undefined
}

var upperNames = [...]string{"", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL",
	"FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"}

// bitCast keeps the shape for types of equal width.
func bitCast(c *call) error {
	c.setType(0, c.dtype("to", onnx.Undefined), c.shape(0))
	return nil
}
