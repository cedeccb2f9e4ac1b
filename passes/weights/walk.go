package weights

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/cost"
)

// WalkOptions say what a walk may do and cost. The zero value rounds to nearest and corrects nothing.
type WalkOptions struct {
	Feedback bool // rounding with error feedback
	Refit    bool // least squares against the outputs of the original, before feedback
	Retable  bool // the best entries of tables, after feedback
	Rescale  bool // the best scale of each channel, after that
	Bias     bool // correct biases for what is left in the mean
	Alone    bool // every layer sees what the original computes, as if no other weight were rounded

	Samples int       // at most; 0: 40
	Memory  int64     // bytes held between layers; 0: 64 MiB
	Rows    int       // positions wanted for each column of a layer's matrix; 0: 12
	Columns int       // of the largest matrix whose second moments are taken; 0: 2304
	Ridges  []float64 // shares of the mean variance that are tried as damping of the refit; the first one also damps feedback alone; nil: 0.1 and 1

	Progress func(done, total int) // may be nil
}

// Walked is what a walk did.
type Walked struct {
	Layers  int // that were measured
	Samples int // that were used
}

func (o *WalkOptions) fill() {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&o.Samples, 40)
	set(&o.Rows, 12)
	set(&o.Columns, 2304)
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	if o.Ridges == nil {
		o.Ridges = []float64{0.1, 1}
	}
}

// Walk rounds the items, which belong to m, going through the layers in order:
// each sees what the layers before it, already rounded, make of the samples,
// and is compared with what the original computes there. Of the ways to round a
// weight the one is taken that errs least on samples that it was not fitted to.
// What no layer of the main graph multiplies by is rounded to nearest. The model stays as it is.
func Walk(ctx context.Context, m *graph.Model, c *calib.Calibration, items []*Item, o WalkOptions) (*Walked, error) {
	o.fill()
	w := &walk{ctx: ctx, o: o, c: c, original: m, model: m.Clone()}
	if err := w.bind(); err != nil {
		return nil, err
	}
	if err := w.plain(items); err != nil {
		return nil, err
	}
	if len(w.stops) == 0 {
		return &Walked{}, nil
	}
	var err error
	if w.product, err = calib.NewProduct(ctx, c.Runner, w.threads()); err != nil {
		return nil, err
	}
	defer w.product.Close()
	if err := w.start(); err != nil {
		return nil, err
	}
	for i := range w.stops {
		if err := errors.Join(ctx.Err(), w.refill(i)); err != nil {
			return nil, err
		}
		if err := w.visit(w.stops[i]); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(i+1, len(w.stops))
		}
	}
	used := w.teacher.Len()
	w.teacher, w.student = nil, nil
	debug.FreeOSMemory() // what was held is as much as all else needs
	return &Walked{len(w.stops), used}, nil
}

// walk is one walk. The model is a clone of the original in which weights are replaced by rounded ones.
type walk struct {
	ctx      context.Context
	o        WalkOptions
	c        *calib.Calibration
	original *graph.Model
	model    *graph.Model
	bound    *graph.Model // with the sizes of the first sample
	macs     int64
	stops    []*stop
	product  *calib.Product
	teacher  *calib.Frontier
	student  *calib.Frontier
	held     []int64 // by stop: bytes of one sample behind it, in both models
}

func (w *walk) threads() int {
	if w.c.Threads > 0 {
		return w.c.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// bind infers a model with the sizes of the first sample, where that is possible.
func (w *walk) bind() error {
	s, err := w.c.Samples.Read(w.ctx, 0)
	if err != nil {
		return err
	}
	shapes := map[string][]int64{}
	for name, a := range s.Inputs {
		shapes[name] = a.Shape
	}
	if w.bound, err = cost.Bind(w.original, shapes, nil); err != nil {
		w.bound = w.original
	}
	w.macs = cost.Count(w.bound).MACs
	return nil
}

// dims are the sizes of a value for the first sample; nil when not all are known.
func (w *walk) dims(v *graph.Value) []int64 {
	if v == nil {
		return nil
	}
	if v = w.bound.Main.Value(v.Name()); v == nil {
		return nil
	}
	return fixed(v)
}

// plain rounds to nearest what the walk does not visit, and lists what it does.
func (w *walk) plain(items []*Item) error {
	position := map[*graph.Node]int{}
	for n := range w.model.Main.Nodes() {
		position[n] = len(position)
	}
	for _, it := range items {
		stops := w.stopsOf(it)
		w.stops = append(w.stops, stops...)
		if len(stops) == 1 && !stops[0].shared {
			continue
		}
		if err := it.Plain(); err != nil {
			return err
		}
		if !w.o.Alone {
			w.replace(it)
		}
	}
	slices.SortStableFunc(w.stops, func(a, b *stop) int { return position[a.node] - position[b.node] })
	return nil
}

// replace gives the model of the walk the rounded weight.
func (w *walk) replace(it *Item) {
	if it.Stored == nil || it.Value.Graph() != w.original.Main {
		return
	}
	v := w.model.Main.Value(it.Value.Name())
	if v.IsInit() {
		v.SetInit(it.Stored)
		return
	}
	v.ReplaceUses(w.model.Main.Init(v.Name(), it.Stored), nil)
	Remove(v)
}
