// Package prune is the pass that removes whole channels, hidden units and heads
// of a trained network, so that a smaller dense model is left that every
// runtime takes as it is.
package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// Pass removes channels.
//
// Before: layers with as many channels as they were trained with. After: the
// same layers and names with fewer, and a report of what that cost. Names,
// types and shapes of the model's inputs and outputs do not change. What must
// stay, and why, is in the report; explain-prune lists it without pruning.
var Pass = passes.New(passes.Info{
	Name:    "prune",
	Summary: "remove whole channels, hidden units and heads; the model stays dense",
	Doc: `Finds out which channels belong together (through shortcuts, concatenations, reshapes, gates, groups, heads), scores them, removes
the least important ones up to a budget, and cuts weights, constants and attributes so that the model stays dense and valid.
Say how much: lossless=true removes what changes nothing; macs=0.75 or params=0.75 keeps that fraction; ratio=0.2 removes a fifth
of every pool of channels; indices=FILE or plan-in=FILE says which.
The pruned model is run against the original with the same channels silenced, and is refused when the two differ.

Before:  x -> Conv[64] -> Relu -> Conv[64]
After:   x -> Conv[48] -> Relu -> Conv[64], whose weights have 48 input channels`,
	Phase: passes.Structure,
	Needs: []string{"opset", "cleanup"},
}, defaults(), run)

// pruner is one run of the pass.
type pruner struct {
	env      *passes.Env
	o        Options
	analysis *axes.Analysis
	bill     *bill
	before   float64   // MACs when the pass began
	rounds   []round   // what was removed, one entry for each time that the model was cut
	sum      string    // digest of the pools when the pass began
	proven   float64   // largest difference to a silenced model
	compared int       // samples that it was found on
	state    *state    // what samples tell; nil without any
	walked   []*fitted // layers that were refitted
	outcome  outcome   // what that costs
}

// round is one removal.
type round struct {
	analysis *axes.Analysis
	bill     *bill
	removed  [][]int // of each pool: classes, in the order of the pool
}

func run(ctx context.Context, env *passes.Env, o Options) error {
	if env.NoVerify {
		o.Verify = false
		env.Note("OP8070", "the pruned model was not compared with the original", "reason", "--no-verify was set")
	}
	p := &pruner{env: env, o: o}
	if err := p.look(ctx); err != nil {
		return err
	}
	p.before = p.bill.macs(nil)
	if o.PlanOut != "" {
		p.sum = digest(p.analysis)
	}
	var err error
	switch {
	case o.Lossless:
		err = p.lossless(ctx)
	default:
		err = p.lossy(ctx)
	}
	if err != nil {
		return err
	}
	if err := p.writePlan(); err != nil {
		return err
	}
	p.report()
	return nil
}

// look analyses the model as it is now.
func (p *pruner) look(ctx context.Context) error {
	o, err := p.analysisOptions()
	if err != nil {
		return err
	}
	separate(p.env.Model)
	p.analysis = axes.Analyze(p.env.Model, o)
	p.bill, err = p.count(ctx)
	return err
}

// separate gives every reader of a shared vector one of its own: zero points and
// biases that happen to be equal would tie channels that have nothing in common.
func separate(m *graph.Model) {
	for g := range m.Graphs() {
		for _, v := range g.Initializers() {
			if t := v.Const(); v.IsInput() || g.Function() != nil || len(t.Dims) != 1 || t.Dims[0] < 2 || t.Type == onnx.Int64 {
				continue
			}
			for _, u := range v.Uses()[min(1, v.NumUses()):] {
				if !u.IsReturn() {
					u.Set(g.Init(v.Name(), v.Const()))
				}
			}
		}
	}
}

// lossy removes what the options say or the budget asks for.
func (p *pruner) lossy(ctx context.Context) error {
	removed, err := p.given()
	switch {
	case err != nil:
		return err
	case removed == nil && len(p.analysis.Pools) == 0:
		return p.nothing()
	}
	if err := p.observe(ctx); err != nil {
		return err
	}
	if p.state == nil {
		return p.blindly(ctx, removed)
	}
	best, err := p.attempt(ctx, removed)
	if err == nil && p.o.MaxError > 0 && best.outcome.final.error > p.o.MaxError {
		best, err = p.less(ctx, best, removed)
	}
	if err != nil {
		return err
	}
	return p.adopt(ctx, best)
}

// blindly removes classes without samples; nil: by what the weights tell.
func (p *pruner) blindly(ctx context.Context, removed [][]int) error {
	if removed == nil {
		choices, err := p.choose(ctx)
		if err != nil {
			return err
		}
		removed = choices[0]
	}
	if total(removed) == 0 {
		return p.nothing()
	}
	var addends []addend
	if p.o.Compensate != NoCompensation {
		addends = p.expected().addends(p, flat(removed))
	}
	if err := p.checked(ctx, removed); err != nil {
		return err
	}
	if err := p.cut(removed); err != nil {
		return err
	}
	for _, a := range addends {
		a.apply()
	}
	return nil
}

// checked proves a removal, if that is wanted.
func (p *pruner) checked(ctx context.Context, removed [][]int) error {
	if !p.o.Verify {
		return nil
	}
	return p.prove(ctx, flat(removed))
}

// cut removes classes from the model.
func (p *pruner) cut(removed [][]int) error {
	p.rounds = append(p.rounds, round{p.analysis, p.bill, removed})
	if err := p.analysis.Cut(flat(removed)); err != nil {
		return diag.New("OP1003", "the cut model is not valid").Wrap(err)
	}
	return nil
}

// flat lists the classes of all pools.
func flat(removed [][]int) []int {
	var out []int
	for _, list := range removed {
		out = append(out, list...)
	}
	return out
}

func total(removed [][]int) int { return len(flat(removed)) }
