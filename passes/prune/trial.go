package prune

import (
	"context"
	"errors"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// outcome is what a removal costs on samples that nothing was chosen by.
type outcome struct {
	plain    quality // nothing made up for
	merged   quality // before layers were refitted
	final    quality
	refitted bool
}

// quality is how close the outputs are to those of the original.
type quality struct {
	error float64 // see judge.error
	sqnr  float64 // dB
	top1  float64 // share of equal answers
}

// quality measures a model.
func (j *judge) quality(ctx context.Context, m *graph.Model) (quality, error) {
	c, err := j.compare(ctx, m)
	if err != nil {
		return quality{}, err
	}
	return quality{relativeError(c), c.All.SQNR, c.All.Top1}, nil
}

// attempt removes what is given, or what the budget asks for, from copies of the
// model. Of several choices it returns that whose outputs are closest to those
// of the original, on samples that statistics were not taken from.
func (p *pruner) attempt(ctx context.Context, given [][]int) (*pruner, error) {
	choices := [][][]int{given}
	if given == nil {
		var err error
		if choices, err = p.choose(ctx); err != nil {
			return nil, err
		}
	}
	if total(choices[0]) == 0 {
		return nil, p.nothing()
	}
	var best *pruner
	least := 0.0
	for _, removed := range choices {
		q, err := p.copy(ctx)
		if err != nil {
			return nil, err
		}
		if err := q.carryOut(ctx, removed); err != nil {
			return nil, err
		}
		e := 0.0
		if len(choices) > 1 {
			if e, err = p.state.check.error(ctx, q.env.Model); err != nil {
				return nil, err
			}
			e *= p.handicap(removed)
		}
		if best == nil || e < least {
			best, least = q, e
		}
	}
	return best, nil
}

// halvings is how often the budget is halved to stay below max-error.
const halvings = 4

// less removes as much of the budget as stays below max-error.
func (p *pruner) less(ctx context.Context, worst *pruner, given [][]int) (*pruner, error) {
	refusal := diag.New("OP3506", "the outputs change by more than max-error allows",
		"wanted", fmt.Sprintf("at most %.3g of their mean square", p.o.MaxError), "found", fmt.Sprintf("%.3g", worst.outcome.final.error)).
		Hinted("allow more with max-error, or remove less")
	if given != nil {
		return nil, refusal
	}
	o := p.o
	var best *pruner
	low, high := 0.0, 1.0 // parts of what is to be removed
	for range halvings {
		part := (low + high) / 2
		p.o.MACs, p.o.Params, p.o.Ratio = lesser(o.MACs, part), lesser(o.Params, part), o.Ratio*part
		q, err := p.attempt(ctx, nil)
		if d := (*diag.Error)(nil); errors.As(err, &d) && d.Code == "OP3501" {
			low = part // too little for one step
			continue
		}
		if err != nil {
			return nil, err
		}
		if q.outcome.final.error <= o.MaxError {
			best, low = q, part
		} else {
			high = part
		}
	}
	p.o = o
	if best == nil {
		return nil, refusal
	}
	p.env.Note("OP8073", "less was removed than the budget asks for, to stay below max-error",
		"wanted", fmt.Sprintf("at most %.3g of the outputs' mean square", o.MaxError), "with the whole budget", fmt.Sprintf("%.3g", worst.outcome.final.error),
		"now", fmt.Sprintf("%.3g", best.outcome.final.error))
	return best, nil
}

// lesser is the fraction to keep when only a part of what goes may go; 0 stays 0, which asks for nothing.
func lesser(keep, part float64) float64 {
	if keep == 0 {
		return 0
	}
	return 1 - (1-keep)*part
}

// copy is a pruner for a copy of the model, with the same statistics.
func (p *pruner) copy(ctx context.Context) (*pruner, error) {
	env, q := *p.env, *p
	env.Model, env.Report = p.env.Model.Clone(), &passes.StepReport{}
	q.env, q.rounds = &env, nil
	if err := q.look(ctx); err != nil {
		return nil, err
	}
	s := *p.state
	s.sites, s.blind = q.findSites()
	for i := range s.sites {
		s.sites[i].gram = p.state.sites[i].gram
	}
	q.state = &s
	return &q, nil
}

// carryOut cuts classes, makes up for them and measures what that costs. Refitting
// has to win on samples that nothing was chosen by; otherwise the model stays as merged.
func (p *pruner) carryOut(ctx context.Context, removed [][]int) error {
	held := p.state.heldOut
	masked, err := p.analysis.Mask(flat(removed))
	if err != nil {
		return err
	}
	if p.outcome.plain, err = held.quality(ctx, masked); err != nil {
		return err
	}
	planned, layers := p.plan(removed), p.counterparts(removed)
	if err := p.cut(removed); err != nil {
		return err
	}
	at := map[*graph.Node]*plannedLayer{}
	for i := range planned {
		planned[i].apply()
		at[planned[i].layer.node] = &planned[i]
	}
	if p.outcome.merged, err = held.quality(ctx, p.env.Model); err != nil {
		return err
	}
	p.outcome.final = p.outcome.merged
	if p.o.Compensate != Refit {
		return nil
	}
	for _, f := range layers {
		f.plain = at[f.node]
	}
	return p.refitIfBetter(ctx, layers)
}

// refitIfBetter refits the layers and goes back to the merged model when that is closer to the original.
func (p *pruner) refitIfBetter(ctx context.Context, layers []*fitted) error {
	merged := p.env.Model.Clone()
	if err := p.refit(ctx, layers); err != nil {
		return err
	}
	q, err := p.state.heldOut.quality(ctx, p.env.Model)
	switch {
	case err != nil:
		return err
	case q.error < p.outcome.merged.error:
		p.outcome.final, p.outcome.refitted = q, true
	default:
		p.env.Model, p.walked = merged, nil
	}
	return nil
}

// adopt proves the removal that was chosen and takes the model over.
func (p *pruner) adopt(ctx context.Context, best *pruner) error {
	removed := best.rounds[0].removed
	if err := p.checked(ctx, removed); err != nil {
		return err
	}
	p.rounds = append(p.rounds, round{p.analysis, p.bill, removed})
	p.outcome, p.walked = best.outcome, best.walked
	p.env.Model = best.env.Model
	return nil
}
