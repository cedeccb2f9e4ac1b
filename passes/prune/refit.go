package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// What refitting may cost.
const (
	refitMemory  = 192 << 20 // bytes held between layers
	refitRows    = 600       // positions wanted for each column of a layer's matrix
	refitColumns = 2304      // of the largest matrix whose second moments are taken
	refitFewest  = 8         // samples below which no memory limit goes
)

// refit walks through the layers of the cut model in order. Each sees what the
// layers before it, already refitted, make of the samples, and is brought by
// least squares to what the original computes there from its own. Where the
// result is added to something the target is the sum in the original less what
// is added here: so the layer also makes up for what the shortcut lost.
type refit struct {
	*pruner
	layers           []*fitted
	product          *calib.Product
	teacher, student *calib.Frontier
}

// fitted is one layer of the walk.
type fitted struct {
	node     *graph.Node      // in the cut model
	y        *graph.Value     // its output in the original, or that of the addition behind
	rows     []int            // output channels of the original that stay; nil: all
	axis     int              // of the output channels
	shortcut *graph.Value     // what is added to the output in the cut model; nil for nothing
	added    []*graph.Value   // that and constants before it
	matrix   *layerwise.Layer //
	spatial  []int64          // positions of the output
	plain    *plannedLayer    // what merging made of it, if it lost inputs
	how      string           // what was chosen
	before   float64          // error of the output as merged, on the samples for judging
	after    float64          // of what was chosen
}

// counterparts remembers, before the cut, the layers of the model with their place in the original.
func (p *pruner) counterparts(removed [][]int) []*fitted {
	if p.state == nil || p.o.Compensate != Refit {
		return nil
	}
	gone := p.marked(flat(removed))
	var out []*fitted
	for n := range p.env.Model.Main.Nodes() {
		if n.Out(0) == nil {
			continue
		}
		l, ok := plainLayer(n)
		twin := p.state.original.Main.Value(n.Out(0).Name())
		if !ok || twin == nil {
			continue
		}
		f := &fitted{node: n, y: twin, axis: l.output().Axis}
		if rows := p.stay(l.output(), gone); len(rows) < l.cout {
			f.rows = rows
		}
		out = append(out, f)
	}
	return out
}

// refit is the walk over layers that were remembered before the cut.
func (p *pruner) refit(ctx context.Context, layers []*fitted) error {
	r := &refit{pruner: p}
	r.find(layers)
	if len(r.layers) == 0 {
		return nil
	}
	var err error
	if r.product, err = calib.NewProduct(ctx, p.env.Calib.Runner, p.parallel()); err != nil {
		return err
	}
	defer r.product.Close()
	if err := r.start(ctx); err != nil {
		return err
	}
	for i, l := range r.layers {
		if err := r.rebuild(ctx, l); err != nil {
			return err
		}
		p.env.Advance("refit", i+1, len(r.layers))
	}
	p.walked = r.layers
	return nil
}

// find keeps the layers whose inputs changed, in order.
func (r *refit) find(layers []*fitted) {
	touched := r.touched(layers)
	for _, f := range layers {
		if f.node.Removed() || !touched[f.node] {
			continue
		}
		l, ok := plainLayer(f.node)
		if !ok || !writable(f.node.In(l.sink.Weight)) {
			continue
		}
		matrix, why := layerwise.Of(f.node, l.w.dims)
		dims, known := r.dims(f.node.Out(0))
		if why != "" || !known || f.node.Is("Gemm") && f.node.Float("beta", 1) != 1 {
			continue
		}
		f.matrix, f.spatial = matrix, matrix.Spatial(dims)
		r.layers = append(r.layers, f)
	}
	for i, f := range r.layers {
		r.lookBehind(i, f)
	}
}

// touched are the nodes that compute something else than in the original, because channels went before them.
func (r *refit) touched(layers []*fitted) map[*graph.Node]bool {
	cut := map[*graph.Node]bool{}
	for _, f := range layers {
		cut[f.node] = f.rows != nil
	}
	changed := map[*graph.Value]bool{}
	out := map[*graph.Node]bool{}
	for n := range r.env.Model.Main.Nodes() {
		for _, v := range n.Reads() {
			if changed[v] {
				out[n] = true
			}
		}
		if out[n] || cut[n] {
			for _, v := range n.Outs() {
				changed[v] = true
			}
		}
	}
	return out
}

