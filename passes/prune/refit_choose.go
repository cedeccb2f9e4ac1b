package prune

import (
	"context"
	"os"

	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// ridges that are tried, as shares of the mean variance of the inputs.
var ridges = []float64{1e-3, 1e-2, 1e-1, 1}

// How a layer was rebuilt, as reports name it.
const (
	howRefit = "refit"
	howMerge = "merge"
	howBias  = "bias"
)

// candidate is a change of a layer's weight, in the order of the matrices, and of its bias.
type candidate struct {
	how   string
	ridge float64
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
	best := candidate{howMerge, 0, make([]float32, len(m.base)), make([]float64, f.matrix.Channels())}
	f.how = best.how
	if m.check.XX == nil || m.check.N == 0 {
		return nil
	}
	tools := r.tools(ctx)
	if f.before, err = m.check.Error(best.delta, best.shift, tools); err != nil {
		return err
	}
	f.after = f.before
	list, err := r.candidates(m, biased, tools)
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
	if os.Getenv("X_JOIN") != "" && best.how == howRefit {
		m.fit.Join(m.check)
		if best.delta, err = layerwise.NewFit(m.fit, best.ridge, biased, tools).Refit(); err != nil {
			return err
		}
		if biased {
			best.shift = m.scatter.Shift(best.delta)
		}
	}
	r.store(f, l, m, best)
	return nil
}

// candidates are the biases corrected alone, and least squares with each ridge.
func (r *refit) candidates(m *measured, biased bool, tools layerwise.Tools) ([]candidate, error) {
	var out []candidate
	add := func(how string, ridge float64, delta []float32) {
		c := candidate{how, ridge, delta, make([]float64, m.fit.Layer.Channels())}
		if biased {
			c.shift = m.scatter.Shift(delta)
		}
		out = append(out, c)
	}
	add(howBias, 0, make([]float32, len(m.base)))
	for _, ridge := range ridges {
		delta, err := layerwise.NewFit(m.fit, ridge, biased, tools).Refit()
		if err != nil {
			return nil, err
		}
		add(howRefit, ridge, delta)
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
	if c.how == howMerge {
		return
	}
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
