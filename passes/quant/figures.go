package quant

import (
	"context"

	"github.com/onnxpass/onnxpass/calib/probe"
)

// traced is how many samples the figures of the layers come from, at most: the noise of
// a layer is spread over many elements, and a report needs no more.
const traced = 1

// trace measures the output of every layer in the quantized model, and what
// the layer itself adds, for the report. It runs held-out samples where there
// are some.
func (p *planner) trace(ctx context.Context) error {
	set := p.env.Calib.HeldOut
	if set.Len() == 0 {
		set = p.env.Calib.Samples
	}
	set = set.Spread(traced)
	var names []string
	for _, l := range p.layers {
		if l.node.Graph() == p.model.Main && !l.node.Removed() {
			names = append(names, l.node.Out(0).Name())
		}
	}
	found, err := probe.Trace(ctx, p.env.Calib.Runner, p.before, p.model, names, set, p.env.Calib.Threads)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		p.env.Note("OP8045", "what each layer loses could not be measured", "why", err.Error())
		return nil
	}
	byName := map[string]probe.Figures{}
	for i, f := range found {
		byName[names[i]] = f
	}
	for i := range p.env.Report.Layers {
		e := &p.env.Report.Layers[i]
		f := byName[e.Output]
		if f.Chain != nil && f.Chain.Broken == 0 {
			e.SQNR, e.Cosine, e.MaxAbs = finite(f.Chain.SQNR), finite(f.Chain.Cosine), finite(f.Chain.MaxAbs)
		}
		if f.Own != nil && f.Own.Broken == 0 {
			e.OwnSQNR = finite(f.Own.SQNR)
		}
	}
	return nil
}
