package codebook

import (
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// passName is what created nodes say in their metadata.
const passName = "codebook"

// plan is one run of the pass.
type plan struct {
	env    *passes.Env
	opt    Options
	target *target.Profile
	items  []*weights.Item
	walked *weights.Walked
	tally
}

// decide finds the weights and settles their format.
func (p *plan) decide() error {
	if p.target = p.env.Target; p.target == nil {
		p.target = target.Lookup("portable")
	}
	coded := p.coded()
	found, left := weights.Find(p.env.Model, weights.FindOptions{MinElements: p.opt.MinElems, Admit: func(n *graph.Node) (bool, string) {
		if coded[n] {
			return false, already
		}
		return p.env.Select.Match(n)
	}})
	for n := range p.env.Model.All() {
		if p.integer(n) {
			p.env.Skip(n, "the weight stays: it is stored in 8 bits already")
		}
	}
	for _, l := range left {
		p.env.Skip(l.Node, "the weight stays: "+l.Reason)
	}
	f := p.opt.format(p.target, p.threads())
	if p.opt.Granularity == Model && len(found) > 0 {
		var err error
		if f.Shared, err = palette.NewTable(found, f); err != nil {
			return err
		}
	}
	large := p.opt.pairs(f)
	for _, w := range found {
		if !p.env.DryRun && f.Integers() && p.target.Weights.Upright && slices.Contains(p.target.Weights.Kept, "Gemm") && w.Upright() {
			p.env.Plan(w.Node(), "transpose the weight", "[K, N] is what runtimes keep in 8 bits")
		}
		it := &weights.Item{Weight: w, Format: f}
		if large != nil && w.Elements() >= pairsFrom && w.Cols%2 == 0 && !f.InEightBits(w) {
			it.Format = large
		}
		p.items = append(p.items, it)
	}
	return nil
}

// integer says whether n dequantizes a large constant.
func (p *plan) integer(n *graph.Node) bool {
	if !n.Is("DequantizeLinear") || n.In(0) == nil || n.In(0).Const() == nil {
		return false
	}
	size, err := n.In(0).Const().NumElements()
	return err == nil && size >= p.opt.MinElems
}

const already = "it is stored as codes already"

// coded are the nodes that compute weights from codes; their readers are reported.
func (p *plan) coded() map[*graph.Node]bool {
	nodes := map[*graph.Node]bool{}
	var mark func(v *graph.Value)
	mark = func(v *graph.Value) {
		if v == nil || v.Def() == nil || nodes[v.Def()] {
			return
		}
		nodes[v.Def()] = true
		for _, in := range v.Def().Ins() {
			mark(in)
		}
	}
	for _, s := range palette.Find(p.env.Model) {
		mark(s.Value)
		p.env.Skip(s.Value.Uses()[0].Node, "the weight stays: "+already)
	}
	return nodes
}

func (p *plan) threads() int {
	if p.env.Calib != nil {
		return p.env.Calib.Threads
	}
	return 0
}

// round rounds all weights on samples where there are some. Without, each
// weight is stored before the next one is looked at, so that one of them is in memory.
func (p *plan) round(ctx context.Context) error {
	if p.env.Calib == nil || p.env.Calib.Samples.Len() == 0 || p.opt.Unique {
		return p.alone(ctx)
	}
	var err error
	p.walked, err = weights.Walk(ctx, p.env.Model, p.env.Calib, p.items, weights.WalkOptions{
		Feedback: p.opt.Feedback, Refit: p.opt.Refit, Rescale: p.opt.ScaleRefit, Retable: p.opt.TableRefit, Bias: p.opt.Bias == BiasMean,
		Progress: func(done, total int) { p.env.Advance("codebook", done, total) },
	})
	if err != nil {
		return err
	}
	for _, it := range p.items {
		if err := p.store(it); err != nil {
			return err
		}
	}
	return nil
}

// alone rounds every weight to the nearest entries.
func (p *plan) alone(ctx context.Context) error {
	for i, it := range p.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := it.Plain(); err != nil {
			return err
		}
		if err := p.store(it); err != nil {
			return err
		}
		p.env.Advance("codebook", i+1, len(p.items))
	}
	return nil
}

// store writes one weight, and what becomes of it into the report.
func (p *plan) store(it *weights.Item) error {
	p.entry(it)
	if p.env.DryRun {
		it.Stored = nil
		return nil
	}
	err := it.Store(it.Weight, passName)
	it.Stored = nil
	return err
}
