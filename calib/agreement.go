package calib

import (
	"math"
)

// row are the sums behind an Agreement.
type row struct {
	signal, err, cosine, max float64
	same, positions          int64
	divergence               float64
	diverged                 int64 // positions of divergence
	undefined, broken        int64
}

func (r *row) add(o row) {
	r.signal += o.signal
	r.err += o.err
	r.cosine += o.cosine
	r.max = max(r.max, o.max)
	r.same += o.same
	r.positions += o.positions
	r.divergence += o.divergence
	r.diverged += o.diverged
	r.undefined += o.undefined
	r.broken += o.broken
}

// number is the type of elements that are compared.
type number interface{ float32 | float64 }

// distance compares two outputs element by element, in float64.
func distance[T number](ref, out []T) (r row) {
	var dot, norm float64
	out = out[:len(ref)]
	for i := range ref {
		a, b := float64(ref[i]), float64(out[i])
		if a-a != 0 || b-b != 0 {
			if a == b || a != a && b != b {
				r.undefined++
			} else {
				r.broken++
			}
			continue
		}
		d := a - b
		r.signal += a * a
		r.err += d * d
		r.max = max(r.max, math.Abs(d))
		dot += a * b
		norm += b * b
	}
	r.cosine = 1
	if n := math.Sqrt(r.signal) * math.Sqrt(norm); n > 0 {
		r.cosine = dot / n
	}
	return r
}

func (r *row) sqnr() float64 {
	switch {
	case r.broken > 0:
		return -200
	case r.err == 0:
		return 200
	}
	return 10 * math.Log10(max(r.signal, 1e-30)/r.err)
}

func (r *row) agreement(name string, samples int) Agreement {
	a := Agreement{
		Name: name, SQNR: r.sqnr(), Cosine: r.cosine / float64(samples), MaxAbs: r.max, Top1: 1,
		Positions: r.positions, Undefined: r.undefined, Broken: r.broken,
	}
	if r.broken > 0 {
		a.MaxAbs = math.MaxFloat64
	}
	if r.diverged > 0 {
		a.Divergence = r.divergence / float64(r.diverged)
	}
	if r.positions > 0 {
		a.Top1 = float64(r.same) / float64(r.positions)
	}
	return a
}

// agree counts the positions at which both arrays have their largest element
// at the same index along the class axis.
func agree[T number](ref, out []T, shape []int64) (same, positions int64) {
	axis := classAxis(shape)
	if axis < 0 || len(ref) == 0 {
		return 0, 0
	}
	n, inner := int(shape[axis]), 1
	for _, d := range shape[axis+1:] {
		inner *= int(d)
	}
	for outer := 0; outer < len(ref); outer += n * inner {
		for i := outer; i < outer+inner; i++ {
			positions++
			if argmax(ref[i:], n, inner) == argmax(out[i:], n, inner) {
				same++
			}
		}
	}
	return same, positions
}

// classAxis is the axis along which classes lie, -1 when there is none.
func classAxis(shape []int64) int {
	axis := len(shape) - 1
	if len(shape) == 4 && shape[1] < shape[3] {
		axis = 1
	}
	if axis < 0 || shape[axis] <= 1 {
		return -1
	}
	return axis
}

// argmax is the index of the first largest of n elements with the given
// distance; NaN counts as larger than any number.
func argmax[T number](x []T, n, distance int) int {
	best := 0
	for k := 1; k < n; k++ {
		v, top := x[k*distance], x[best*distance]
		if top != top {
			break
		}
		if v > top || v != v {
			best = k
		}
	}
	return best
}
