package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/passes"
)

// Explanation is what could be pruned of a model, what not, and why.
type Explanation struct {
	Pools    []passes.Pool `json:"pools"`        // Before and After are equal: nothing is removed
	Held     []passes.Held `json:"held"`         // channels of layers with weights that must stay
	MACs     int64         `json:"macs"`         // counted multiply-accumulates
	Prunable float64       `json:"prunable_pct"` // share of them in layers that some pool shrinks, in percent
	Shapes   []string      `json:"macs_shapes"`  // input shapes that they are counted for
}

// Explain analyses the model of env, which the passes that prune needs have run over. It removes nothing.
func Explain(ctx context.Context, env *passes.Env, o Options) (*Explanation, error) {
	o.Lossless = true // any goal: none is pursued
	p := &pruner{env: env, o: o}
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	out := &Explanation{Pools: []passes.Pool{}, Held: []passes.Held{}, MACs: int64(p.bill.macs(nil)), Prunable: 100 * p.bill.prunable(), Shapes: p.bill.shapes}
	for i, pool := range p.analysis.Pools {
		n, work := len(pool.Classes), int64(p.bill.around(i, nil))
		out.Pools = append(out.Pools, passes.Pool{Name: pool.Name, Layers: len(pool.Sources), Before: n, After: n, Each: pool.Touches[0].Each, MACsBefore: work, MACsAfter: work})
	}
	for _, f := range p.analysis.Frozen {
		out.Held = append(out.Held, passes.Held{Node: f.Name, Channels: f.Width, Reason: f.Reason.String()})
	}
	return out, nil
}
