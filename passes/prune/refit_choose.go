package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// ridges that are tried, as shares of the mean variance of the inputs.
var ridges = []float64{1e-3, 1e-2, 1e-1, 1}

// How a layer was rebuilt, as reports name it.
const (
	howRefit = "refit"
	howMerge = "merge"
	howBias  = "bias"
	howNone  = "none"
)

// candidate is a change of a layer's weight, in the order of the matrices, and of its bias.
type candidate struct {
	how   string
	delta []float32
	shift []float64
}

// rebuild measures one layer and stores what is best for it on the samples that were put aside.
func (r *refit) rebuild(ctx context.Context, f *fitted) error {
	m, err := r.measure(ctx, f)
	if err != nil || m == nil {
		return err
	}
	l, _ := plainLayer(f.node)
	biased := l.biased()
	best := candidate{howMerge, make([]float32, len(m.base)), make([]float64, f.matrix.Channels())}
	f.how = best.how
	if m.check.XX == nil || m.check.N == 0 {
		return nil
	}
	tools := r.tools(ctx)
	if f.before, err = m.check.Error(best.delta, best.shift, tools); err != nil {
		return err
	}
	f.after = f.before
	list, err := r.candidates(f, m, biased, tools)
	if err != nil {
		return err
	}
	for _, c := range list {
		e, err := m.check.Error(c.delta, c.shift, tools)
		if err != nil {
			return err
		}
		if e < f.after {
			best, f.after, f.how = c, e, c.how
		}
	}
	r.store(f, l, m, best)
	return nil
}

// candidates are least squares with each ridge, the bias corrected alone, and, of a
// layer that lost inputs, its weights as they were with the bias corrected and without.
func (r *refit) candidates(f *fitted, m *measured, biased bool, tools layerwise.Tools) ([]candidate, error) {
	var out []candidate
	add := func(how string, delta []float32) {
		c := candidate{how, delta, make([]float64, m.fit.Layer.Channels())}
		if biased {
			c.shift = m.scatter.Shift(delta)
		}
		out = append(out, c)
	}
	for _, ridge := range ridges {
		delta, err := layerwise.NewFit(m.fit, ridge, biased, tools).Refit()
		if err != nil {
			return nil, err
		}
		add(howRefit, delta)
	}
	add(howMerge, make([]float32, len(m.base)))
	if f.plain != nil {
		delta := make([]float32, len(m.base))
		for i, x := range layerwise.Matrix(f.matrix, f.plain.was) {
			delta[i] = float32(x) - m.base[i]
		}
		add(howBias, delta)
		shift := make([]float64, len(f.plain.added))
		for i, x := range f.plain.added {
			shift[i] = -x
		}
		out = append(out, candidate{howNone, delta, shift})
	}
	return out, nil
}

func (r *refit) tools(ctx context.Context) layerwise.Tools {
	return layerwise.Tools{Threads: r.parallel(), Multiply: func(a, b []float32, rows, inner, cols int) ([]float32, error) {
		return r.product.Of(ctx, a, b, rows, inner, cols)
	}}
}

// store gives the layer the chosen weight and bias.
func (r *refit) store(f *fitted, l *layer, m *measured, c candidate) {
	w := append([]float32(nil), m.base...)
	for i, d := range c.delta {
		w[i] += d
	}
	values := make([]float64, len(w))
	for i, x := range layerwise.Tensor(f.matrix, w) {
		values[i] = float64(x)
	}
	l.write(values, c.shift)
}