// dims are the sizes of a value for the first sample.
func (r *refit) dims(v *graph.Value) ([]int64, bool) {
	out := make([]int64, rankOf(v))
	for i, d := range v.Shape().Dims {
		out[i] = d.Value
		if d.Value < 0 {
			out[i] = 1
			if i > 0 {
				out[i] = 256
			}
		}
	}
	return out, v.Shape().Ranked
}

// lookBehind finds what is added behind layer i, when that does not depend on it
// or on a layer that is still to come.
func (r *refit) lookBehind(i int, f *fitted) {
	y, added := f.node.Out(0), []*graph.Value(nil)
	if add, other := addedTo(y); add != nil && other.Const() != nil && f.node.Is("MatMul") {
		y, added = add.Out(0), append(added, other)
	}
	if add, other := addedTo(y); add != nil && other.Const() == nil && sameShape(other, y) && !r.depends(other, r.layers[i:]) {
		y, added = add.Out(0), append(added, other)
		f.shortcut = other
	}
	sum := r.state.original.Main.Value(y.Name())
	if f.shortcut == nil || sum == nil {
		f.shortcut = nil
		return
	}
	f.y, f.added = sum, added
}

// addedTo is the addition that alone reads v, and its other operand.
func addedTo(v *graph.Value) (*graph.Node, *graph.Value) {
	uses := v.Uses()
	if len(uses) != 1 || uses[0].IsReturn() || !uses[0].Node.Is("Add") {
		return nil, nil
	}
	return uses[0].Node, uses[0].Node.In(1 - uses[0].Index)
}

func sameShape(a, b *graph.Value) bool {
	if rankOf(a) != rankOf(b) {
		return false
	}
	for i, d := range a.Shape().Dims {
		if e := b.Shape().Dims[i]; d.Value != e.Value || d.Param != e.Param {
			return false
		}
	}
	return true
}

// depends tells whether v is computed from what one of the layers computes.
func (r *refit) depends(v *graph.Value, layers []*fitted) bool {
	later := map[*graph.Node]bool{}
	for _, f := range layers {
		later[f.node] = true
	}
	seen := map[*graph.Node]bool{}
	stack := []*graph.Value{v}
	for len(stack) > 0 {
		n := stack[len(stack)-1].Def()
		stack = stack[:len(stack)-1]
		if n == nil || seen[n] {
			continue
		}
		if later[n] {
			return true
		}
		seen[n] = true
		stack = append(stack, n.Reads()...)
	}
	return false
}

// start stands before the first layer in both models, with as many samples as the memory allows.
func (r *refit) start(ctx context.Context) error {
	var ys, xs []*graph.Value
	var wantY, wantX [][]*graph.Value
	for _, f := range r.layers {
		wantY, wantX = append(wantY, []*graph.Value{f.y}), append(wantX, f.inputs())
		ys, xs = append(ys, f.y), append(xs, f.inputs()...)
	}
	held := int64(1)
	student := calib.HeldBytes(r.env.Model, wantX, r.bytes)
	for i, n := range calib.HeldBytes(r.state.original, wantY, r.bytes) {
		held = max(held, n+student[i])
	}
	n := max(refitFewest, refitMemory/held)
	c := &calib.Calibration{Runner: r.env.Runner, Samples: r.env.Calib.Samples.Spread(int(n)), Threads: r.parallel()}
	var err error
	if r.teacher, err = calib.NewFrontier(ctx, c, r.state.original, ys); err != nil {
		return err
	}
	if r.student, err = calib.NewFrontier(ctx, c, r.env.Model, xs); err != nil {
		return err
	}
	r.teacher.Recycle()
	r.student.Recycle()
	return nil
}

// inputs are the values of the cut model that the fit of a layer needs.
func (f *fitted) inputs() []*graph.Value {
	if f.shortcut == nil {
		return []*graph.Value{f.node.In(0)}
	}
	return []*graph.Value{f.node.In(0), f.shortcut}
}

// bytes is the memory that a value takes.
func (r *refit) bytes(v *graph.Value) int64 {
	dims, _ := r.dims(v)
	n := int64(max(v.Elem().Bits(), 8)) / 8
	for _, d := range dims {
		n *= d
	}
	return n
}
