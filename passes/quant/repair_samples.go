package quant

import (
	"context"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
)

// start stands before the first layer with as many samples as the memory allows.
func (r *repair) start(ctx context.Context, original *graph.Model) error {
	r.arrange(original)
	var ys, xs []*graph.Value
	for _, l := range r.layers {
		ys, xs = append(ys, l.y), append(xs, read(l))
	}
	all := r.env.Calib.Samples
	r.order = scattered(all.Len())
	c := &calib.Calibration{Runner: r.env.Calib.Runner, Samples: all.Pick(r.order[:r.samples(0)]), Threads: r.env.Calib.Threads}
	var err error
	if r.teacher, err = calib.NewFrontier(ctx, c, original, ys); err != nil {
		return err
	}
	if r.student, err = calib.NewFrontier(ctx, c, r.model, xs); err != nil {
		return err
	}
	r.teacher.Recycle()
	r.student.Recycle()
	return nil
}

// scattered lists 0 to n-1 in an order of which every beginning is spread
// evenly: multiples of a number near the golden section of n, modulo n.
func scattered(n int) []int {
	step := max(1, int(0.6180339887498949*float64(n)))
	for common(step, n) != 1 {
		step++
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i * step % n
	}
	return out
}

// common is the greatest common divisor.
func common(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// wider is how much more memory waves may take than one layer after another:
// fewer pieces of the model have to be loaded with them.
const wider = 1.25

// arrange divides the layers into waves, and finds what is held behind each of them.
func (r *repair) arrange(original *graph.Model) {
	r.waves = nil
	for _, l := range r.layers {
		r.waves = append(r.waves, []*rebuilt{l})
	}
	r.held = r.heldBytes(original)
	single, most := r.waves, slices.Max(r.held)
	r.waves = r.independent()
	if held := r.heldBytes(original); float64(slices.Max(held)) <= wider*float64(most) {
		r.held = held
		return
	}
	r.waves = single
}

// independent are waves by the number of layers on the longest way from an input of the model.
func (r *repair) independent() [][]*rebuilt {
	byNode := map[*graph.Node]*rebuilt{}
	for _, l := range r.layers {
		byNode[l.node] = l
	}
	var waves [][]*rebuilt
	depth := map[*graph.Node]int{}
	for n := range r.model.Main.Nodes() {
		d := 0
		for _, v := range n.Reads() {
			if v.Def() != nil {
				d = max(d, depth[v.Def()])
			}
		}
		if l := byNode[n]; l != nil {
			for len(waves) <= d {
				waves = append(waves, nil)
			}
			waves[d] = append(waves[d], l)
			d++
		}
		depth[n] = d
	}
	return slices.DeleteFunc(waves, func(w []*rebuilt) bool { return len(w) == 0 })
}

// heldBytes is what is held of one sample behind each wave, in both models.
func (r *repair) heldBytes(original *graph.Model) []int64 {
	ys, xs := make([][]*graph.Value, len(r.waves)), make([][]*graph.Value, len(r.waves))
	for i, w := range r.waves {
		for _, l := range w {
			ys[i], xs[i] = append(ys[i], l.y), append(xs[i], read(l))
		}
	}
	held := calib.HeldBytes(original, ys, r.bytes)
	for i, n := range calib.HeldBytes(r.model, xs, r.bytes) {
		held[i] += n
	}
	return held
}

// read is what the walk holds of a layer's input: its codes where they are quantized as one tensor.
func read(l *rebuilt) *graph.Value {
	x := l.node.In(0)
	d := x.Def()
	if d == nil || !d.Is("DequantizeLinear") || d.In(0).Const() != nil {
		return x
	}
	if scale := d.In(1).Const(); scale == nil || elements(scale.Dims) != 1 {
		return x
	}
	return d.In(0)
}

// fewest is the number of samples below which no memory limit goes.
const fewest = 8

// cheap is the number of multiply-accumulates that take so little time that
// small models can use more samples than the effort has.
const cheap = 4e9

// samples is how many can be held from wave i on.
func (r *repair) samples(i int) int {
	most := max(1, slices.Max(r.held[i:]))
	n := max(int64(r.effort.samples), cheap/max(1, r.cost.MACs))
	return min(int(max(fewest, min(n, r.effort.memory/most))), len(r.order))
}

// extend takes in more samples in front of wave i when what has to be held
// from there on is so much smaller that there is room for them, and layers want more positions than there are.
func (r *repair) extend(ctx context.Context, i int) error {
	if !r.extends(i) {
		return nil
	}
	more := r.env.Calib.Samples.Pick(r.order[r.teacher.Len():r.samples(i)])
	if err := r.teacher.Extend(ctx, more); err != nil {
		return err
	}
	return r.student.Extend(ctx, more)
}

func (r *repair) extends(i int) bool {
	if i == 0 || r.samples(i) < 2*r.teacher.Len() {
		return false
	}
	for _, w := range r.waves[i:] {
		for _, l := range w {
			if r.rows(l) < r.wanted(l) {
				return true
			}
		}
	}
	return false
}

// wanted is the number of positions to take a layer's moments from.
func (r *repair) wanted(l *rebuilt) int {
	least := r.effort.rows * l.matrix.Cols
	return max(least, min(r.effort.fewest, r.effort.windows/(l.matrix.Groups*l.matrix.Cols)))
}

// rows is the number of positions of all samples.
func (r *repair) rows(l *rebuilt) int { return int(elements(l.spatial)) * r.teacher.Len() }

// perSample is how many positions are wanted of each sample.
func (r *repair) perSample(l *rebuilt) int {
	return int(math.Ceil(float64(r.wanted(l)) / float64(r.teacher.Len())))
}

// bytes is the memory that a value takes, by the sizes of the first sample.
func (r *repair) bytes(v *graph.Value) int64 {
	if d := v.Def(); d != nil && d.Is("QuantizeLinear") {
		return r.bytes(d.In(0)) / 4
	}
	return elements(r.dims(v)) * int64(max(v.Elem().Bits(), 8)) / 8
}
