package prune

import (
	"fmt"

	"github.com/onnxpass/onnxpass/passes"
)

// report tells what was removed of every pool, and what was held and why.
func (p *pruner) report() {
	r := p.env.Report
	channels := 0
	for _, round := range p.rounds {
		gone := counts(round.removed)
		channels += total(round.removed)
		for i, pool := range round.analysis.Pools {
			entry := passes.Pool{
				Name: pool.Name, Before: len(pool.Classes), After: len(pool.Classes) - gone[i], Each: pool.Touches[0].Each, Layers: len(pool.Sources),
				MACsBefore: int64(round.bill.around(i, nil)), MACsAfter: int64(round.bill.around(i, gone)),
			}
			if gone[i] > 0 && len(pool.Sources) > 0 {
				p.env.Plan(pool.Sources[0].Node, "prune", fmt.Sprintf("%d of %d channels removed", gone[i], len(pool.Classes)))
			}
			r.Pools = append(r.Pools, entry)
		}
	}
	first, last := p.rounds[0], p.rounds[len(p.rounds)-1]
	for _, f := range first.analysis.Frozen {
		r.Held = append(r.Held, passes.Held{Node: f.Name, Channels: f.Width, Reason: f.Reason.String()})
	}
	gone := counts(last.removed)
	left := last.bill.macs(gone)
	r.Fact("channels removed", "%d", channels)
	if p.o.Constant == Observed {
		p.env.Note("OP8072", "channels were removed that are constant on the samples", "samples", fmt.Sprint(p.env.Calib.Samples.Len())).
			Hinted("the weights do not prove that they are on other inputs: compare with ones that were not used (--verify-data)")
	}
	r.Fact("MACs left", "%.1f %%", 100*left/p.before)
	if p.o.Multiple > 1 {
		r.Fact("MACs left, channels rounded up", "%.1f %% (multiples of %d)", 100*last.bill.aligned(gone, p.o.Multiple)/first.bill.aligned(nil, p.o.Multiple), p.o.Multiple)
	}
	r.Fact("MACs in prunable layers", "%.1f %%", 100*first.bill.prunable())
	p.reportOutcome()
	if p.compared > 0 {
		name := "largest difference to the silenced original"
		if p.o.Lossless {
			name = "largest difference to the original"
		}
		r.Fact(name, "%.2g of the output's root mean square, %d samples", p.proven, p.compared)
	}
}

// reportOutcome tells what the removal costs on held-out samples, and what making up for it brought.
func (p *pruner) reportOutcome() {
	if p.state == nil || len(p.rounds) == 0 {
		return
	}
	r, o := p.env.Report, p.outcome
	n := len(p.state.heldOut.samples)
	r.Fact("held out, channels removed", "%s, %d samples", o.plain, n)
	if p.o.Compensate != NoCompensation {
		r.Fact("held out, made up for", "%s (%s)", o.merged, p.merging())
	}
	if p.o.Compensate != Refit {
		return
	}
	count := map[string]int{}
	for _, f := range p.walked {
		count[f.how]++
	}
	if !o.refitted {
		r.Fact("held out, refitted", "not better: layers stay as merged")
		return
	}
	r.Fact("held out, refitted", "%s", o.final)
	r.Fact("layers refitted", "%d of %d behind removed channels (merged %d, bias alone %d, left %d)",
		count[howRefit], len(p.walked), count[howMerge], count[howBias], count[howNone])
}

// String is the quality as people read it.
func (q quality) String() string {
	return fmt.Sprintf("SQNR %.1f dB, same argmax %.1f %%", q.sqnr, 100*q.top1)
}

// counts is how many classes of each pool are removed.
func counts(removed [][]int) []int {
	out := make([]int, len(removed))
	for i, list := range removed {
		out[i] = len(list)
	}
	return out
}
