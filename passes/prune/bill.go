package prune

import (
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/graph/cost"
)

// bill is what the layers of a model compute and hold, as a function of how many
// classes of each pool are gone. Every entry is a product of axis sizes, so it
// shrinks by the product of what is left of its axes.
type bill struct {
	work      []entry // multiply-accumulates
	weights   []entry // parameters
	byPool    [][]int // of each pool: the entries of work that it shrinks
	weightsOf [][]int // likewise of weights
	shapes    []string
}

type entry struct {
	node    *graph.Node // nil for weights
	amount  float64
	factors []factor
}

// factor is one axis of an entry: its size and what the classes of pools have of it.
type factor struct {
	size   int
	shares []share
}

type share struct{ pool, each int }

// count makes the bill for the shapes of the first sample, or those that the user gave.
// Sizes that stay unknown count as 256 where they may be positions, the batch as 1.
func (p *pruner) count(ctx context.Context) (*bill, error) {
	m := p.env.Model
	shapes := p.shapes(ctx)
	bound, err := cost.Bind(m, shapes, p.env.Sizes)
	if bound == nil || err != nil {
		bound = m
	}
	shares := p.shares()
	b := &bill{shapes: cost.Shapes(bound)}
	here := map[*graph.Node]*graph.Node{}
	mine := slices.Collect(m.All())
	for i, n := range slices.Collect(bound.All()) {
		here[n] = mine[i]
	}
	for _, l := range cost.Count(bound).Layers {
		if l.MACs > 0 {
			b.add(here[l.Node], float64(l.MACs), shares)
		}
	}
	b.hold(m, shares)
	b.byPool = index(b.work, len(p.analysis.Pools))
	b.weightsOf = index(b.weights, len(p.analysis.Pools))
	return b, nil
}

// index lists for each pool the entries that it shrinks.
func index(list []entry, pools int) [][]int {
	out := make([][]int, pools)
	for i, e := range list {
		for _, f := range e.factors {
			for _, s := range f.shares {
				if of := out[s.pool]; len(of) == 0 || of[len(of)-1] != i {
					out[s.pool] = append(of, i)
				}
			}
		}
	}
	return out
}

// shapes are the sizes of the inputs to count for.
func (p *pruner) shapes(ctx context.Context) map[string][]int64 {
	out := map[string][]int64{}
	if c := p.env.Calib; c != nil && c.Samples.Len() > 0 {
		if s, err := c.Samples.Read(ctx, 0); err == nil {
			for name, a := range s.Inputs {
				out[name] = a.Shape
			}
		}
	}
	for name, s := range p.env.Shapes {
		out[name] = s
	}
	for _, v := range p.env.Model.Main.Inputs() {
		if _, given := out[v.Name()]; !given && !v.IsInit() && v.Shape().Ranked {
			out[v.Name()] = typical(v.Shape(), p.env.Sizes)
		}
	}
	return out
}

// typical is a shape with sizes for what is not known.
func typical(s graph.Shape, sizes map[string]int64) []int64 {
	var out []int64
	for i, d := range s.Dims {
		size, named := sizes[d.Param]
		switch {
		case d.Value >= 0:
			size = d.Value
		case named && d.Param != "":
		case i == 0:
			size = 1
		default:
			size = 256
		}
		out = append(out, size)
	}
	return out
}

// shares lists, for every axis that can shrink, what the classes of each pool have of it.
func (p *pruner) shares() map[axes.Axis][]share {
	out := map[axes.Axis][]share{}
	for i, pool := range p.analysis.Pools {
		for _, t := range pool.Touches {
			out[t.Axis] = append(out[t.Axis], share{i, t.Each})
		}
	}
	return out
}

