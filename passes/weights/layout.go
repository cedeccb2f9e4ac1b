package weights

import (
	"slices"
)

// Layout says how the elements of a stored tensor form a matrix [Channels,
// Cols]: one row for each output channel, row of a table or gate of a recurrent
// operator.
type Layout struct {
	Dims     []int64 // of the stored tensor
	Rows     []int   // axes that count channels, outermost first
	Rest     []int   // the other axes, in the order of the columns
	Channels int
	Cols     int
}

// newLayout is the layout of a tensor whose channels run along the axes rows.
// The other axes count columns in their order.
func newLayout(dims []int64, rows ...int) Layout {
	l := Layout{Dims: dims, Rows: rows, Channels: 1, Cols: 1}
	for i, d := range dims {
		if slices.Contains(rows, i) {
			l.Channels *= int(d)
			continue
		}
		l.Rest = append(l.Rest, i)
		l.Cols *= int(d)
	}
	return l
}

// through is the same layout seen from the input of a transposition: axis i of
// the output is axis perm[i] of the input, which has the given dims.
func (l Layout) through(perm []int64, dims []int64) Layout {
	moved := func(axes []int) []int {
		out := make([]int, len(axes))
		for i, a := range axes {
			out[i] = int(perm[a])
		}
		return out
	}
	return Layout{Dims: dims, Rows: moved(l.Rows), Rest: moved(l.Rest), Channels: l.Channels, Cols: l.Cols}
}

// Plain says whether the matrix has the order of the stored tensor.
func (l Layout) Plain() bool {
	last := -1
	for _, a := range slices.Concat(l.Rows, l.Rest) {
		if l.Dims[a] == 1 {
			continue
		}
		if a < last {
			return false
		}
		last = a
	}
	return true
}

// Axis is the only axis of the stored tensor along which channels run, -1 when there are several.
func (l Layout) Axis() int {
	if len(l.Rows) == 1 {
		return l.Rows[0]
	}
	axis := -1
	for _, a := range l.Rows {
		if l.Dims[a] == 1 {
			continue
		}
		if axis >= 0 {
			return -1
		}
		axis = a
	}
	return axis
}

// ChannelDims are dims of one element for each channel that broadcast over the
// stored tensor. Elements are in the order of the matrix when PlainRows holds.
func (l Layout) ChannelDims() []int64 {
	out := make([]int64, len(l.Dims))
	for i := range out {
		out[i] = 1
	}
	for _, a := range l.Rows {
		out[a] = l.Dims[a]
	}
	return out
}

// ByChannel brings one element for each channel into the order of ChannelDims.
func ByChannel[T any](l Layout, x []T) []T {
	return Tensor(newLayoutOf(l.ChannelDims(), l.Rows), x)
}

func newLayoutOf(dims []int64, rows []int) Layout {
	l := newLayout(dims)
	l.Rows, l.Rest = rows, nil
	for i := range dims {
		if !slices.Contains(rows, i) {
			l.Rest = append(l.Rest, i)
		}
	}
	return l
}

// Matrix brings elements from the order of the stored tensor to that of the
// matrix. Without a change of order it returns x itself.
func Matrix[T any](l Layout, x []T) []T {
	if l.Plain() {
		return x
	}
	out := make([]T, len(x))
	l.each(func(at, i int) { out[i] = x[at] })
	return out
}

// Tensor is the inverse of Matrix.
func Tensor[T any](l Layout, m []T) []T {
	if l.Plain() {
		return m
	}
	out := make([]T, len(m))
	l.each(func(at, i int) { out[at] = m[i] })
	return out
}

// each yields, in the order of the matrix, the place of every element in the stored tensor.
func (l Layout) each(yield func(at, i int)) {
	axes := slices.Concat(l.Rows, l.Rest)
	stride := make([]int, len(l.Dims))
	n := 1
	for a := len(l.Dims) - 1; a >= 0; a-- {
		stride[a] = n
		n *= int(l.Dims[a])
	}
	index := make([]int, len(axes))
	at := 0
	for i := range n {
		yield(at, i)
		for k := len(axes) - 1; k >= 0; k-- {
			a := axes[k]
			index[k]++
			at += stride[a]
			if index[k] < int(l.Dims[a]) {
				break
			}
			at -= stride[a] * index[k]
			index[k] = 0
		}
	}
}
