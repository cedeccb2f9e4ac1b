package prune

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// curve is the order in which the classes of a pool would go, and what that costs.
type curve struct {
	order []int     // classes, least important first
	cost  []float64 // of each: error added by removing it after those before it
	limit int       // most classes that may go
	unit  int       // what is left is a multiple of it, or everything
}

// choose picks the classes to remove from each pool: one choice, or several to be tried.
func (p *pruner) choose(ctx context.Context) ([][][]int, error) {
	curves, err := p.curves(ctx)
	if err != nil {
		return nil, err
	}
	var choices [][]int // classes gone of each pool
	switch {
	case p.o.Ratio > 0:
		choices = [][]int{uniform(curves, p.o.Ratio)}
	case p.o.Scope == Local:
		choices, err = p.even(curves)
	default:
		choices, err = p.spend(ctx, curves)
	}
	if err != nil {
		return nil, err
	}
	var out [][][]int
	for _, gone := range choices {
		removed := make([][]int, len(curves))
		for i, c := range curves {
			removed[i] = slices.Clone(c.order[:gone[i]])
			slices.Sort(removed[i])
		}
		out = append(out, removed)
	}
	return out, nil
}

// bounds are the unit and the most classes to remove of a pool of which that part may go.
func (p *pruner) bounds(pool *axes.Pool, part float64) (unit, limit int) {
	each := pool.Touches[0].Each
	if len(pool.Sources) > 0 {
		for _, t := range pool.Touches {
			if t.Axis == pool.Sources[0].Weight {
				each = t.Each
			}
		}
	}
	n := len(pool.Classes)
	unit = p.o.Multiple / gcd(p.o.Multiple, each)
	least := max(1, (p.o.MinChannels+each-1)/each, int(math.Ceil(float64(n)*(1-part)-1e-9)))
	return unit, max(0, n-roundUp(least, unit))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func roundUp(x, unit int) int { return (x + unit - 1) / unit * unit }

// step is how many classes are gone after the next step beyond gone that leaves a multiple; false at the limit.
func (c *curve) step(gone int) (int, bool) {
	left := len(c.order) - gone
	next := len(c.order) - (left-1)/c.unit*c.unit
	return next, next <= c.limit
}

// uniform removes the same part of every pool, rounding what is left up.
func uniform(curves []curve, ratio float64) []int {
	gone := make([]int, len(curves))
	for i, c := range curves {
		want := int(math.Floor(float64(len(c.order))*ratio + 1e-9))
		for next, ok := c.step(0); ok && next <= want; next, ok = c.step(next) {
			gone[i] = next
		}
	}
	return gone
}

// budget is what is left of the model by the measure of the options, as a fraction, and the goal.
func (p *pruner) budget(gone []int) (left, goal float64) {
	if p.o.Params > 0 {
		return p.bill.params(gone) / p.bill.params(nil), p.o.Params
	}
	return p.bill.macs(gone) / p.bill.macs(nil), p.o.MACs
}

// even finds the smallest part that can be removed of every pool to meet the budget.
func (p *pruner) even(curves []curve) ([][]int, error) {
	low, high := 0.0, 1.0
	if left, goal := p.budget(uniform(curves, 1)); left > goal {
		return nil, p.unreachable(left, goal)
	}
	for range 30 {
		mid := (low + high) / 2
		if left, goal := p.budget(uniform(curves, mid)); left > goal {
			low = mid
		} else {
			high = mid
		}
	}
	return [][]int{uniform(curves, high)}, nil
}

// greedy removes, step by step, what costs least error for what it saves of
// what is still to be saved, and gives back at the end what was too much.
func (p *pruner) greedy(curves []curve, before []int, goal float64) ([]int, error) {
	gone := slices.Clone(before)
	for {
		left, _ := p.budget(gone)
		if left <= goal {
			return p.giveBack(curves, gone, before, goal), nil
		}
		best, least, to := -1, math.Inf(1), 0
		for i := range curves {
			next, ok := curves[i].step(gone[i])
			if !ok {
				continue
			}
			if price := p.price(&curves[i], gone, i, next, (left-goal)*p.whole()); price < least {
				best, least, to = i, price, next
			}
		}
		if best < 0 {
			return nil, p.unreachable(left, goal)
		}
		gone[best] = to
	}
}

// price is the error of removing classes of pool i up to next, divided by what that saves of what is needed.
func (p *pruner) price(c *curve, gone []int, i, next int, needed float64) float64 {
	damage := 0.0
	for _, e := range c.cost[gone[i]:next] {
		damage += e
	}
	was := gone[i]
	before := p.around(i, gone)
	gone[i] = next
	saved := before - p.around(i, gone)
	gone[i] = was
	if saved <= 0 {
		return math.Inf(1)
	}
	return damage / min(saved, needed)
}

// giveBack undoes steps that the budget does not need, the most damaging first.
func (p *pruner) giveBack(curves []curve, gone, before []int, goal float64) []int {
	for {
		best, most, to := -1, -1.0, 0
		for i := range curves {
			if gone[i] == before[i] {
				continue
			}
			was, back := gone[i], curves[i].back(gone[i])
			gone[i] = back
			left, _ := p.budget(gone)
			gone[i] = was
			damage := 0.0
			for _, e := range curves[i].cost[back:was] {
				damage += e
			}
			if left <= goal && damage > most {
				best, most, to = i, damage, back
			}
		}
		if best < 0 {
			return gone
		}
		gone[best] = to
	}
}

// back is how many classes are gone one step before gone.
func (c *curve) back(gone int) int {
	last := 0
	for next, ok := c.step(0); ok && next < gone; next, ok = c.step(next) {
		last = next
	}
	return last
}

// whole is the budget's measure of the model as it was.
func (p *pruner) whole() float64 {
	if p.o.Params > 0 {
		return p.bill.params(nil)
	}
	return p.bill.macs(nil)
}

// around is what pool i can change of the budget's measure.
func (p *pruner) around(i int, gone []int) float64 {
	if p.o.Params > 0 {
		return sumOf(p.bill.weights, p.bill.weightsOf[i], gone)
	}
	return p.bill.around(i, gone)
}

// unreachable says how far the budget can be met and what holds the rest.
func (p *pruner) unreachable(left, goal float64) error {
	what := "multiply-accumulates"
	if p.o.Params > 0 {
		what = "parameters"
	}
	e := diag.New("OP3502", "the budget cannot be reached",
		"wanted", fmt.Sprintf("%.1f %% of the %s", 100*goal, what),
		"reached", fmt.Sprintf("%.1f %% with every pool at its limit", 100*left),
		"prunable", fmt.Sprintf("%.1f %% of the multiply-accumulates", 100*p.bill.prunable()))
	return e.With(p.holders()...).Hinted("allow more with max-ratio, min-channels or multiple, or ask for less; onnxpass explain-prune lists what is held and why")
}

// nothing says that no channel can or may be removed, and why.
func (p *pruner) nothing() error {
	e := diag.New("OP3501", "nothing can be pruned")
	if n := len(p.analysis.Pools); n > 0 && p.o.Lossless {
		e.With("pools", fmt.Sprintf("%d could shrink, but none has channels that are constant, zero or unused", n))
	} else if n > 0 {
		e.With("pools", fmt.Sprintf("%d could shrink, but none by a step that leaves %d channels or more, a multiple of %d, within max-ratio %g and the ratio asked for",
			n, p.o.MinChannels, p.o.Multiple, p.maxRatio()))
	}
	return e.With(p.holders()...).
		Hinted("onnxpass explain-prune lists every layer with the reason; max-ratio, min-channels and multiple bound what may go")
}

// holders are the first reasons that hold channels.
func (p *pruner) holders() []string {
	var out []string
	for _, f := range p.analysis.Frozen[:min(3, len(p.analysis.Frozen))] {
		out = append(out, "held", fmt.Sprintf("%s: %s", f.Name, f.Reason))
	}
	if n := len(p.analysis.Frozen); n > 3 {
		out = append(out, "more", passes.Count(int64(n-3))+" layers")
	}
	return out
}
