package prune

import (
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
)

// cell is what is known of all elements at one index of an axis: that they are
// one constant, whatever the input of the model, or nothing.
type cell struct {
	fixed bool
	x     float64
}

// constants propagates cells along the axes that can shrink, forward through the model.
type constants struct {
	analysis *axes.Analysis
	cells    map[axes.Axis][]cell
	observed int // cells that rest on samples
}

// findConstants computes the cells of every value.
func findConstants(a *axes.Analysis) *constants {
	c := &constants{analysis: a, cells: map[axes.Axis][]cell{}}
	for g := range a.Model.Graphs() {
		for _, v := range g.Initializers() {
			c.initial(v)
		}
	}
	for n := range a.Model.Main.All() {
		for _, y := range n.Outs() {
			if y != nil {
				c.output(n, y)
			}
		}
	}
	return c
}

// initial looks for indices of a constant at which all elements are equal.
func (c *constants) initial(v *graph.Value) {
	for i := range v.Shape().Dims {
		at := axes.Axis{Value: v, Axis: i}
		if !c.analysis.Shrinkable(v, i) {
			continue
		}
		w, ok := weights(v)
		if !ok {
			return
		}
		list := make([]cell, w.dims[i])
		seen := make([]bool, w.dims[i])
		w.fold(i, func(k int, x float64) {
			if !seen[k] {
				list[k], seen[k] = cell{true, x}, true
			} else if list[k].x != x {
				list[k].fixed = false
			}
		})
		c.cells[at] = list
	}
}

func (c *constants) output(n *graph.Node, y *graph.Value) {
	for i, d := range y.Shape().Dims {
		if !c.analysis.Shrinkable(y, i) {
			continue
		}
		list := c.compute(n, y, i, int(d.Value))
		for k, e := range list {
			if math.IsNaN(e.x) || math.IsInf(e.x, 0) {
				list[k] = cell{}
			}
		}
		if list != nil {
			c.cells[axes.Axis{Value: y, Axis: i}] = list
		}
	}
}

