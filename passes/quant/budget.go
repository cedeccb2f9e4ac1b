package quant

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// Budgets of Options.
const (
	BudgetRevert = "revert" // layers go back to float until the gates hold
	BudgetOff    = "off"    // the gates only judge
)

// limited says whether layers may be given up for a gate.
func (o Options) limited(env *passes.Env) bool {
	g := env.Gates
	return o.Budget == BudgetRevert && !env.DryRun && env.Calib != nil && (g.MinSQNR != nil || g.MinAgree != nil)
}

const (
	searched   = 64  // samples, at most, of each kind that an attempt is measured on for an SQNR
	searchedTo = 256 // the same for a share of equal predictions, which is coarser
	probed     = 8   // samples that the damage of a layer is measured on
	attempts   = 8   // quantizations, at most, besides the first
)

// budget looks for the fewest layers to leave in float so that the gates hold.
type budget struct {
	env   *passes.Env
	opt   Options
	goal  passes.Gates
	float *graph.Model // as the pass got it
	ref   *onnx.Model
	sets  []*calib.Set // what an attempt is measured on: calibration samples, then held-out ones

	last    *graph.Model // of the latest attempt: statistics of the model are known by it
	ranked  []reverted
	weights []float64 // of the outputs
	first   *trial
}

// reverted is a layer with what its way back to float is worth.
type reverted struct {
	layer *probe.Layer
	share []float64 // of the noise, by output of the model
	macs  float64   // share of the model's
}

// trial is one quantization of the model, measured.
type trial struct {
	env     *passes.Env
	planner *planner
	float   []reverted // layers in float
	found   []*passes.Verification
}

// withinBudget quantizes the model and, where the gates do not hold, again
// with some layers in float. Which ones is measured: every layer is quantized
// alone, and those that make the most noise for their multiply-accumulates go
// first. How many is found by bisection, each step a quantization of its own
// that is compared with the model on calibration and on held-out samples.
func withinBudget(ctx context.Context, env *passes.Env, o Options) error {
	b, err := newBudget(env, o)
	if err != nil {
		return err
	}
	if b.first, err = b.try(ctx, nil); err != nil {
		return err
	}
	best := b.first
	if !b.holds(b.first) {
		if err := b.rank(ctx); err != nil {
			return err
		}
		if best, err = b.search(ctx); err != nil {
			return err
		}
	}
	return b.adopt(ctx, best)
}

func newBudget(env *passes.Env, o Options) (*budget, error) {
	b := &budget{env: env, opt: o, float: env.Model, goal: passes.Gates{MinSQNR: env.Gates.MinSQNR, MinAgree: env.Gates.MinAgree}}
	n := searched
	if b.goal.MinAgree != nil {
		n = searchedTo
	}
	b.sets = []*calib.Set{env.Calib.Samples.Spread(n)}
	if env.Calib.HeldOut.Len() > 0 {
		b.sets = append(b.sets, env.Calib.HeldOut.Spread(n))
	}
	var err error
	b.ref, err = b.float.Export()
	return b, err
}

// try quantizes a copy of the model with some layers in float.
func (b *budget) try(ctx context.Context, float []reverted) (*trial, error) {
	env := *b.env
	env.Model, env.Report = b.float.Clone(), &passes.StepReport{}
	b.env.Calib.Transfer(b.last, env.Model)
	b.last = env.Model
	keep := map[string]string{}
	for _, r := range float {
		keep[r.layer.Output] = "in float to reach " + b.text()
	}
	p, err := quantizeModel(ctx, &env, b.opt, keep)
	if err != nil {
		return nil, err
	}
	t := &trial{env: &env, planner: p, float: float}
	m, err := env.Model.Export()
	if err != nil {
		return nil, err
	}
	for _, set := range b.sets {
		v, err := passes.Compare(ctx, b.env.Calib.Runner, b.ref, m, set, passes.CompareOptions{Threads: b.env.Calib.Threads})
		if err != nil {
			return nil, err
		}
		t.found = append(t.found, v)
	}
	if b.env.Log != nil {
		b.env.Log.Debug("budget", "float", len(float), "sqnr", t.worst())
	}
	return t, nil
}

// worst is the lowest SQNR of all samples.
func (t *trial) worst() float64 {
	w := t.found[0].Worst
	for _, v := range t.found {
		w = min(w, v.Worst)
	}
	return w
}

