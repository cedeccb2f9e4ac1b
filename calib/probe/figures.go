package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
)

// Figures are what became of one value of a model in a quantized copy of it.
type Figures struct {
	Chain *calib.Agreement // of the value in the quantized model; nil when it is not there
	Own   *calib.Agreement // of the layer's error from exact inputs; nil for what is no layer
}

// exposed bounds the memory, in bytes, of the inner values that one session
// gives out as outputs: runtimes cannot reuse their memory.
const exposed = 64 << 20

// Trace compares values of the main graph, such as the outputs of layers, in
// both models on the samples: as they are in the quantized model, with all the
// noise from before, and as one layer alone makes them. Every sample costs
// about three runs of a model. The figures are in the order of the names.
func Trace(ctx context.Context, r calib.Runner, float, quantized *graph.Model, names []string, set *calib.Set, threads int) ([]Figures, error) {
	t := &trace{runner: r, float: float, quantized: quantized, set: set, threads: threads, layers: map[string]*Layer{}}
	for _, l := range Layers(float, quantized) {
		t.layers[l.Output] = l
	}
	sizes, err := sizes(ctx, float, set)
	if err != nil {
		return nil, err
	}
	out := make([]Figures, len(names))
	for from := 0; from < len(names); {
		to, sum := from, int64(0)
		for to < len(names) && (to == from || sum+2*sizes[names[to]] <= exposed) {
			sum += 2 * sizes[names[to]]
			to++
		}
		if err := t.part(ctx, names[from:to], out[from:to]); err != nil {
			return nil, err
		}
		from = to
	}
	return out, nil
}

type trace struct {
	runner           calib.Runner
	float, quantized *graph.Model
	set              *calib.Set
	threads          int
	layers           map[string]*Layer
}

// part compares some of the values.
func (t *trace) part(ctx context.Context, names []string, out []Figures) error {
	a, b := newTap(t.float), newTap(t.quantized)
	var chain, own []int // indices in names
	for i, name := range names {
		if a.model.Main.Local(name) != nil && b.model.Main.Local(name) != nil {
			a.add(name)
			b.add(name)
			chain = append(chain, i)
		}
	}
	for _, i := range chain {
		l := t.layers[names[i]]
		if l == nil {
			continue
		}
		v, err := l.Branch(a.model)
		if err != nil {
			continue
		}
		a.values = append(a.values, v)
		own = append(own, i)
	}
	if len(chain) == 0 {
		return nil
	}
	exact, noisy, err := t.run(ctx, a, b, len(chain), positions(chain, own))
	if err != nil {
		return err
	}
	for k, i := range chain {
		out[i].Chain = &noisy.Outputs[k]
	}
	for k, i := range own {
		out[i].Own = &exact.Outputs[k]
	}
	return nil
}

// positions are the places of some in all, both ascending.
func positions(all, some []int) []int {
	var out []int
	for k, i := range all {
		if len(out) < len(some) && some[len(out)] == i {
			out = append(out, k)
		}
	}
	return out
}

// run compares the first n values of a with those of b, and those at own with the rest of a.
func (t *trace) run(ctx context.Context, a, b *tap, n int, own []int) (exact, noisy *calib.Comparison, err error) {
	first, err := a.open(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	defer first.Close()
	second, err := b.open(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	defer second.Close()
	ports := first.Outputs()
	alone, chain := calib.NewPlainMeter(ports[n:]), calib.NewPlainMeter(ports[:n])
	for i := range t.set.Len() {
		sample, err := t.set.Read(ctx, i)
		if err != nil {
			return nil, nil, err
		}
		err = first.Run(ctx, sample.Inputs, func(want []calib.Array) error {
			var ref []calib.Array
			for _, k := range own {
				ref = append(ref, want[k])
			}
			var aloneErr error
			var group sync.WaitGroup
			group.Go(func() { aloneErr = alone.Add(sample.Name, ref, want[n:]) })
			err := second.Run(ctx, sample.Inputs, func(got []calib.Array) error { return chain.Add(sample.Name, want[:n], got) })
			group.Wait()
			return errors.Join(err, aloneErr)
		})
		if err != nil {
			return nil, nil, fmt.Errorf("sample %s: %w", sample.Name, err)
		}
	}
	return alone.Comparison(), chain.Comparison(), nil
}

// tap is a copy of a model that gives out some of its values.
type tap struct {
	model  *graph.Model
	values []*graph.Value
}

func newTap(m *graph.Model) *tap { return &tap{model: m.Clone()} }

func (t *tap) add(name string) { t.values = append(t.values, t.model.Main.Local(name)) }

// open loads the part of the model that computes the values.
func (t *tap) open(ctx context.Context, tr *trace) (calib.Session, error) {
	proto, err := t.model.Extract(nil, t.values).Export()
	if err != nil {
		return nil, err
	}
	return tr.runner.Open(ctx, proto, calib.OpenOptions{Threads: tr.threads})
}
