package palette

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// shape are the dims of an expression, without computing large parts.
func (e *expr) shape() ([]int64, error) {
	a, err := e.outline()
	if err != nil {
		return nil, err
	}
	return a.dims, nil
}

// outline is the array without elements, but for constants that are lists of numbers.
func (e *expr) outline() (*array, error) {
	if t := e.tensor; t != nil {
		if len(t.Dims) <= 1 && (t.Type == onnx.Int64 || t.Type == onnx.Int32) {
			return load(t)
		}
		return &array{dims: t.Dims}, nil
	}
	in := make([]*array, len(e.in))
	for i, x := range e.in {
		var err error
		if in[i], err = x.outline(); err != nil {
			return nil, err
		}
	}
	dims, err := e.result(in)
	return &array{dims: dims}, err
}

// result are the dims that a node makes of its inputs, checked.
func (e *expr) result(in []*array) ([]int64, error) {
	a := in[0].dims
	switch e.op {
	case "Gather":
		if int(e.axis) >= len(a) {
			return nil, fmt.Errorf("a Gather along axis %d of %d", e.axis, len(a))
		}
		out := append([]int64(nil), a[:e.axis]...)
		return bound(append(append(out, in[1].dims...), a[e.axis+1:]...))
	case "Reshape":
		return reshaped(a, in[1].ints)
	case "Slice":
		return sliced(a, in)
	case "Transpose":
		perm := e.order(len(a))
		out := make([]int64, len(perm))
		used := make([]bool, len(a))
		for i, p := range perm {
			if len(perm) != len(a) || p < 0 || p >= int64(len(a)) || used[p] {
				return nil, fmt.Errorf("a Transpose of %d axes by %v", len(a), perm)
			}
			used[p], out[i] = true, a[p]
		}
		return out, nil
	case "Mul", "Add", "Sub":
		return broadcasted(a, in[1].dims)
	}
	return a, nil
}

func bound(dims []int64) ([]int64, error) {
	n := int64(1)
	for _, d := range dims {
		if d < 0 || d > 0 && n > mostElements/d {
			return nil, fmt.Errorf("a weight of shape %v", dims)
		}
		n *= d
	}
	return dims, nil
}

func reshaped(from []int64, to []int32) ([]int64, error) {
	n := int64(1)
	for _, d := range from {
		n *= d
	}
	out, known, free := make([]int64, len(to)), int64(1), -1
	for i, d := range to {
		out[i] = int64(d)
		switch {
		case d == 0 && i < len(from):
			out[i] = from[i]
		case d == -1 && free < 0:
			free = i
			continue
		case d < 0:
			return nil, fmt.Errorf("a Reshape to %v", to)
		}
		if out[i] > 0 && known > math.MaxInt64/out[i] {
			return nil, fmt.Errorf("a Reshape to %v", to)
		}
		known *= out[i]
	}
	if free >= 0 && known > 0 {
		out[free] = n / known
		known *= out[free]
	}
	if known != n {
		return nil, fmt.Errorf("a Reshape of %v to %v", from, to)
	}
	return out, nil
}

// sliced is a Slice along the first axis with step 1.
func sliced(a []int64, in []*array) ([]int64, error) {
	if len(a) == 0 || len(in[1].ints) != 1 || len(in[2].ints) != 1 || len(in) > 3 && (len(in[3].ints) != 1 || in[3].ints[0] != 0) {
		return nil, fmt.Errorf("a Slice along other axes than the first")
	}
	from, to := bounded(int64(in[1].ints[0]), a[0]), bounded(int64(in[2].ints[0]), a[0])
	return append([]int64{max(0, to-from)}, a[1:]...), nil
}

// bounded is a position along an axis, counted from the end when negative.
func bounded(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

func broadcasted(a, b []int64) ([]int64, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append([]int64(nil), a...)
	for i, d := range b {
		at := len(a) - len(b) + i
		switch {
		case out[at] == 1:
			out[at] = d
		case d != 1 && d != out[at]:
			return nil, fmt.Errorf("operands of shapes %v and %v", a, b)
		}
	}
	return bound(out)
}

// order is the permutation of a Transpose.
func (e *expr) order(rank int) []int64 {
	if e.perm != nil {
		return e.perm
	}
	out := make([]int64, rank)
	for i := range out {
		out[i] = int64(rank - 1 - i)
	}
	return out
}
