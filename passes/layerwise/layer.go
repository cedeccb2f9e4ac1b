// Package layerwise rebuilds linear layers one at a time from second moments
// of their inputs: least squares against the outputs of the original model,
// and rounding to a grid with error feedback. It knows the layouts of
// convolutions and matrix products, so that passes work on plain matrices.
package layerwise

import (
	"github.com/onnxpass/onnxpass/graph"
)

// Layer is Conv, ConvTranspose, Gemm or MatMul with a constant weight, seen as
// a product of matrices for each group: y = W x + b, where W has Rows output
// channels and Cols inputs (input channels of the group times taps of the
// filter), and x is one position's window of the input.
type Layer struct {
	Node               *graph.Node
	Groups, Rows, Cols int

	dims  []int64
	conv  bool
	turns bool // the weight is stored input channels first
}

// Of describes node n with the weight's dims; why says what hinders when l is nil.
func Of(n *graph.Node, dims []int64) (l *Layer, why string) {
	l = &Layer{Node: n, Groups: 1, dims: dims}
	switch {
	case n.Is("Conv") && len(dims) > 2:
		return l.filter(n)
	case n.Is("ConvTranspose") && len(dims) > 2:
		if n.Int("group", 1) != 1 {
			return nil, "a transposed convolution in groups"
		}
		l.conv, l.turns = true, true
		l.Rows, l.Cols = int(dims[1]), int(dims[0]*product(dims[2:]))
	case n.Is("Gemm") && len(dims) == 2:
		if n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 {
			return nil, "a Gemm that scales or transposes its input"
		}
		l.turns = n.Int("transB", 0) == 0
		l.Rows, l.Cols = int(dims[0]), int(dims[1])
		if l.turns {
			l.Rows, l.Cols = l.Cols, l.Rows
		}
	case n.Is("MatMul") && len(dims) == 2:
		l.turns = true
		l.Rows, l.Cols = int(dims[1]), int(dims[0])
	default:
		return nil, "a product of more than two dimensions"
	}
	return l, ""
}

func (l *Layer) filter(n *graph.Node) (*Layer, string) {
	group := n.Int("group", 1)
	if group < 1 || l.dims[0]%group != 0 {
		return nil, "a convolution whose groups do not divide its channels"
	}
	l.conv = true
	l.Groups, l.Rows, l.Cols = int(group), int(l.dims[0]/group), int(product(l.dims[1:]))
	return l, ""
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// taps is the number of elements of the filter in space, 1 for matrices.
func (l *Layer) taps() int {
	if !l.conv {
		return 1
	}
	return int(product(l.dims[2:]))
}

// Len is the number of elements of the weight.
func (l *Layer) Len() int { return l.Groups * l.Rows * l.Cols }

// Channels is the number of output channels of all groups.
func (l *Layer) Channels() int { return l.Groups * l.Rows }

// Matrix brings elements from the order of the weight to that of the matrices:
// group, output channel, input. Without a change of order it returns w itself.
func Matrix[T any](l *Layer, w []T) []T {
	if !l.turns {
		return w
	}
	out := make([]T, len(w))
	l.each(func(i, at int) { out[at] = w[i] })
	return out
}

// Tensor is the inverse of Matrix.
func Tensor[T any](l *Layer, m []T) []T {
	if !l.turns {
		return m
	}
	out := make([]T, len(m))
	l.each(func(i, at int) { out[i] = m[at] })
	return out
}

// each walks a weight that is stored [inputs, outputs, taps]: element i of the weight is element at of the matrix.
func (l *Layer) each(yield func(i, at int)) {
	taps := l.taps()
	inputs := l.Cols / taps
	for c := range inputs {
		for m := range l.Rows {
			for t := range taps {
				yield((c*l.Rows+m)*taps+t, m*l.Cols+c*taps+t)
			}
		}
	}
}
