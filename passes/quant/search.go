package quant

import (
	"cmp"
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/calib/probe"
)

// rank measures what every layer alone costs, and puts the layers in the order in which they are given up.
func (b *budget) rank(ctx context.Context) error {
	progress := func(done, total int) { b.env.Advance("measure layers", done, total) }
	s, err := b.first.planner.surveyed(ctx, probe.Options{Threads: b.env.Calib.Threads, Progress: progress}, probed)
	if err != nil {
		return err
	}
	b.weights = b.overdue()
	for _, i := range s.order(b.weights) {
		if s.report.Damages[i].Measured {
			b.ranked = append(b.ranked, reverted{s.layers[i], s.shares[i], s.macs[i]})
		}
	}
	b.ranked = b.affordable(b.ranked)
	for o := range b.weights {
		if !slices.ContainsFunc(b.ranked, func(r reverted) bool { return r.share[o] > 0 }) {
			b.weights[o] = 0 // no layer makes noise there
		}
	}
	return nil
}

// overdue weighs the outputs: those whose noise is above the budget count.
func (b *budget) overdue() []float64 {
	v := b.first.found[len(b.first.found)-1]
	out := make([]float64, len(v.Outputs))
	some := false
	for i, o := range v.Outputs {
		if b.goal.MinSQNR != nil && !o.Integer && o.SQNR < *b.goal.MinSQNR || b.goal.MinAgree != nil && o.Agree != nil && *o.Agree < *b.goal.MinAgree {
			out[i], some = 1, true
		}
	}
	for i := range out {
		if !some {
			out[i] = 1
		}
	}
	return out
}

// affordable leaves out the layers with which more than the allowed share of the work would be in float.
func (b *budget) affordable(ranked []reverted) []reverted {
	var sum float64
	var out []reverted
	for _, r := range ranked {
		if sum+r.macs <= b.opt.MaxFloat/100 {
			sum += r.macs
			out = append(out, r)
		}
	}
	return out
}

// saved is the share of the noise that some layers make, in the output where it is least.
func (b *budget) saved(layers []reverted) float64 {
	least := 1.0
	for o, w := range b.weights {
		if w == 0 {
			continue
		}
		var sum float64
		for _, r := range layers {
			sum += r.share[o]
		}
		least = min(least, sum)
	}
	return least
}

// forecast is the excess with other layers in float than in a trial, if the noise of layers adds up.
func (b *budget) forecast(t *trial, layers []reverted) float64 {
	return b.excess(t) * (1 - b.saved(layers)) / max(1-b.saved(t.float), 1e-9)
}

// search finds the fewest ranked layers with which the gates hold; when no number does, the best trial.
func (b *budget) search(ctx context.Context) (*trial, error) {
	trials := map[int]*trial{0: b.first}
	f := &probe.Family{Len: len(b.ranked) + 1, Attempts: attempts + 1,
		Noise: func(n int) float64 { return 1 - b.saved(b.ranked[:n]) },
		Try: func(ctx context.Context, n int) (float64, error) {
			if trials[n] == nil {
				t, err := b.try(ctx, b.ranked[:n])
				if err != nil {
					return 0, err
				}
				b.env.Advance("fit to the gates", len(trials), attempts)
				trials[n] = t
			}
			return b.excess(trials[n]), nil
		}}
	n, ok, err := f.Least(ctx, 0)
	if err != nil || !ok {
		return trials[n], err
	}
	return b.prune(ctx, trials[n])
}

// prune takes those layers back into 8 bits that make the least noise, as far as the trial has noise to spare.
func (b *budget) prune(ctx context.Context, t *trial) (*trial, error) {
	order := slices.Clone(t.float)
	slices.SortStableFunc(order, func(x, y reverted) int { return cmp.Compare(b.saved([]reverted{x}), b.saved([]reverted{y})) })
	float := t.float
	for _, r := range order {
		fewer := slices.DeleteFunc(slices.Clone(float), func(o reverted) bool { return o.layer == r.layer })
		if b.forecast(t, fewer) <= 1 {
			float = fewer
		}
	}
	if len(float) == len(t.float) {
		return t, nil
	}
	pruned, err := b.try(ctx, float)
	if err == nil && b.holds(pruned) {
		return pruned, nil
	}
	return t, err
}
