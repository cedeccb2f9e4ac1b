package palette

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// array is a tensor in memory: floats of any width as float32, integers as int32.
type array struct {
	dims   []int64
	floats []float32
	ints   []int32
}

func (a *array) len() int { return max(len(a.floats), len(a.ints)) }

// mostElements bounds what is computed: a table of one entry and codes of
// shape [1] must not grow to more than a weight can be.
const mostElements = 1 << 33

// lazily is the tensor of an expression of known dims.
func (e *expr) lazily(dims []int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	size, _ := e.elem.RawSize(n)
	return &onnx.Tensor{Type: e.elem, Dims: dims, Data: onnx.Lazy(size, func() ([]byte, error) {
		a, err := e.evaluate(map[*expr]*array{})
		if err != nil {
			return nil, err
		}
		return a.tensor(e.elem).Data.Bytes()
	})}
}

// tensor packs the array as elements of a type.
func (a *array) tensor(t onnx.DataType) *onnx.Tensor {
	if t.IsFloat() {
		return weights.FloatTensor(t, a.dims, a.floats)
	}
	switch t {
	case onnx.Int8:
		return onnx.From(a.dims, narrow[int8](a.ints))
	case onnx.Uint8:
		return onnx.From(a.dims, narrow[uint8](a.ints))
	case onnx.Int64:
		return onnx.From(a.dims, narrow[int64](a.ints))
	}
	return onnx.From(a.dims, a.ints)
}

func narrow[T int8 | uint8 | int64](x []int32) []T {
	out := make([]T, len(x))
	for i, v := range x {
		out[i] = T(v)
	}
	return out
}

// evaluate computes an expression; parts that it reads twice are computed once.
func (e *expr) evaluate(done map[*expr]*array) (*array, error) {
	if a := done[e]; a != nil {
		return a, nil
	}
	a, err := e.compute(done)
	if err == nil && int64(a.len()) > mostElements {
		err = fmt.Errorf("%s makes %d elements", e.op, a.len())
	}
	if err == nil {
		done[e] = a
	}
	return a, err
}

func (e *expr) compute(done map[*expr]*array) (*array, error) {
	if e.tensor != nil {
		return load(e.tensor)
	}
	in := make([]*array, len(e.in))
	for i, x := range e.in {
		a, err := x.evaluate(done)
		if err != nil {
			return nil, err
		}
		in[i] = a
	}
	dims, err := e.result(in)
	if err != nil {
		return nil, err
	}
	switch e.op {
	case "Cast":
		return in[0].cast(e.in[0].elem, e.elem), nil
	case "Gather":
		return in[0].gather(in[1], int(e.axis), dims)
	case "Reshape", "Identity":
		return &array{dims, in[0].floats, in[0].ints}, nil
	case "Slice":
		from := bounded(int64(in[1].ints[0]), in[0].dims[0])
		return in[0].cut(int(from), int(dims[0]), dims), nil
	case "Transpose":
		return in[0].transposed(e.order(len(dims)), dims), nil
	}
	return e.arithmetic(in[0], in[1], dims), nil
}

func load(t *onnx.Tensor) (*array, error) {
	if t.Type.IsFloat() {
		x, err := t.Float32s()
		return &array{t.Dims, x, nil}, err
	}
	x, err := t.Int64s()
	if err != nil {
		return nil, err
	}
	a := &array{dims: t.Dims, ints: make([]int32, len(x))}
	for i, v := range x {
		if a.ints[i] = int32(v); int64(a.ints[i]) != v {
			return nil, fmt.Errorf("the constant %d is out of reach", v)
		}
	}
	return a, nil
}

// cast rounds as runtimes do: floats to the nearest, towards zero for integers.
func (a *array) cast(from, to onnx.DataType) *array {
	out := &array{dims: a.dims}
	switch {
	case from.IsFloat() && to.IsFloat():
		out.floats = a.floats
		if to != onnx.Float && to != from {
			out.floats = mapped(a.floats, func(v float32) float32 { return narrowed(to, v) })
		}
	case from.IsFloat():
		out.ints = make([]int32, len(a.floats))
		for i, v := range a.floats {
			out.ints[i] = int32(v)
		}
	case to.IsFloat():
		out.floats = make([]float32, len(a.ints))
		for i, v := range a.ints {
			out.floats[i] = narrowed(to, float32(v))
		}
	default:
		out.ints = a.ints
	}
	return out
}

func narrowed(t onnx.DataType, v float32) float32 {
	switch t {
	case onnx.Float16:
		return half(v)
	case onnx.BFloat16:
		return dtype.BF16ToF32(dtype.BF16FromF32(v))
	}
	return v
}

