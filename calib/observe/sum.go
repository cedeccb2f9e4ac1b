package observe

import (
	"encoding/json"
	"math"
	"slices"
)

// Sum is an exact sum of float64: a list of parts that do not overlap, in
// ascending magnitude (J. R. Shewchuk, Adaptive precision floating-point
// arithmetic and fast robust geometric predicates, 1997). Its value does not
// depend on the order in which terms and other sums are added. The zero
// value is 0. Terms must be finite, and so must their sum.
type Sum []float64

// Add adds one term.
func (s *Sum) Add(x float64) {
	parts := (*s)[:0]
	for _, y := range *s {
		if math.Abs(x) < math.Abs(y) {
			x, y = y, x
		}
		hi := x + y
		lo := y - (hi - x)
		if lo != 0 {
			parts = append(parts, lo)
		}
		x = hi
	}
	*s = append(parts, x)
}

// Merge adds another sum.
func (s *Sum) Merge(o Sum) {
	for _, x := range o {
		s.Add(x)
	}
}

// Canonical is the same sum in parts that depend on its value only: the value
// rounded, the rest rounded, and so on, in ascending magnitude.
func (s Sum) Canonical() Sum {
	rest := append(Sum(nil), s...)
	var parts Sum
	for v := rest.Value(); v != 0; v = rest.Value() {
		parts = append(parts, v)
		rest.Add(-v)
	}
	slices.Reverse(parts)
	return parts
}

// MarshalJSON writes the canonical parts.
func (s Sum) MarshalJSON() ([]byte, error) {
	return json.Marshal([]float64(append(Sum{}, s.Canonical()...)))
}

// Value is the sum, correctly rounded to the nearest float64 (ties to even).
func (s Sum) Value() float64 {
	n := len(s) - 1
	if n < 0 {
		return 0
	}
	hi, lo := s[n], 0.0
	for n > 0 {
		x, y := hi, s[n-1]
		n--
		hi = x + y
		lo = y - (hi - x)
		if lo != 0 {
			break
		}
	}
	// A remainder of exactly half a unit rounds by the sign of what lies below it.
	if n > 0 && (lo < 0) == (s[n-1] < 0) {
		if y := lo * 2; y == (hi+y)-hi {
			hi += y
		}
	}
	return hi
}