// add enters the work of a node.
func (b *bill) add(n *graph.Node, macs float64, shares map[axes.Axis][]share) {
	enter := func(amount float64, list ...axes.Axis) {
		b.work = append(b.work, makeEntry(n, amount, list, shares))
	}
	w := n.In(1)
	switch n.Op() {
	case "QLinearConv":
		enter(macs, axes.Axis{Value: n.In(3), Axis: 0}, axes.Axis{Value: n.In(3), Axis: 1})
	case "Conv", "ConvTranspose", "ConvInteger":
		enter(macs, axes.Axis{Value: w, Axis: 0}, axes.Axis{Value: w, Axis: 1})
	case "LSTM", "GRU", "RNN":
		r := n.In(2)
		wide, deep := elements(w), elements(r)
		if wide+deep == 0 {
			enter(macs)
			return
		}
		enter(macs*wide/(wide+deep), axes.Axis{Value: w, Axis: 1}, axes.Axis{Value: w, Axis: 2})
		enter(macs*deep/(wide+deep), axes.Axis{Value: r, Axis: 1}, axes.Axis{Value: r, Axis: 2})
	case "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul":
		inner := len(n.In(0).Shape().Dims) - 1
		if n.Is("Gemm") && n.Int("transA", 0) != 0 {
			inner = 0
		}
		list := []axes.Axis{{Value: n.In(0), Axis: inner}}
		for i := range n.Out(0).Shape().Dims {
			list = append(list, axes.Axis{Value: n.Out(0), Axis: i})
		}
		enter(macs, list...)
	default:
		enter(macs)
	}
}

func makeEntry(n *graph.Node, amount float64, list []axes.Axis, shares map[axes.Axis][]share) entry {
	e := entry{node: n, amount: amount}
	for _, a := range list {
		if s := shares[a]; s != nil {
			e.factors = append(e.factors, factor{int(a.Value.Shape().Dims[a.Axis].Value), s})
		}
	}
	return e
}

func elements(v *graph.Value) float64 {
	if v == nil {
		return 0
	}
	n, ok := v.Shape().Elements()
	if !ok {
		return 0
	}
	return float64(n)
}

// hold enters the constants.
func (b *bill) hold(m *graph.Model, shares map[axes.Axis][]share) {
	for g := range m.Graphs() {
		for _, v := range g.Initializers() {
			if !v.Elem().IsFloat() && v.Elem().Bits() > 8 {
				continue // shapes and indices
			}
			var list []axes.Axis
			for i := range v.Shape().Dims {
				list = append(list, axes.Axis{Value: v, Axis: i})
			}
			b.weights = append(b.weights, makeEntry(nil, elements(v), list, shares))
		}
	}
}

// left is what is left of an entry when gone classes of each pool are removed; unit rounds axes up to a multiple.
func (e *entry) left(gone []int, unit int) float64 {
	out := e.amount
	for _, f := range e.factors {
		size := f.size
		for _, s := range f.shares {
			if gone != nil {
				size -= gone[s.pool] * s.each
			}
		}
		full := f.size
		if unit > 1 {
			size, full = (size+unit-1)/unit*unit, f.size
		}
		out *= float64(size) / float64(full)
	}
	return out
}

func sum(list []entry, gone []int, unit int) float64 {
	t := 0.0
	for i := range list {
		t += list[i].left(gone, unit)
	}
	return t
}

// macs are the multiply-accumulates that are left; gone may be nil.
func (b *bill) macs(gone []int) float64 { return sum(b.work, gone, 1) }

// aligned are the multiply-accumulates when a runtime rounds channels up to a multiple.
func (b *bill) aligned(gone []int, unit int) float64 { return sum(b.work, gone, unit) }

// params are the parameters that are left.
func (b *bill) params(gone []int) float64 { return sum(b.weights, gone, 1) }

// around is the work of the layers that pool i shrinks.
func (b *bill) around(i int, gone []int) float64 {
	return sumOf(b.work, b.byPool[i], gone)
}

func sumOf(list []entry, which, gone []int) float64 {
	t := 0.0
	for _, k := range which {
		t += list[k].left(gone, 1)
	}
	return t
}

// prunable is the share of the work, 0 to 1, in layers that some pool shrinks.
func (b *bill) prunable() float64 {
	all, some := 0.0, 0.0
	for _, e := range b.work {
		all += e.amount
		if len(e.factors) > 0 {
			some += e.amount
		}
	}
	if all == 0 {
		return 0
	}
	return some / all
}
