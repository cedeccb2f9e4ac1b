package infer

import "math"

// Arithmetic on sizes and on elements of shape contents. Operands may be
// unknown; a result that is not certain, or does not fit, is unknown.

// element normalises a dimension to an element of a content.
func element(d Dim) Dim {
	if d.Value < 0 {
		return Symbol(d.Param)
	}
	return Static(d.Value)
}

// size turns an element of a content into a dimension; a negative number is no size.
func size(e Dim) Dim {
	if e.Value < 0 {
		return Dim{Value: Unknown, Param: e.Param}
	}
	return Static(e.Value)
}

// number tells whether a content's element is a known number.
func number(e Dim) bool { return e.Value != Unknown }

// symbol tells whether a content's element is a symbolic size.
func symbol(e Dim) bool { return e.Value == Unknown && e.Param != "" }

func sameElement(a, b Dim) bool {
	return number(a) && number(b) && a.Value == b.Value || symbol(a) && symbol(b) && a.Param == b.Param
}

func add(a, b Dim) Dim {
	switch {
	case number(a) && number(b):
		return sum(a.Value, b.Value)
	case a.Value == 0:
		return b
	case b.Value == 0:
		return a
	}
	return symbolic(a, b, poly.plus)
}

func sub(a, b Dim) Dim {
	switch {
	case sameElement(a, b):
		return Static(0)
	case b.Value == 0:
		return a
	case number(a) && number(b) && b.Value != math.MinInt64:
		return sum(a.Value, -b.Value)
	}
	return symbolic(a, b, func(p, q poly) (poly, bool) {
		if q, ok := q.times(poly{{coef: -1}}); ok {
			return p.plus(q)
		}
		return nil, false
	})
}

func sum(a, b int64) Dim {
	s := a + b
	if a > 0 && b > 0 && s <= 0 || a < 0 && b < 0 && s >= 0 || s == Unknown {
		return Dynamic()
	}
	return Static(s)
}

func mul(a, b Dim) Dim {
	switch {
	case a.Value == 0 || b.Value == 0:
		return Static(0)
	case a.Value == 1:
		return b
	case b.Value == 1:
		return a
	case !number(a) || !number(b):
		return symbolic(a, b, poly.times)
	}
	p := a.Value * b.Value
	if p/b.Value != a.Value || p == Unknown {
		return Dynamic()
	}
	return Static(p)
}

// div is integer division, truncated as C and ONNX Runtime do.
func div(a, b Dim) Dim {
	switch {
	case b.Value == 1:
		return a
	case number(a) && number(b) && b.Value != 0:
		return Static(a.Value / b.Value)
	case sameElement(a, b) && b.Value != 0:
		return Static(1)
	case !number(b) || b.Value <= 0:
		return Dynamic()
	}
	return symbolic(a, b, func(p, _ poly) (poly, bool) {
		if !p.positive() { // truncation and floor differ
			return nil, false
		}
		return p.floorBy(b.Value)
	})
}

// mod has the sign of the divisor (Python's rule, attribute fmod = 0).
func mod(a, b Dim) Dim {
	if !number(a) || !number(b) || b.Value == 0 {
		return Dynamic()
	}
	m := a.Value % b.Value
	if m != 0 && (m < 0) != (b.Value < 0) {
		m += b.Value
	}
	return Static(m)
}

// fmod has the sign of the dividend (C's rule, attribute fmod = 1).
func fmod(a, b Dim) Dim {
	if !number(a) || !number(b) || b.Value == 0 {
		return Dynamic()
	}
	return Static(a.Value % b.Value)
}

func smaller(a, b Dim) Dim { return choose(a, b, number(a) && number(b) && a.Value < b.Value) }

func larger(a, b Dim) Dim { return choose(a, b, number(a) && number(b) && a.Value > b.Value) }

func choose(a, b Dim, first bool) Dim {
	switch {
	case first || sameElement(a, b):
		return a
	case number(a) && number(b):
		return b
	}
	return Dynamic()
}

// product multiplies dimensions; an unknown one makes the result unknown unless another is zero.
func product(dims []Dim) Dim {
	p, zero := Static(1), false
	for _, d := range dims {
		p = mul(p, element(d))
		zero = zero || d.Value == 0
	}
	if zero {
		return Static(0)
	}
	return p
}

// floorDiv and ceilDiv round to minus and plus infinity; b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

// within tells whether n is small enough that sums and products of a few such numbers fit.
func within(n ...int64) bool {
	for _, v := range n {
		if v > 1<<40 || v < -1<<40 {
			return false
		}
	}
	return true
}

// broadcastDim is the size of one axis after broadcasting two sizes; false when they contradict.
func broadcastDim(a, b Dim) (Dim, bool) {
	switch {
	case a.Value == 1:
		return b, true
	case b.Value == 1:
		return a, true
	case a.IsStatic() && b.IsStatic():
		return a, a.Value == b.Value
	case a.IsStatic():
		return a, true
	case b.IsStatic():
		return b, true
	case a.Same(b):
		return a, true
	}
	return Dynamic(), true
}

// broadcast is the shape of an operation on two shapes (multidirectional broadcasting).
func broadcast(a, b Shape) (Shape, bool) {
	if !a.Ranked || !b.Ranked {
		return Shape{}, true
	}
	if len(a.Dims) < len(b.Dims) {
		a, b = b, a
	}
	if len(b.Dims) == 0 {
		return a, true
	}
	dims := append([]Dim(nil), a.Dims...)
	shift := len(a.Dims) - len(b.Dims)
	for i, d := range b.Dims {
		var ok bool
		if dims[shift+i], ok = broadcastDim(dims[shift+i], d); !ok {
			return Shape{}, false
		}
	}
	return Of(dims...), true
}

// equalDim joins what is known of two dimensions that must be equal; false when they contradict.
func equalDim(a, b Dim) (Dim, bool) {
	switch {
	case a.IsStatic() && b.IsStatic():
		return a, a.Value == b.Value
	case a.IsStatic() || a.Param != "" && !b.IsStatic():
		return a, true
	}
	return b, true
}

// equalShape is equalDim for shapes.
func equalShape(a, b Shape) (Shape, bool) {
	switch {
	case !a.Ranked:
		return b, true
	case !b.Ranked:
		return a, true
	case len(a.Dims) != len(b.Dims):
		return a, false
	}
	dims := make([]Dim, len(a.Dims))
	for i := range dims {
		var ok bool
		if dims[i], ok = equalDim(a.Dims[i], b.Dims[i]); !ok {
			return a, false
		}
	}
	return Of(dims...), true
}