// text names the gates.
func (b *budget) text() string {
	var out []string
	if b.goal.MinSQNR != nil {
		out = append(out, fmt.Sprintf("--min-sqnr %g", *b.goal.MinSQNR))
	}
	if b.goal.MinAgree != nil {
		out = append(out, fmt.Sprintf("--min-agree %g", *b.goal.MinAgree))
	}
	return strings.Join(out, " ")
}

// holds says whether the gates hold on all samples. What cannot be judged is left to the gate itself.
func (b *budget) holds(t *trial) bool {
	for _, v := range t.found {
		if _, err := b.goal.Judge(v); err != nil && v.Broken == 0 && (b.goal.MinAgree == nil || v.Agree != nil) {
			return false
		}
	}
	return true
}

// excess is by which factor the noise is above what the gates allow, the worst
// of all samples; 1 and less when they hold. Predictions flip in proportion to
// the size of the noise, so their share counts squared.
func (b *budget) excess(t *trial) float64 {
	worst := 0.0
	for _, v := range t.found {
		if g := b.goal.MinSQNR; g != nil {
			worst = max(worst, math.Pow(10, (*g-v.Worst)/10))
		}
		if g := b.goal.MinAgree; g != nil && v.Agree != nil {
			r := (100 - *v.Agree) / max(100-*g, 1e-3)
			worst = max(worst, r*r)
		}
	}
	return worst
}

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

// mostFloat is the number of ranked layers that may go to float.
func (b *budget) mostFloat() int {
	var sum float64
	for i, r := range b.ranked {
		if sum += r.macs; sum > b.opt.MaxFloat/100 {
			return i
		}
	}
	return len(b.ranked)
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

// needed is the least number of ranked layers, from one to another, with which the noise should be low enough.
func (b *budget) needed(t *trial, from, to int) int {
	for n := from; n < to; n++ {
		if b.forecast(t, b.ranked[:n]) <= 1 {
			return n
		}
	}
	return to
}

// search finds the fewest ranked layers with which the gates hold; when no number does, the best trial.
func (b *budget) search(ctx context.Context) (*trial, error) {
	low, high, best := b.first, (*trial)(nil), b.first // the gates fail with low and hold with high
	top := b.mostFloat()                               // the most layers left to try
	for i := 0; i < attempts && len(low.float) < top; i++ {
		n := b.needed(low, len(low.float)+1, top)
		if high != nil && i > 2 { // the forecast has had its chances
			n = (len(low.float) + 1 + top) / 2
		}
		t, err := b.try(ctx, b.ranked[:n])
		if err != nil {
			return nil, err
		}
		b.env.Advance("fit to the gates", i+1, attempts)
		if b.excess(t) < b.excess(best) {
			best = t
		}
		if b.holds(t) {
			high, top = t, n-1
		} else {
			low = t
		}
	}
	if high != nil {
		return b.prune(ctx, high)
	}
	return best, nil
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

// adopt makes a trial the result of the pass, and says what it took.
func (b *budget) adopt(ctx context.Context, t *trial) error {
	r := t.env.Report
	old := b.env.Report
	r.Pass, r.Spec, r.Pulled, r.Planned = old.Pass, old.Spec, old.Pulled, old.Planned
	*old = *r
	b.env.Model = t.env.Model
	t.planner.env.Report = old
	if err := t.planner.trace(ctx); err != nil {
		return err
	}
	if t == b.first && b.holds(t) {
		return nil
	}
	b.tell(old, t)
	return nil
}

// tell reports which layers went back to float, what they cost, and what was reached.
func (b *budget) tell(r *passes.StepReport, t *trial) {
	state := "reached"
	if !b.holds(t) {
		state = "not reached"
	}
	r.Fact("budget "+b.text(), "%s: SQNR %.1f dB with every layer in INT8, %.1f dB with %d in float", state, b.first.worst(), t.worst(), len(t.float))
	if len(t.float) == 0 {
		return
	}
	var macs float64
	var names []string
	for _, l := range t.float {
		macs += l.macs
		names = append(names, l.layer.Name)
	}
	list := strings.Join(names[:min(len(names), mostNamed)], ", ")
	if more := len(names) - mostNamed; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	r.Fact("layers returned to float", "%d, %.1f %% of the MACs: %s", len(names), 100*macs, list)
	r.Fact("the same without the search", "%s", strings.Join(passes.ExcludeFlags(names), " "))
}

// mostNamed is how many layers a fact lists.
const mostNamed = 8
