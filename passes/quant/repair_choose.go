package quant

import (
	"context"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// candidate is a way to store a layer's weight, in the order of the matrices.
type candidate struct {
	recipe
	scale []float32
	plain []float32 // scales without the guard against saturation
	codes []int8
	delta []float32 // stored less original weight
	shift []float64 // of the bias
}

// recipe says how a candidate is made: with a fit or, without one, by rounding to nearest.
type recipe struct {
	name  string
	fit   *layerwise.Fit
	refit bool
}

// The recipes, as reports name them.
const (
	recipeNearest  = "nearest"
	recipeFeedback = "feedback"
	recipeRefit    = "refit"
)

// choose compares the recipes on the samples that were put aside and returns what the best one makes.
func (r *repair) choose(ctx context.Context, l *rebuilt, m *measured) (*candidate, error) {
	best, err := r.make(l, m, recipe{name: recipeNearest})
	l.how = recipeNearest
	if err != nil || m.check == nil {
		return best, err
	}
	tools := r.tools(ctx)
	if l.before, err = m.check.Error(best.delta, best.shift, tools); err != nil {
		return nil, err
	}
	l.after, l.judged = l.before, true
	for _, try := range r.attempts(l, m) {
		fit := layerwise.NewFit(m.fit, try.ridge, l.biased, tools)
		for _, how := range try.recipes {
			c, err := r.make(l, m, recipe{how, fit, how == recipeRefit})
			if err != nil {
				return nil, err
			}
			e, err := m.check.Error(c.delta, c.shift, tools)
			if err != nil {
				return nil, err
			}
			if e < l.after {
				best, l.after, l.how = c, e, how
			}
		}
	}
	return best, nil
}

// attempt is one factorisation and what is made with it.
type attempt struct {
	ridge   float64
	recipes []string
}

// The ridges that are tried; the first one also damps rounding without a refit.
const (
	weakRidge   = 0.1
	strongRidge = 1
)

// Least squares in large matrices take most of the time and need many positions: with fewer
// than enoughRows for each column they lose to plain rounding in nearly every layer.
const (
	enoughRows = 9
	largeCols  = 128
)

// attempts are what is tried for a layer.
func (r *repair) attempts(l *rebuilt, m *measured) []attempt {
	first, second := attempt{ridge: weakRidge}, attempt{ridge: strongRidge}
	if r.opt.Rounding == RoundFeedback {
		first.recipes = append(first.recipes, recipeFeedback)
	}
	cols := l.matrix.Cols
	if r.opt.Refit && (cols <= largeCols || m.fit.N >= float64(enoughRows*cols)) {
		first.recipes = append(first.recipes, recipeRefit)
		second.recipes = append(second.recipes, recipeRefit)
	}
	return slices.DeleteFunc([]attempt{first, second}, func(a attempt) bool { return len(a.recipes) == 0 })
}

func (r *repair) tools(ctx context.Context) layerwise.Tools {
	return layerwise.Tools{
		Threads: r.threads(),
		Scratch: &r.scratch,
		Multiply: func(a, b []float32, rows, inner, cols int) ([]float32, error) {
			return r.product.Of(ctx, a, b, rows, inner, cols)
		},
		Batch: func(a, b []float32, n, rows, inner, cols int, turned bool, use func(c []float32)) error {
			return r.product.Batch(ctx, a, b, n, rows, inner, cols, turned, use)
		},
	}
}

// make stores the weight by a recipe.
func (r *repair) make(l *rebuilt, m *measured, how recipe) (*candidate, error) {
	c := &candidate{recipe: how, scale: l.weight.scale, plain: l.weight.plain, codes: make([]int8, len(m.base)), delta: append([]float32(nil), m.base...)}
	if how.refit {
		change, err := how.fit.Refit()
		if err != nil {
			return nil, err
		}
		for i, v := range change {
			c.delta[i] += v
		}
		c.scale = scales(c.delta, l.matrix.Cols)
		c.plain = c.scale
	}
	if err := r.withinPairs(l, c); err != nil {
		return nil, err
	}
	if how.fit != nil && r.opt.Rounding == RoundFeedback {
		err := how.fit.Round(c.delta, func(ch int, v float32) float32 { return float32(code(v, c.scale[ch])) * c.scale[ch] })
		if err != nil {
			return nil, err
		}
	}
	for i, v := range c.delta {
		s := c.scale[i/l.matrix.Cols]
		c.codes[i] = code(v, s)
		c.delta[i] = float32(c.codes[i])*s - m.base[i]
	}
	c.shift = make([]float64, l.matrix.Channels())
	if l.biased && r.opt.Bias != BiasNone {
		var err error
		if c.shift, err = m.scatter.Correct(c.delta); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// withinPairs enlarges the scales of a candidate that is not rounded yet where
// sums of two products would leave 16 bits, if that is asked for: rounding with
// feedback then makes the best of the coarser grid.
func (r *repair) withinPairs(l *rebuilt, c *candidate) error {
	if r.opt.ISA != ISAAVX2 || l.saturation == nil || l.shared {
		return nil
	}
	dims := l.weight.data.Dims
	w := &weight{
		data: onnx.FromFloat32s(dims, layerwise.Tensor(l.matrix, c.delta)), axis: l.weight.axis,
		scale: slices.Clone(c.scale), floats: l.weight.floats,
	}
	if err := w.shrink(l.saturation.pack, l.saturation.limits); err != nil {
		return err
	}
	c.scale = w.scale
	return nil
}

// scales are those of newWeight, for a matrix of rows of the given length.
func scales(w []float32, cols int) []float32 {
	most := make([]float64, len(w)/cols)
	var largest float64
	for i, v := range w {
		a := math.Abs(float64(v))
		most[i/cols], largest = max(most[i/cols], a), max(largest, a)
	}
	out := make([]float32, len(most))
	for c, v := range most {
		out[c] = scale(max(v, floorRatio*largest) / 127)
	}
	return out
}

// store gives the quantized model the chosen weight and bias.
func (r *repair) store(l *rebuilt, c *candidate, base []float32) {
	if w := l.weight; !l.shared {
		w.scale, w.codes, w.coded = slices.Clone(c.scale), layerwise.Tensor(l.matrix, c.codes), c.scale
		w.plain, w.sqnr = c.plain, ratio(base, c.delta)
		r.restore(l.layer)
	}
	for _, d := range c.shift {
		if d != 0 {
			l.shift = c.shift
			r.correctBias(l.layer)
			return
		}
	}
}

// restore writes the layer's codes and scales as they are now.
func (p *planner) restore(l *layer) {
	w, s := p.weightOf(l), p.stored[storedKey{p.key(l), l.node.Graph()}]
	s.codes.SetInit(w.tensor())
	s.scale.SetInit(onnx.FromFloat32s([]int64{int64(len(w.scale))}, w.scale))
}

// guardRepaired counts the channels at risk in what was repaired, and keeps it within 16 bits where that is asked for.
func (r *repair) guardRepaired() error {
	if err := r.guardCodes(); err != nil || r.opt.ISA != ISAAVX2 {
		return err
	}
	for _, l := range r.layers {
		r.restore(l.layer)
	}
	return nil
}
