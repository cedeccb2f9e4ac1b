package quant

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

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
	float   []reverted             // layers in float
	found   []*passes.Verification // by set of samples
	failed  error                  // it does not run
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
	if b.first.failed == nil && !b.holds(b.first) {
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
	if err := b.measure(ctx, t); err != nil {
		return nil, err
	}
	if b.env.Log != nil && t.failed == nil {
		b.env.Log.Debug("budget", "float", len(float), "sqnr", t.worst())
	}
	return t, nil
}

// measure compares a trial with the model. The sets run side by side, each in
// sessions of one thread, so that no rounding depends on the machine. A model
// that does not run is a failed trial: what to say of it is the proof's affair.
func (b *budget) measure(ctx context.Context, t *trial) error {
	m, err := t.env.Model.Export()
	if err != nil {
		return err
	}
	t.found = make([]*passes.Verification, len(b.sets))
	errs := make([]error, len(b.sets))
	var group sync.WaitGroup
	for i, set := range b.sets {
		group.Go(func() {
			t.found[i], errs[i] = passes.Compare(ctx, b.env.Calib.Runner, b.ref, m, set, passes.CompareOptions{Threads: 1})
		})
	}
	group.Wait()
	t.failed = errors.Join(errs...)
	return ctx.Err()
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
func (b *budget) holds(t *trial) bool { return b.excess(t) <= 1 }

// excess is by which factor the noise is above what the gates allow, the worst
// of all samples; 1 and less when they hold. Predictions flip in proportion to
// the size of the noise, so their share counts squared.
func (b *budget) excess(t *trial) float64 {
	if t.failed != nil {
		return math.Inf(1)
	}
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

// adopt makes a trial the result of the pass, and says what it took.
func (b *budget) adopt(ctx context.Context, t *trial) error {
	r := t.env.Report
	old := b.env.Report
	r.Pass, r.Spec, r.Pulled, r.Planned = old.Pass, old.Spec, old.Pulled, old.Planned
	*old = *r
	b.env.Model = t.env.Model
	t.planner.env.Report = old
	if b.opt.Effort != EffortFast {
		if err := t.planner.trace(ctx); err != nil {
			return err
		}
	}
	if t == b.first && (b.holds(t) || t.failed != nil) {
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
	r.Fact(passes.BudgetFact+" "+b.text(), "%s: SQNR %.1f dB with every layer in INT8, %.1f dB with %d in float", state, b.first.worst(), t.worst(), len(t.float))
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
