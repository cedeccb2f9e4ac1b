package prune

import (
	"context"
	"slices"
)

// spend meets the budget where it costs least, in as many steps as the options
// say. With samples each begins with measuring what the pools lose beyond what
// went before, and the last ends in several choices that are worth trying.
func (p *pruner) spend(ctx context.Context, curves []curve) ([][]int, error) {
	gone := make([]int, len(curves))
	_, goal := p.budget(gone)
	if p.state == nil {
		gone, err := p.greedy(curves, gone, goal)
		return [][]int{gone}, err
	}
	for i := range p.o.Steps {
		s, err := p.survey(ctx, curves, gone)
		if err != nil {
			return nil, err
		}
		if i == p.o.Steps-1 {
			return p.alternatives(s, curves, gone, goal)
		}
		if gone, err = p.greedy(s.bend(curves, gone, 0), gone, 1-(1-goal)*float64(i+1)/float64(p.o.Steps)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// trust is the part of the prediction in the choice for refitting.
const trust = 0.3

// Of a pool half may go, unless taking nearly all of some is seen to do better.
const (
	cautious = 0.5
	bold     = 0.95
)

// alternatives are the ways of meeting the budget that are tried to the end. Prices are
// of one pool pruned alone: what a nearly empty pool costs beside others they do not
// tell, so a choice that empties no pool stands beside one that may. Refitting repairs
// some of the loss: when it follows, one that trusts the prediction a little more.
func (p *pruner) alternatives(s *survey, curves []curve, before []int, goal float64) ([][]int, error) {
	narrow := p.narrowed(curves)
	tries := []struct {
		curves []curve
		part   float64
	}{{narrow, 0}, {narrow, trust}, {curves, 0}}
	var out [][]int
	var last error
	for _, t := range tries {
		if t.part > 0 && p.o.Compensate != Refit {
			continue
		}
		gone, err := p.greedy(s.bend(t.curves, before, t.part), before, goal)
		last = err
		if err == nil && !slices.ContainsFunc(out, func(g []int) bool { return slices.Equal(g, gone) }) {
			out = append(out, gone)
		}
	}
	if len(out) == 0 {
		return nil, last
	}
	return out, nil
}

// handicap is what the error of a choice counts for when it takes more than half of
// a pool: prices tell least of such a one, and few samples may favour it; where it is right it wins by far.
func (p *pruner) handicap(removed [][]int) float64 {
	for i, list := range removed {
		if p.o.MaxRatio == 0 && 2*len(list) > len(p.analysis.Pools[i].Classes) {
			return 2
		}
	}
	return 1
}

// narrowed are the curves when no pool may lose more than half, unless the user gave a limit.
func (p *pruner) narrowed(curves []curve) []curve {
	out := slices.Clone(curves)
	if p.o.MaxRatio > 0 {
		return out
	}
	for i := range out {
		_, most := p.bounds(&p.analysis.Pools[i], cautious)
		out[i].limit = min(out[i].limit, most)
	}
	return out
}

// maxRatio is the part of a pool that may go. Samples price the last channels of
// a pool by what the outputs lose; weights alone say little of them.
func (p *pruner) maxRatio() float64 {
	switch {
	case p.o.MaxRatio > 0:
		return p.o.MaxRatio
	case p.state != nil:
		return bold
	}
	return cautious
}
