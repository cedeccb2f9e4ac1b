package quant

import (
	"context"
	"runtime/debug"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// effort is what repairing layers may cost.
type effort struct {
	samples int   // at most
	memory  int64 // bytes held between layers
	rows    int   // positions wanted for each column of a layer's matrix
	fewest  int   // positions wanted, however small the matrix is, as far as
	windows int   // elements of the windows of all groups allow
	columns int   // of the largest matrix whose second moments are taken
}

// efforts by the names of the option; fast has no walk through the layers.
var efforts = map[string]effort{
	EffortDefault: {samples: 24, memory: 48 << 20, rows: 12, fewest: 4096, windows: 32 << 20, columns: 2304},
	EffortHigh:    {samples: 256, memory: 512 << 20, rows: 48, fewest: 4096, windows: 512 << 20, columns: 4608},
}

// repair walks through the layers of the quantized model in waves of layers
// that do not depend on each other. Each layer sees what the layers before it,
// already repaired, make of the samples, and is rebuilt towards what the
// original computes there: its weights by least squares and rounding with
// error feedback, its bias by the difference of the means. What wins on
// samples that were not used for it is taken.
type repair struct {
	*planner
	effort  effort
	layers  []*rebuilt
	waves   [][]*rebuilt
	product *calib.Product
	teacher *calib.Frontier
	student *calib.Frontier
	order   []int   // of the samples: those from the front are spread evenly, however many
	held    []int64 // by wave: bytes of one sample behind it, in both models
	targets map[*rebuilt][]*layerwise.Target
	scratch layerwise.Scratch
}

// rebuilt is one layer of the walk.
type rebuilt struct {
	*layer
	weight  *weight
	matrix  *layerwise.Layer
	biased  bool
	shared  bool         // other layers read the weight too: only the bias is corrected
	adds    []float32    // what the node adds to its product, by output channel; nil for nothing
	y       *graph.Value // its output in the original
	spatial []int64      // positions of the output, by dimension
	how     string       // the recipe that was chosen; empty when no sample was finite there
	judged  bool         // recipes were compared
	before  float64      // squared error of the output with weights rounded to nearest, on the samples for judging
	after   float64      // with what was chosen
}

func (p *planner) repair(ctx context.Context, original *graph.Model) error {
	r := &repair{planner: p, effort: efforts[p.opt.Effort], targets: map[*rebuilt][]*layerwise.Target{}}
	r.find(original)
	if len(r.layers) == 0 {
		return p.guardCodes()
	}
	var err error
	if r.product, err = calib.NewProduct(ctx, p.env.Calib.Runner, p.threads()); err != nil {
		return err
	}
	defer r.product.Close()
	if err := r.start(ctx, original); err != nil {
		return err
	}
	for i, done := 0, 0; i < len(r.waves); i++ {
		if err := r.wave(ctx, i); err != nil {
			return err
		}
		done += len(r.waves[i])
		p.env.Advance("repair", done, len(r.layers))
	}
	p.walked, p.walkedOn = r.layers, r.teacher.Len()
	r.teacher, r.student = nil, nil
	debug.FreeOSMemory() // what was held is as much as all else needs
	return r.guardRepaired()
}

// wave rebuilds the layers of one wave.
func (r *repair) wave(ctx context.Context, i int) error {
	if err := r.extend(ctx, i); err != nil {
		return err
	}
	if err := r.aim(ctx, i); err != nil {
		return err
	}
	inputs, err := r.look(ctx, r.waves[i])
	if err != nil {
		return err
	}
	for _, l := range r.waves[i] {
		if err := r.rebuild(ctx, l, inputs[read(l)]); err != nil {
			return err
		}
	}
	return nil
}

// find lists the layers to walk through, in graph order. Weights that several
// layers share stay as they are; the biases of these layers are corrected all the same.
func (r *repair) find(original *graph.Model) {
	readers := map[weightKey]int{}
	for _, l := range r.planner.layers {
		if l.reason == "" && l.weight != nil {
			readers[r.key(l)]++
		}
	}
	position := map[*graph.Node]int{}
	for n := range r.model.Main.Nodes() {
		position[n] = len(position)
	}
	for _, l := range r.planner.layers {
		if l.int8() && l.weight != nil && l.node.Graph() == r.model.Main {
			if b := r.rebuildable(l, original); b != nil && (b.biased || readers[r.key(l)] == 1) {
				b.shared = readers[r.key(l)] > 1
				r.layers = append(r.layers, b)
			}
		}
	}
	slices.SortStableFunc(r.layers, func(a, b *rebuilt) int { return position[a.node] - position[b.node] })
}

// rebuildable is the layer with what the walk has to know of it; nil when it cannot take part.
func (r *repair) rebuildable(l *layer, original *graph.Model) *rebuilt {
	w := r.weights[r.key(l)]
	matrix, why := layerwise.Of(l.node, w.data.Dims)
	y, dims := original.Main.Value(l.node.Out(0).Name()), r.dims(l.node.Out(0))
	adds, known := l.adds(len(w.scale))
	if why != "" || y == nil || dims == nil || w.axis < 0 || !known {
		return nil
	}
	return &rebuilt{layer: l, weight: w, matrix: matrix, biased: l.biasable(w), adds: adds, y: y, spatial: matrix.Spatial(dims)}
}

// adds is what the node itself adds to its product, one number for each of n
// output channels, nil when nothing. It is not known when it is computed or differs from row to row:
// then errors of the weights cannot be told from it.
func (l *layer) adds(n int) (b []float32, known bool) {
	if l.node.Is("MatMul") || l.node.In(2) == nil {
		return nil, true
	}
	t := l.node.In(2).Const()
	if t == nil || t.Type != onnx.Float || elements(t.Dims) != 1 && !constantOf(l.node.In(2), n) {
		return nil, false
	}
	b, err := t.Float32s()
	if err != nil {
		return nil, false
	}
	out := make([]float32, n)
	for c := range out {
		out[c] = b[c%len(b)]
		if l.node.Is("Gemm") {
			out[c] *= l.node.Float("beta", 1)
		}
	}
	return out, true
}

// rebuild measures one layer and stores what is best for it.
func (r *repair) rebuild(ctx context.Context, l *rebuilt, inputs []*layerwise.Input) error {
	m, err := r.measure(ctx, l, inputs)
	delete(r.targets, l)
	if err != nil || m == nil {
		return err
	}
	best, err := r.choose(ctx, l, m)
	if err != nil {
		return err
	}
	r.store(l, best, m.base)
	return nil
}
