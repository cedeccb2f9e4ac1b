package infer

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// unary is the rule of operators whose first output has the shape of the first
// input (the type follows from the table where the type constraint says so).
func unary(c *call) error {
	c.set(0, c.shape(0))
	return nil
}

// same is unary for operators that the table does not know: the type is kept as well.
func same(c *call) error {
	c.setType(0, c.elem(0), c.shape(0))
	return nil
}

// identity hands everything on.
func identity(c *call) error {
	c.copy(0, 0)
	return nil
}

// dropout hands the first input on in inference; in training mode the content changes.
func dropout(c *call) error {
	c.set(0, c.shape(0))
	c.set(1, c.shape(0))
	return nil
}

// legacyBroadcast are the versions from which on operators broadcast all operands
// against each other; before, the result has the shape of the first operand.
var legacyBroadcast = map[string]int64{
	"Add": 7, "Sub": 7, "Mul": 7, "Div": 7, "Pow": 7, "And": 7, "Or": 7, "Xor": 7, "Equal": 7, "Greater": 7, "Less": 7,
	"Max": 8, "Min": 8, "Sum": 8, "Mean": 8,
}

// broadcasting is the rule of n-ary element-wise operators.
func broadcasting(c *call) error {
	if c.Domain == "" || c.Domain == "ai.onnx" {
		if since := legacyBroadcast[c.Op.Type]; c.Version < since {
			c.set(0, c.shape(0))
			return nil
		}
	}
	return c.broadcastInputs(0, len(c.In))
}

// broadcastInputs sets output 0 to the broadcast shape of inputs from..to-1.
func (c *call) broadcastInputs(from, to int) error {
	if to <= from {
		return nil
	}
	out := c.shape(from)
	for i := from + 1; i < to; i++ {
		s, ok := broadcast(out, c.shape(i))
		if !ok {
			return c.mismatch("shapes do not broadcast", out, c.shape(i))
		}
		out = s
	}
	c.set(0, out)
	return nil
}

// pairwise is the rule of operators on two operands that are followed element by
// element: of gives integers, real gives floats (NaN: unknown); either may be nil.
func pairwise(of func(a, b Dim) Dim, real func(a, b float64) float64) rule {
	return func(c *call) error {
		if err := broadcasting(c); err != nil {
			return err
		}
		if c.Version < legacyBroadcast[c.Op.Type] {
			return nil
		}
		for i := range c.In {
			if !c.has(i) || !small(c.In[i]) {
				return nil
			}
		}
		c.fold(of, real)
		return nil
	}
}

// small tells whether a value may have a tracked content; it is cheap.
func small(v *Value) bool {
	return v.Const != nil && count(v.Const.Dims) >= 0 || v.Ints != nil || v.Floats != nil
}

// fold computes the content of output 0 from those of all inputs.
func (c *call) fold(of func(a, b Dim) Dim, real func(a, b float64) float64) {
	dims, ok := c.out[0].Shape.Static()
	if !ok || len(c.In) == 0 {
		return
	}
	var acc content
	for i, v := range c.In {
		x, ok := contentOf(v)
		if ok {
			x, ok = x.spread(dims)
		}
		if !ok || x.ints != nil && (of == nil || !tracksInts(v.Elem)) || x.floats != nil && real == nil {
			return
		}
		if i == 0 {
			acc = x
			continue
		}
		acc = acc.combine(x, of, real)
	}
	c.setContent(0, acc.narrowed(c.elem(0)))
}

// combine applies a function to each pair of elements.
func (x content) combine(y content, of func(a, b Dim) Dim, real func(a, b float64) float64) content {
	z := content{dims: x.dims}
	switch {
	case x.ints != nil && y.ints != nil:
		z.ints = make([]Dim, len(x.ints))
		for i := range z.ints {
			z.ints[i] = of(x.ints[i], y.ints[i])
		}
	case x.floats != nil && y.floats != nil:
		z.floats = make([]float64, len(x.floats))
		for i := range z.floats {
			z.floats[i] = real(x.floats[i], y.floats[i])
		}
	}
	return z
}

// narrowed rounds elements to the type that holds them; an integer that does not fit is unknown.
func (x content) narrowed(t onnx.DataType) content {
	for i, e := range x.ints {
		if t == onnx.Int32 && number(e) && int64(int32(e.Value)) != e.Value {
			x.ints[i] = Dynamic()
		}
	}
	if t == onnx.Float {
		for i, f := range x.floats {
			x.floats[i] = float64(float32(f))
		}
	}
	return x
}

