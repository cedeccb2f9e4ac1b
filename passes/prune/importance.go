package prune

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
)

// ranked orders the classes of every pool by statistics of the samples. Costs
// are the error of the outputs of the layers that read them, each in units of its variance.
func (p *pruner) ranked(ctx context.Context) ([]curve, error) {
	pools := p.analysis.Pools
	out := make([]curve, len(pools))
	err := calib.InTurn(len(pools), p.parallel(), func(i int, _ func(func() error) error) error {
		out[i].unit, out[i].limit = p.bounds(&pools[i], p.maxRatio())
		sites := p.sitesOf(pools[i].Classes)
		if len(sites) == 0 || p.state.blind[pools[i].Classes[0]] {
			out[i] = p.byNorm(i)
			return ctx.Err()
		}
		if p.o.Criterion == OBS {
			if p.surgeon(&out[i], pools[i].Classes, sites) {
				return ctx.Err()
			}
		}
		p.byVariance(&out[i], pools[i].Classes, sites)
		return ctx.Err()
	})
	return out, err
}

// sitesOf are the sites that read some of the classes and have statistics.
func (p *pruner) sitesOf(classes []int) []*site {
	var out []*site
	for _, s := range p.state.sites {
		if s.gram != nil && slices.ContainsFunc(classes, func(k int) bool { return len(s.atoms[k]) > 0 }) {
			out = append(out, s)
		}
	}
	return out
}

// byNorm orders a pool by its weights, where statistics do not tell all.
func (p *pruner) byNorm(i int) curve {
	pool := &p.analysis.Pools[i]
	return p.normCurve(i, p.norms(pool, producers(pool), 2))
}

// surgeon orders classes by elimination, always the cheapest next; false when a covariance cannot be inverted.
func (p *pruner) surgeon(c *curve, classes []int, sites []*site) bool {
	var at []*elimination
	for _, s := range sites {
		e := newElimination(s, p.o.Ridge)
		if e == nil {
			return false
		}
		at = append(at, e)
	}
	left := slices.Clone(classes)
	for len(c.order) < c.limit {
		best, least := -1, math.Inf(1)
		for i, k := range left {
			cost := 0.0
			for j, s := range sites {
				if atoms := s.atoms[k]; len(atoms) > 0 {
					cost += at[j].cost(atoms)
				}
			}
			if cost < least {
				best, least = i, cost
			}
		}
		if best < 0 {
			return false
		}
		for j, s := range sites {
			at[j].remove(s.atoms[left[best]])
		}
		c.order = append(c.order, left[best])
		c.cost = append(c.cost, least)
		left = slices.Delete(left, best, best+1)
	}
	c.order = append(c.order, left...)
	for len(c.cost) < len(c.order) {
		c.cost = append(c.cost, math.Inf(1))
	}
	return true
}

// byVariance orders classes by what each contributes alone to the layers that
// read it: its variance (flap), or its mean square (wanda), times the squared weights.
func (p *pruner) byVariance(c *curve, classes []int, sites []*site) {
	score := map[int]float64{}
	for _, s := range sites {
		m, n := s.importance(), s.width
		for _, k := range classes {
			for _, a := range s.atoms[k] {
				x := s.gram.cov[a*n+a]
				if p.o.Criterion == Wanda {
					x += s.gram.mean[a] * s.gram.mean[a]
				}
				score[k] += m[a*n+a] * x
			}
		}
	}
	c.order = slices.Clone(classes)
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	for _, k := range c.order {
		c.cost = append(c.cost, score[k])
	}
}
