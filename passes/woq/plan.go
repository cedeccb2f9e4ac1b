package woq

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/opset"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// passName is what created nodes say in their metadata.
const passName = "woq"

// plan is one run of the pass.
type plan struct {
	env    *passes.Env
	opt    Options
	target *target.Profile
	last   map[*graph.Node]bool
	items  []*weights.Item
	walked *weights.Walked
}

// decide finds the weights and chooses formats.
func (p *plan) decide(ctx context.Context) error {
	if p.target = p.env.Target; p.target == nil {
		p.target = target.Lookup("portable")
	}
	if err := p.supported(ctx); err != nil {
		return err
	}
	found, left := weights.Find(p.env.Model, weights.FindOptions{MinElements: p.opt.MinElems, Admit: p.env.Select.Match})
	for _, l := range left {
		p.env.Skip(l.Node, "the weight stays: "+l.Reason)
	}
	p.last = lastLayers(p.env.Model, found)
	for _, w := range found {
		kind := p.kind(w)
		if kind == Float {
			p.env.Skip(w.Node(), "the weight stays: asked for in float")
			continue
		}
		if slices.Contains(p.target.Weights.Kept, "Gemm") && w.Upright() {
			p.env.Plan(w.Node(), "transpose the weight", "[K, N] is what runtimes keep packed")
		}
		p.items = append(p.items, &weights.Item{Weight: w, Format: p.format(w, kind)})
	}
	return nil
}

// supported raises the opset where the pass before could not or did not, or says what hinders.
func (p *plan) supported(ctx context.Context) error {
	least := opsets[p.opt.Type]
	if most := p.target.File.OpsetMax; most < least {
		return diag.New("OP3470", "the target does not read weights of this type", "type", p.opt.Type, "needs opset", fmt.Sprint(least),
			"target", p.target.Name, "reads opset", fmt.Sprintf("up to %d", most)).Hinted("use type=int8, or another --target")
	}
	code := map[string]onnx.DataType{Int8: onnx.Int8, Int4: onnx.Int4, E4M3: onnx.Float8E4M3FN, E5M2: onnx.Float8E5M2}[p.opt.Type]
	if !p.target.Weights.Dequantizes(code) {
		return diag.New("OP3470", "the target does not read weights of this type", "type", p.opt.Type, "target", p.target.Name).
			Hinted("use type=int8, or another --target")
	}
	if p.opt.Zero == Asymmetric && p.opt.Type == Int4 && !p.target.Weights.Dequantizes(onnx.Uint4) {
		return diag.New("OP3470", "the target takes no zero points beside 4-bit weights", "target", p.target.Name).Hinted("use zero=symmetric")
	}
	if p.env.Model.Opset("") >= least {
		return nil
	}
	return opset.Raise(ctx, p.env.Model, least)
}

// kind is the type that the options want for a weight.
func (p *plan) kind(w *weights.Weight) string {
	op := w.Node().Op()
	switch {
	case w.Kind == weights.Table:
		return p.opt.Embeddings
	case p.opt.Type != Int4:
		return p.opt.Type
	case w.Kind == weights.Recurrent:
		return Int8
	case op == "Conv" || op == "ConvTranspose":
		return p.opt.Conv
	case p.last[w.Node()] && p.opt.Last != Same:
		return p.opt.Last
	}
	return Int4
}

// format is how a weight is to be stored: in the type wanted, or in int8 where that does not suit it.
func (p *plan) format(w *weights.Weight, kind string) weights.Format {
	eight := &weights.Integer{Bits: 8, AbsMax: p.opt.Scale == AbsMax, Target: p.target, Threads: p.threads()}
	var f interface {
		weights.Format
		Suits(w *weights.Weight) (why string)
	} = eight
	switch kind {
	case Int4:
		f = p.four(w)
	case E4M3:
		f = &weights.Float8{Type: onnx.Float8E4M3FN, Target: p.target, Threads: p.threads()}
	case E5M2:
		f = &weights.Float8{Type: onnx.Float8E5M2, Target: p.target, Threads: p.threads()}
	}
	if why := f.Suits(w); why != "" && f != eight {
		p.env.Skip(w.Node(), "the weight is stored in int8: "+why)
		return eight
	}
	return f
}

// four is the format of 4 bits for a weight.
func (p *plan) four(w *weights.Weight) *weights.Integer {
	f := &weights.Integer{Bits: 4, AbsMax: p.opt.Scale == AbsMax, Target: p.target, Threads: p.threads()}
	if !w.Node().Is("Conv", "ConvTranspose") {
		f.Block = p.opt.Block
		f.Asymmetric = p.opt.Zero == Asymmetric || p.opt.Zero == Auto && p.target.Weights.Dequantizes(onnx.Uint4)
		// The least squared error of a weight with zero points lies in narrow ranges, whose one-sided errors add up
		// over inputs of one sign; where samples say what inputs are like, it is the better choice.
		f.AbsMax = f.AbsMax || p.opt.Scale == Auto && f.Asymmetric && !p.sampled()
	}
	return f
}

// sampled says whether there are samples to round on.
func (p *plan) sampled() bool {
	return p.env.Calib != nil && p.env.Calib.Samples.Len() > 0
}

func (p *plan) threads() int {
	if p.env.Calib != nil {
		return p.env.Calib.Threads
	}
	return 0
}

// lastLayers are the products of the main graph behind which there is no other.
func lastLayers(m *graph.Model, found []*weights.Weight) map[*graph.Node]bool {
	product := map[*graph.Node]bool{}
	for _, w := range found {
		for _, u := range w.Readers {
			product[u.Node] = w.Kind == weights.Product
		}
	}
	nodes := slices.Collect(m.Main.Nodes())
	ahead, last := map[*graph.Value]bool{}, map[*graph.Node]bool{} // values from which a product is computed
	for _, n := range slices.Backward(nodes) {
		next := slices.ContainsFunc(n.Outs(), func(v *graph.Value) bool { return v != nil && ahead[v] })
		last[n] = product[n] && !next
		if product[n] || next {
			for _, v := range n.Reads() {
				ahead[v] = true
			}
		}
	}
	return last
}

// round rounds all weights, on samples where there are some.
func (p *plan) round(ctx context.Context) error {
	if !p.sampled() {
		for i, it := range p.items {
			if err := errors.Join(ctx.Err(), it.Plain()); err != nil {
				return err
			}
			p.env.Advance("round", i+1, len(p.items))
		}
		return nil
	}
	var err error
	p.walked, err = weights.Walk(ctx, p.env.Model, p.env.Calib, p.items, p.walk())
	return err
}

// walk are the options of the walk. Without 8-bit activations all that is left
// is the error of weights, so that more samples are worth their time than in pass quant.
func (p *plan) walk() weights.WalkOptions {
	o := weights.WalkOptions{
		Feedback: p.opt.Feedback, Refit: p.opt.Refit, Rescale: p.opt.Rescale, Bias: p.opt.Bias == BiasMean,
		Samples: 64, Memory: 128 << 20,
		Progress: func(done, total int) { p.env.Advance("round", done, total) },
	}
	if p.opt.Effort == High {
		o.Samples, o.Memory, o.Rows, o.Columns = 256, 512<<20, 48, 4608
	}
	return o
}

// store writes what was rounded.
func (p *plan) store() error {
	p.report()
	for _, it := range p.items {
		if err := it.Store(it.Weight, passName); err != nil {
			return err
		}
	}
	return p.env.Model.Main.Sort()
}
