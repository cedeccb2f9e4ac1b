package weights

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// reader is a use at the end of a chain of nodes that only move elements.
type reader struct {
	use   graph.Use
	chain []*graph.Node // from the constant on
}

// longest bounds chains.
const longest = 8

// readers lists who reads a constant, through nodes that move its elements.
func (f *finder) readers(v *graph.Value) []reader {
	var out []reader
	var walk func(v *graph.Value, chain []*graph.Node)
	walk = func(v *graph.Value, chain []*graph.Node) {
		for _, u := range v.Uses() {
			if !u.IsReturn() && u.Index == 0 && u.Node.Is("Identity", "Transpose", "Reshape") && len(chain) < longest && u.Node.Out(0) != nil {
				walk(u.Node.Out(0), append(slices.Clone(chain), u.Node))
				continue
			}
			out = append(out, reader{u, chain})
		}
	}
	walk(v, nil)
	return out
}

// weighs says whether a use is that of a weight.
func weighs(u graph.Use) bool {
	if u.IsReturn() {
		return false
	}
	switch n := u.Node; {
	case n.Is("Conv", "ConvTranspose", "Gemm"):
		return u.Index == 1
	case n.Is("MatMul"):
		other := n.In(1 - u.Index)
		return other != nil && other.Const() == nil
	case n.Is("Gather"):
		return u.Index == 0 && n.In(1) != nil && n.In(1).Const() == nil
	case n.Is("LSTM", "GRU", "RNN"):
		return u.Index == 1 || u.Index == 2
	}
	return false
}

func kindOf(n *graph.Node) Kind {
	switch {
	case n.Is("Gather"):
		return Table
	case n.Is("LSTM", "GRU", "RNN"):
		return Recurrent
	}
	return Product
}

// layout is that of the constant with the given dims, as the reader at the end of the chain sees it.
func (r reader) layout(dims []int64) (Layout, bool) {
	seen := [][]int64{dims} // dims along the chain
	for _, n := range r.chain {
		d := fixed(n.Out(0))
		if d == nil {
			return Layout{}, false
		}
		seen = append(seen, d)
	}
	l, ok := layoutFor(r.use, seen[len(seen)-1])
	for i := len(r.chain) - 1; i >= 0 && ok; i-- {
		switch n := r.chain[i]; n.Op() {
		case "Transpose":
			l = l.through(perm(n, len(seen[i])), seen[i])
		case "Reshape":
			return rowsOf(dims), len(dims) > 1
		}
	}
	return l, ok
}

// rowsOf is the layout of a tensor whose last axis counts the columns.
func rowsOf(dims []int64) Layout {
	rows := make([]int, len(dims)-1)
	for i := range rows {
		rows[i] = i
	}
	return newLayout(dims, rows...)
}

func perm(n *graph.Node, rank int) []int64 {
	if p := n.Ints("perm", nil); len(p) == rank {
		return p
	}
	p := make([]int64, rank)
	for i := range p {
		p[i] = int64(rank - 1 - i)
	}
	return p
}

// fixed are the dims of v when all are known.
func fixed(v *graph.Value) []int64 {
	s := v.Shape()
	if !s.Ranked {
		return nil
	}
	out := make([]int64, len(s.Dims))
	for i, d := range s.Dims {
		if d.Value < 0 {
			return nil
		}
		out[i] = d.Value
	}
	return out
}

// layoutFor is the layout of a weight that a layer reads as it is.
func layoutFor(u graph.Use, dims []int64) (Layout, bool) {
	n, rank := u.Node, len(dims)
	switch {
	case n.Is("Conv") && rank > 2:
		return newLayout(dims, 0), true
	case n.Is("ConvTranspose") && rank > 2 && dims[1] == 1 && n.Int("group", 1) > 1:
		return newLayout(dims, 0), true
	case n.Is("ConvTranspose") && rank > 2:
		return newLayout(dims, 1), true
	case n.Is("Gemm") && rank == 2:
		return newLayout(dims, int(1-n.Int("transB", 0)&1)), true
	case n.Is("MatMul") && rank >= 2:
		inner := rank - 2
		if u.Index == 0 {
			inner = rank - 1
		}
		l := Layout{Dims: dims, Rest: []int{inner}, Channels: 1, Cols: int(dims[inner])}
		for i, d := range dims {
			if i != inner {
				l.Rows, l.Channels = append(l.Rows, i), l.Channels*int(d)
			}
		}
		return l, true
	case n.Is("Gather") && rank >= 2:
		axis := n.Int("axis", 0)
		if axis < 0 {
			axis += int64(rank)
		}
		if axis < 0 || axis >= int64(rank) {
			return Layout{}, false
		}
		return newLayout(dims, int(axis)), true
	case n.Is("LSTM", "GRU", "RNN") && rank == 3:
		return newLayout(dims, 0, 1), true
	}
	return Layout{}, false
}