func mapped(x []float32, fn func(float32) float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = fn(v)
	}
	return out
}

// gather takes rows of a along axis 0 or 1.
func (a *array) gather(index *array, axis int, dims []int64) (*array, error) {
	outer, n := 1, int(a.dims[axis])
	if axis == 1 {
		outer = int(a.dims[0])
	}
	inner := 1
	for _, d := range a.dims[axis+1:] {
		inner *= int(d)
	}
	for _, i := range index.ints {
		if int(i) >= n || int(i) < -n {
			return nil, fmt.Errorf("code %d in a table of %d entries", i, n)
		}
	}
	out := &array{dims: dims}
	if a.ints != nil {
		out.ints = gathered(a.ints, index.ints, outer, n, inner)
	} else {
		out.floats = gathered(a.floats, index.ints, outer, n, inner)
	}
	return out, nil
}

func gathered[T any](x []T, index []int32, outer, n, inner int) []T {
	out := make([]T, 0, outer*len(index)*inner)
	for o := range outer {
		for _, i := range index {
			if i < 0 {
				i += int32(n)
			}
			from := (o*n + int(i)) * inner
			out = append(out, x[from:from+inner]...)
		}
	}
	return out
}

// cut takes rows along the first axis.
func (a *array) cut(from, n int, dims []int64) *array {
	inner := 1
	for _, d := range dims[1:] {
		inner *= int(d)
	}
	out := &array{dims: dims}
	if a.ints != nil {
		out.ints = a.ints[from*inner : (from+n)*inner]
	} else {
		out.floats = a.floats[from*inner : (from+n)*inner]
	}
	return out
}

func (a *array) transposed(perm, dims []int64) *array {
	out := &array{dims: dims}
	if a.ints != nil {
		out.ints = permuted(a.ints, a.dims, perm)
	} else {
		out.floats = permuted(a.floats, a.dims, perm)
	}
	return out
}

// permuted brings elements into the order of axes perm.
func permuted[T any](x []T, dims, perm []int64) []T {
	stride := strides(dims)
	size, step := make([]int64, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		size[i], step[i] = dims[p], stride[p]
	}
	out := make([]T, 0, len(x))
	walk(size, step, step, func(at, _ int) { out = append(out, x[at]) })
	return out
}

func strides(dims []int64) []int {
	out, n := make([]int, len(dims)), 1
	for i := len(dims) - 1; i >= 0; i-- {
		out[i] = n
		n *= int(dims[i])
	}
	return out
}

// walk yields the places of elements in two tensors with the given strides, last axis fastest.
func walk(size []int64, first, second []int, yield func(a, b int)) {
	if slices.Contains(size, 0) {
		return
	}
	index, a, b := make([]int64, len(size)), 0, 0
	for {
		yield(a, b)
		k := len(size) - 1
		for ; k >= 0; k-- {
			index[k]++
			a, b = a+first[k], b+second[k]
			if index[k] < size[k] {
				break
			}
			a, b = a-first[k]*int(size[k]), b-second[k]*int(size[k])
			index[k] = 0
		}
		if k < 0 {
			return
		}
	}
}

// arithmetic is Mul, Add or Sub with broadcasting, rounded once to the type.
func (e *expr) arithmetic(a, b *array, dims []int64) *array {
	n := 1
	for _, d := range dims {
		n *= int(d)
	}
	out := &array{dims: dims}
	rank := len(dims)
	i := 0
	if e.elem.IsFloat() {
		out.floats = make([]float32, n)
		walk(dims, broadcast(a.dims, rank), broadcast(b.dims, rank), func(x, y int) {
			out.floats[i] = narrowed(e.elem, compute(e.op, a.floats[x], b.floats[y]))
			i++
		})
		return out
	}
	out.ints = make([]int32, n)
	walk(dims, broadcast(a.dims, rank), broadcast(b.dims, rank), func(x, y int) {
		out.ints[i] = compute(e.op, a.ints[x], b.ints[y])
		i++
	})
	return out
}

func compute[T float32 | int32](op string, a, b T) T {
	switch op {
	case "Add":
		return a + b
	case "Sub":
		return a - b
	}
	return a * b
}

// broadcast are the strides of an operand in a result of the given rank.
func broadcast(dims []int64, rank int) []int {
	stride := strides(dims)
	out := make([]int, rank)
	for i, d := range dims {
		if d != 1 {
			out[rank-len(dims)+i] = stride[i]
		}
	}
	return out
}