// compare is the rule of comparisons: the content of the output is 0 and 1.
func compare(of func(a, b Dim) Dim) rule { return pairwise(of, nil) }

// truth makes an element of a Boolean content.
func truth(b bool) Dim {
	if b {
		return Static(1)
	}
	return Static(0)
}

// known lifts a predicate on numbers to elements.
func known(f func(a, b int64) bool) func(a, b Dim) Dim {
	return func(a, b Dim) Dim {
		if !number(a) || !number(b) {
			return Dynamic()
		}
		return truth(f(a.Value, b.Value))
	}
}

func equalElements(a, b Dim) Dim {
	if sameElement(a, b) {
		return Static(1)
	}
	return known(func(a, b int64) bool { return a == b })(a, b)
}

// mapped is the rule of operators on one operand that are followed element by element.
func mapped(of func(Dim) Dim, real func(float64) float64) rule {
	return func(c *call) error {
		c.set(0, c.shape(0))
		if !c.has(0) || !small(c.In[0]) {
			return nil
		}
		x, ok := contentOf(c.in(0))
		if !ok || x.ints != nil && (of == nil || !tracksInts(c.elem(0))) || x.floats != nil && real == nil {
			return nil
		}
		c.setContent(0, x.through(of, real).narrowed(c.elem(0)))
		return nil
	}
}

func (x content) through(of func(Dim) Dim, real func(float64) float64) content {
	y := content{dims: x.dims}
	if x.floats != nil {
		y.floats = make([]float64, len(x.floats))
		for i, f := range x.floats {
			y.floats[i] = real(f)
		}
		return y
	}
	y.ints = make([]Dim, len(x.ints))
	for i, e := range x.ints {
		y.ints[i] = of(e)
	}
	return y
}

func negative(e Dim) Dim { return sub(Static(0), e) }

func absolute(e Dim) Dim {
	if number(e) && e.Value < 0 {
		return negative(e)
	}
	return e
}

func sign(e Dim) Dim {
	switch {
	case !number(e):
		return Dynamic()
	case e.Value < 0:
		return Dim{Value: -1}
	}
	return truth(e.Value > 0)
}

func not(e Dim) Dim {
	if !number(e) {
		return Dynamic()
	}
	return truth(e.Value == 0)
}

// modulo is Mod, with the rule for signs that the attribute fmod chooses.
func modulo(c *call) error {
	if c.flag("fmod", false) {
		return pairwise(fmod, nil)(c)
	}
	return pairwise(mod, nil)(c)
}

func addReal(a, b float64) float64 { return a + b }
func subReal(a, b float64) float64 { return a - b }
func mulReal(a, b float64) float64 { return a * b }
func divReal(a, b float64) float64 { return a / b }

// where selects element by element.
func where(c *call) error {
	if err := c.broadcastInputs(0, 3); err != nil {
		return err
	}
	dims, static := c.out[0].Shape.Static()
	if !static || !c.has(2) || !tracksInts(c.elem(1)) || count(dims) < 0 {
		return nil
	}
	var x [3]content
	for i := range x {
		var ok bool
		if x[i], ok = contentOf(c.in(i)); ok {
			x[i], ok = x[i].spread(dims)
		}
		if !ok || x[i].ints == nil {
			return nil
		}
	}
	y := content{dims: dims, ints: make([]Dim, x[0].len())}
	for i, cond := range x[0].ints {
		y.ints[i] = selected(cond, x[1].ints[i], x[2].ints[i])
	}
	c.setContent(0, y)
	return nil
}

func selected(cond, a, b Dim) Dim {
	switch {
	case number(cond) && cond.Value != 0 || sameElement(a, b):
		return a
	case number(cond):
		return b
	}
	return Dynamic()
}

// clip keeps the shape; integer contents are clamped by constant bounds.
func clip(c *call) error {
	c.set(0, c.shape(0))
	x, ok := contentOf(c.in(0))
	if !ok || x.ints == nil || c.Version < 11 || !tracksInts(c.elem(0)) {
		return nil
	}
	low, okLow := c.bound(1, math.MinInt64+1)
	high, okHigh := c.bound(2, math.MaxInt64)
	if !okLow || !okHigh {
		return nil
	}
	c.setContent(0, x.through(func(e Dim) Dim {
		if !number(e) {
			return Dynamic()
		}
		return Dim{Value: min(max(e.Value, low), high)}
	}, nil))
	return nil
}

func (c *call) bound(i int, def int64) (int64, bool) {
	if !c.has(i) {
		return def, true
	}
	return c.scalar(i)
}