// compute are the cells of axis i of output y, nil when nothing is known.
func (c *constants) compute(n *graph.Node, y *graph.Value, i, size int) []cell {
	if f := functionOf(n); f != nil {
		return c.mapped(c.of(n.In(0), i), f)
	}
	switch {
	case n.Is("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "PRelu"):
		return c.combined(n, y, i, size)
	case n.Is("Conv", "ConvTranspose", "Gemm", "MatMul"):
		return c.products(n, i, size)
	case n.Is("BatchNormalization") && i == 1:
		return c.normalised(n, size)
	case n.Is("MaxPool", "GlobalMaxPool", "GlobalAveragePool") && i == 1:
		return slices.Clone(c.of(n.In(0), 1))
	case n.Is("AveragePool", "LpPool", "GlobalLpPool") && i == 1:
		exact := n.Is("AveragePool") && (n.Int("count_include_pad", 0) == 0 || unpadded(n))
		return c.when(c.of(n.In(0), 1), exact)
	case n.Is("ReduceMean", "ReduceMax", "ReduceMin", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather",
		"DepthToSpace", "SpaceToDepth", "Tile", "Identity", "Expand"):
		return c.moved(n, y, i, size)
	case n.Is("ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"), n.Is("Resize") && n.String("mode", "nearest") == "cubic":
		return c.when(c.moved(n, y, i, size), false)
	case n.Is("Resize", "Upsample"):
		return c.moved(n, y, i, size)
	case n.Is("Pad") && padsWithZero(n):
		return c.when(c.moved(n, y, i, size), false)
	}
	return nil
}

// of are the cells of an axis, nil when nothing is known.
func (c *constants) of(v *graph.Value, i int) []cell {
	if v == nil {
		return nil
	}
	return c.cells[axes.Axis{Value: v, Axis: i}]
}

func (c *constants) mapped(in []cell, f func(float64) float64) []cell {
	out := make([]cell, len(in))
	for k, e := range in {
		if e.fixed {
			out[k] = cell{true, f(e.x)}
		}
	}
	return out
}

// when keeps zeros, and other constants only where they survive as they are.
func (c *constants) when(in []cell, exact bool) []cell {
	out := make([]cell, len(in))
	for k, e := range in {
		if e.fixed && (exact || e.x == 0) {
			out[k] = e
		}
	}
	return out
}

// moved are the cells of an operator that only moves elements: those of a class
// in the result are what those of the class in the operands are.
func (c *constants) moved(n *graph.Node, y *graph.Value, i, size int) []cell {
	known := map[int]cell{}
	mixed := map[int]bool{}
	for _, x := range n.Ins() {
		for j := range rankOf(x) {
			cells := c.of(x, j)
			for k, class := range c.analysis.ClassesOf(axes.Axis{Value: x, Axis: j}) {
				if class < 0 {
					continue
				}
				e := cell{}
				if k < len(cells) {
					e = cells[k]
				}
				if old, ok := known[class]; ok && old != e || !e.fixed {
					mixed[class] = true
				}
				known[class] = e
			}
		}
	}
	out := make([]cell, size)
	for k, class := range c.analysis.ClassesOf(axes.Axis{Value: y, Axis: i}) {
		e, ok := known[class]
		if n.Is("Pad") && !ok {
			e, ok = cell{true, 0}, true // padded channels
		}
		if ok && !mixed[class] && k < size {
			out[k] = e
		}
	}
	return out
}

func rankOf(v *graph.Value) int {
	if v == nil {
		return 0
	}
	return len(v.Shape().Dims)
}

// combined are the cells of an element-wise operator of several operands.
func (c *constants) combined(n *graph.Node, y *graph.Value, i, size int) []cell {
	out := make([]cell, size)
	var operands [][]cell
	for _, x := range n.Ins() {
		operands = append(operands, c.aligned(x, i-rankOf(y), size))
	}
	for k := range out {
		out[k] = combine(n.Op(), operands, k)
	}
	return out
}

// aligned are the cells of operand x along axis i, counted from the end; a constant of one value has it everywhere.
func (c *constants) aligned(x *graph.Value, i, size int) []cell {
	if at := i + rankOf(x); at >= 0 && x.Shape().Dims[at].Value == int64(size) {
		return c.of(x, at)
	}
	w, ok := weights(x)
	if !ok || len(w.at) == 0 || slices.ContainsFunc(w.at, func(v float64) bool { return v != w.at[0] }) {
		return nil
	}
	return slices.Repeat([]cell{{true, w.at[0]}}, size)
}

// combine is index k of an element-wise operator. A product with zero is zero whatever the other factor.
func combine(op string, operands [][]cell, k int) cell {
	out, zero := cell{}, false
	for i, list := range operands {
		e := cell{}
		if k < len(list) {
			e = list[k]
		}
		zero = zero || e.fixed && e.x == 0
		switch {
		case i == 0:
			out = e
		case !e.fixed:
			out.fixed = false
		default:
			out.x = pairwise(op, out.x, e.x)
		}
	}
	if op == "Mul" && zero {
		return cell{true, 0}
	}
	return out
}

func pairwise(op string, a, b float64) float64 {
	switch op {
	case "Sub":
		return a - b
	case "Mul":
		return a * b
	case "Div":
		return a / b
	case "Max":
		return math.Max(a, b)
	case "Min":
		return math.Min(a, b)
	case "PRelu":
		if a < 0 {
			return a * b
		}
		return a
	}
	return a + b
}

// normalised are the cells behind BatchNormalization.
func (c *constants) normalised(n *graph.Node, size int) []cell {
	in := c.of(n.In(0), 1)
	var p [4][]float64
	for k := range p {
		w, ok := weights(n.In(k + 1))
		if !ok || len(w.at) != size || in == nil {
			return nil
		}
		p[k] = w.at
	}
	out := make([]cell, size)
	eps := float64(n.Float("epsilon", 1e-5))
	for k, e := range in {
		if e.fixed || p[0][k] == 0 {
			out[k] = cell{true, p[0][k]*(e.x-p[2][k])/math.Sqrt(p[3][k]+eps) + p[1][k]}
		}
	}
	return out
}

func padsWithZero(n *graph.Node) bool {
	if n.String("mode", "constant") != "constant" {
		return false
	}
	v := n.In(2)
	if v == nil {
		return n.Float("value", 0) == 0
	}
	w, ok := weights(v)
	return ok && len(w.at) == 1 && w.at[0] == 0
}

// unpadded tells whether the windows of n stay inside the picture.
func unpadded(n *graph.Node) bool {
	switch n.String("auto_pad", "NOTSET") {
	case "NOTSET":
		return !slices.ContainsFunc(n.Ints("pads", nil), func(p int64) bool { return p != 0 })
	case "VALID":
		return true
	}
	return false
}
