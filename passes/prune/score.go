package prune

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// curves orders the classes of every pool by the criterion, and says what removing them costs.
func (p *pruner) curves(ctx context.Context) ([]curve, error) {
	if p.state == nil {
		criterion := string(p.o.Criterion)
		if p.o.Criterion.data() {
			criterion = "expected variance"
		}
		p.env.Note("OP8071", "channels were chosen by their weights alone", "criterion", criterion).
			Hinted("give samples with -d: they choose better and repair what is lost; prune:lossless=true costs nothing")
		return p.byWeights()
	}
	if p.state.curves != nil {
		return p.state.curves, nil
	}
	var err error
	if p.o.Criterion.data() {
		p.state.curves, err = p.ranked(ctx)
	} else {
		p.state.curves, err = p.byWeights()
	}
	return p.state.curves, err
}

// blind is the criterion that takes the place of one that needs samples.
func (c Criterion) blind() Criterion {
	if c.data() {
		return L2
	}
	return c
}

// byWeights orders the classes of every pool by their weights. The cost of a class is
// its part of the squared scores of its pool, once for every layer that the pool
// runs through: a shortcut that many layers read costs many times what a hidden channel does.
func (p *pruner) byWeights() ([]curve, error) {
	out := make([]curve, len(p.analysis.Pools))
	var share []float64
	if p.o.Criterion.data() {
		share = p.expectedShares()
	}
	scored := 0
	for i := range p.analysis.Pools {
		if c, ok := p.shareCurve(i, share); ok {
			out[i] = c
			scored++
			continue
		}
		score := p.scores(&p.analysis.Pools[i])
		out[i] = p.normCurve(i, score)
		if score != nil {
			scored++
		}
	}
	if scored == 0 && p.o.Criterion == BN {
		return nil, diag.New("OP3503", "there is no BatchNormalization to score channels by").
			Hinted("the model was exported without, or with them merged into the weights; criterion=l2 contains their scales then")
	}
	return out, nil
}

// shareCurve is the curve of pool i by the variance that its classes bring to
// their readers; false when that is not known of all of them.
func (p *pruner) shareCurve(i int, share []float64) (curve, bool) {
	pool := &p.analysis.Pools[i]
	if share == nil || slices.ContainsFunc(pool.Classes, func(k int) bool { return math.IsNaN(share[k]) }) {
		return curve{}, false
	}
	c := curve{order: slices.Clone(pool.Classes)}
	c.unit, c.limit = p.bounds(pool, p.maxRatio())
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(share[a], share[b]) })
	for _, k := range c.order {
		c.cost = append(c.cost, share[k])
	}
	return c, true
}

// normCurve is the curve of pool i by scores of its classes, of which nothing may go when there are none.
func (p *pruner) normCurve(i int, score []float64) curve {
	pool := &p.analysis.Pools[i]
	c := curve{order: slices.Clone(pool.Classes)}
	c.unit, c.limit = p.bounds(pool, p.maxRatio())
	if score == nil {
		c.limit = 0
		return c
	}
	at := map[int]float64{}
	whole := 0.0
	for k, class := range pool.Classes {
		at[class] = score[k]
		whole += score[k] * score[k]
	}
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	for _, class := range c.order {
		part := 0.0
		if whole > 0 {
			part = at[class] * at[class] / whole * float64(len(p.bill.byPool[i]))
		}
		c.cost = append(c.cost, part)
	}
	return c
}

// scores are the importances of the classes of a pool, nil when there is nothing to score them by.
func (p *pruner) scores(pool *axes.Pool) []float64 {
	switch p.o.Criterion.blind() {
	case Random:
		seed := uint64(p.o.Seed)
		for _, b := range []byte(pool.Name) {
			seed = seed*1099511628211 + uint64(b)
		}
		rng := rand.New(rand.NewPCG(uint64(p.o.Seed), seed))
		out := make([]float64, len(pool.Classes))
		for i := range out {
			out[i] = rng.Float64()
		}
		return out
	case BN:
		return p.byScales(pool)
	case L1:
		return p.norms(pool, producers(pool), 1)
	}
	return p.norms(pool, producers(pool), 2)
}

// producers are the axes of the weights that make the channels of a pool.
func producers(pool *axes.Pool) []axes.Axis {
	var out []axes.Axis
	for _, s := range pool.Sources {
		out = append(out, s.Weight)
	}
	return out
}

// byScales sums the magnitudes of the scales of the batch normalizations of a
// pool, those that are nodes and those that were merged into the layers that make its channels.
func (p *pruner) byScales(pool *axes.Pool) []float64 {
	out := p.norms(pool, scales(pool), 1)
	number := map[int]int{}
	for i, k := range pool.Classes {
		number[k] = i
	}
	for _, s := range pool.Sources {
		norm := p.env.Norms[s.Node.Label()].Scale
		classes := p.analysis.ClassesOf(s.Weight)
		if len(norm) == 0 || len(norm) != len(classes) {
			continue
		}
		if out == nil {
			out = make([]float64, len(pool.Classes))
		}
		for i, k := range classes {
			if at, ok := number[k]; ok {
				out[at] += math.Abs(norm[i])
			}
		}
	}
	return out
}

// scales are the scales of the BatchNormalizations that a pool runs through.
func scales(pool *axes.Pool) []axes.Axis {
	var out []axes.Axis
	for _, t := range pool.Touches {
		if slices.ContainsFunc(t.Value.Uses(), func(u graph.Use) bool { return u.Node.Is("BatchNormalization") && u.Index == 1 }) {
			out = append(out, t.Axis)
		}
	}
	return out
}

// norms are the l1 or l2 norms of what each class has of constants; nil when none can be read.
func (p *pruner) norms(pool *axes.Pool, list []axes.Axis, power int) []float64 {
	number := map[int]int{}
	for i, k := range pool.Classes {
		number[k] = i
	}
	out := make([]float64, len(pool.Classes))
	read := false
	for _, a := range list {
		w, ok := produced(a)
		if !ok {
			continue
		}
		read = true
		class := p.analysis.ClassesOf(a)
		w.fold(a.Axis, func(i int, x float64) {
			if k, ok := number[class[i]]; ok {
				out[k] += math.Pow(math.Abs(x), float64(power))
			}
		})
	}
	if !read {
		return nil
	}
	if power == 2 {
		for i := range out {
			out[i] = math.Sqrt(out[i])
		}
	}
	return out
}
