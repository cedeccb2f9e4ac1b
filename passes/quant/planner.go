package quant

import (
	"context"
	"errors"
	"fmt"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/cost"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// planner decides what becomes of every layer. It reads the model only.
type planner struct {
	env     *passes.Env
	opt     Options
	model   *graph.Model
	profile *target.Profile
	keep    map[string]string  // layers to leave in float, by the names of their outputs, with reasons
	few     *calib.Calibration // a part of the samples, for statistics
	before  *graph.Model       // a copy of the model from just before it was edited

	layers  []*layer
	byNode  map[*graph.Node]*layer
	weights map[weightKey]*weight
	stored  map[storedKey]*storedWeight
	depth   map[*graph.Node]int
	regions *region.Map // of the main graph

	wanted         map[graph.Use]bool
	wants          []graph.Use
	tensors        []*tensor
	byValue        map[*graph.Value]*tensor
	joins          []concatJoin
	own            map[*graph.Value]bool   // Concat outputs whose inputs do not share a scale
	given          map[graph.Use][]*tensor // the tensors that serve a wanted use
	paths          *paths
	dead, channels int                  // channels of layer inputs: zero on all samples, and all of them
	ifs            []*graph.Node        // see branching
	avoid          map[*graph.Node]bool // additions and Concats that stay float

	watched  map[*layer]*windowed // layers whose shift comes along with the statistics
	walked   []*rebuilt           // layers that repair walked through, and on how many samples
	walkedOn int

	recurrent []*recurrence
	constants []*constant // of float arithmetic, in graph order

	bound *graph.Model // the model with the sizes of the first sample
	cost  *cost.Cost
}

// weightKey identifies a stored form of a constant: tied weights share it when the axis is the same.
type weightKey struct {
	value *graph.Value
	axis  int
}

func newPlanner(env *passes.Env, o Options) (*planner, error) {
	p := &planner{
		env: env, opt: o, model: env.Model, profile: env.Target,
		byNode: map[*graph.Node]*layer{}, weights: map[weightKey]*weight{}, stored: map[storedKey]*storedWeight{}, own: map[*graph.Value]bool{}, avoid: map[*graph.Node]bool{},
	}
	if p.profile == nil {
		p.profile = target.Lookup("portable")
	}
	if v := p.model.Opset(""); v < 13 {
		return nil, diag.New("OP3460", "quantization per channel needs opset 13",
			"found", fmt.Sprintf("opset %d", v)).Hinted("leave --no-prep out, so that the opset pass raises it first")
	}
	if elem := elementOf(o.Format); elem.IsFloat8() {
		return p, p.useFloat8(elem)
	}
	return p, nil
}

// plan takes all decisions: layers and placement by the graph, then ranges by
// the samples. What the samples do not reach goes back to float and the
// placement is made again.
func (p *planner) plan(ctx context.Context) error {
	if err := p.bindShapes(ctx); err != nil {
		return err
	}
	p.depth = depths(p.model.Main)
	p.findLayers()
	p.findRegions()
	p.judgeShapes()
	if err := p.readWeights(ctx); err != nil {
		return err
	}
	p.judgeOutputs()
	if p.env.Calib == nil {
		p.place()
		return nil
	}
	for {
		p.place()
		table, err := p.collect(ctx)
		if err != nil {
			return err
		}
		if p.settled(table) {
			return p.estimate(ctx, table)
		}
	}
}

// bindShapes infers the model once more with the sizes of the first sample, to count and to judge small layers.
func (p *planner) bindShapes(ctx context.Context) error {
	shapes := map[string][]int64{}
	if p.env.Calib != nil && p.env.Calib.Samples.Len() > 0 {
		s, err := p.env.Calib.Samples.Read(ctx, 0)
		if err != nil {
			return err
		}
		for name, a := range s.Inputs {
			shapes[name] = a.Shape
		}
	}
	bound, err := cost.Bind(p.model, shapes, nil)
	if err != nil {
		p.env.Note("OP8040", "the sizes of all tensors could not be derived from the first sample", "why", err.Error())
		bound = p.model
	}
	p.bound, p.cost = bound, cost.Count(bound)
	return nil
}

// dims are the sizes of a value of the main graph for the first sample; nil when not all are known.
func (p *planner) dims(v *graph.Value) []int64 {
	if v == nil {
		return nil
	}
	w := p.bound.Main.Value(v.Name())
	if w == nil || !w.Shape().Ranked {
		return nil
	}
	out := make([]int64, len(w.Shape().Dims))
	for i, d := range w.Shape().Dims {
		if d.Value < 0 {
			return nil
		}
		out[i] = d.Value
	}
	return out
}

// depths is the length of the longest path from an input to each node.
func depths(g *graph.Graph) map[*graph.Node]int {
	out := map[*graph.Node]int{}
	for n := range g.Nodes() {
		d := 0
		for _, v := range n.Ins() {
			if v != nil && v.Def() != nil {
				d = max(d, out[v.Def()])
			}
		}
		out[n] = d + 1
	}
	return out
}

// readWeights computes the scales of every weight that is to be stored in 8 bits.
func (p *planner) readWeights(ctx context.Context) error {
	layers := p.firstReaders()
	weights, errs := make([]*weight, len(layers)), make([]error, len(layers))
	p.each(len(layers), func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			weights[i], errs[i] = newWeight(layers[i].node, layers[i].weight, p.weightElem())
		}
	})
	broken := map[weightKey]bool{}
	for i, l := range layers {
		switch {
		case errs[i] == nil:
			p.weights[p.key(l)] = weights[i]
		case errors.Is(errs[i], errNotFinite):
			broken[p.key(l)] = true
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			return fmt.Errorf("%s: %w", l.node.Label(), errs[i])
		}
	}
	for _, l := range p.layers {
		if l.reason == "" && l.weight != nil && broken[p.key(l)] {
			l.float("the weight holds NaN or infinity")
		}
	}
	return nil
}

// weightElem is the element type of the codes of weights.
func (p *planner) weightElem() onnx.DataType {
	if p.float8() {
		return p.profile.Quant.Signed
	}
	return onnx.Int8
}

// firstReaders are the layers with a weight to store, one for each stored form.
func (p *planner) firstReaders() []*layer {
	var out []*layer
	seen := map[weightKey]bool{}
	for _, l := range p.layers {
		if l.reason == "" && l.weight != nil && !seen[p.key(l)] {
			seen[p.key(l)] = true
			out = append(out, l)
		}
	}
	return out
}

func (p *planner) key(l *layer) weightKey {
	return weightKey{l.weight, target.WeightAxis(l.node, len(l.weight.Const().Dims))}
}

// judgeShapes keeps layers in float that are too small for the target's 8-bit
// kernels, and decides the products of two computed tensors.
func (p *planner) judgeShapes() {
	for _, l := range p.layers {
		if !l.int8() {
			continue
		}
		if l.attention() {
			p.judgeAttention(l)
		}
		if why := p.tooSmall(l); why != "" {
			l.float(why)
		}
	}
}

// judgeOutputs keeps layers in float that run in 8 bits only with a quantized
// output when that output belongs to the model's interface.
func (p *planner) judgeOutputs() {
	for _, l := range p.layers {
		if l.int8() && p.profile.NeedsOutput(l.node.Op()) && p.fusedOutput(l.node).IsOutput() {
			l.float("its output is a graph output, and " + p.profile.Title + " runs " + l.node.Op() + " in 8 bits only with a quantized output")
		}
	}
}

// settled checks the statistics: what reads a tensor that was never observed
// goes back to float, and a Concat of very different ranges keeps separate
// scales. It reports whether nothing changed.
func (p *planner) settled(table *calib.Table) bool {
	same := true
	for _, u := range p.wants {
		if why := p.untaught(p.given[u], table); why != "" && !(why == onlyZeros && u.Node.Is("Concat")) { // zeros pad channels
			p.unquantize(u.Node, why)
			same = false
		}
	}
	for _, l := range p.layers {
		if !l.int8() || !p.profile.NeedsOutput(l.node.Op()) {
			continue
		}
		if why := p.untaught([]*tensor{p.tensor(p.fusedOutput(l.node))}, table); why != "" {
			p.unquantize(l.node, why)
			same = false
		}
	}
	for _, j := range p.joins {
		if !p.own[j.output] && spread(j, table) > maxSpread {
			p.own[j.output] = true
			same = false
		}
	}
	return same
}

// untaught is why the samples say nothing about the range of the tensors that serve one use; empty when they do.
func (p *planner) untaught(list []*tensor, table *calib.Table) string {
	for _, t := range list {
		if why := unseen(t, table); why != "" {
			return why
		}
	}
	if p.silent(list, table) {
		return onlyZeros
	}
	return ""
}

// unseen is why a tensor has no statistics; empty when it has.
func unseen(t *tensor, table *calib.Table) string {
	name := t.value.Name()
	if s := statistics(t.value, table); t.repeat || s != nil && s.Finite() > 0 {
		return ""
	}
	if why := table.Unobservable(name); why != "" {
		return noStatistics + ": " + why
	}
	return noStatistics + ": the samples give them no finite element"
}

// unquantize leaves a layer or an addition in float.
func (p *planner) unquantize(n *graph.Node, why string) {
	if l := p.byNode[n]; l != nil {
		l.float(why)
		return
	}
	p.avoid[n] = true
}

// maxSpread is the largest ratio of the ranges of tensors that may share one scale.
const maxSpread = 16

// spread is the ratio of the largest to the smallest magnitude among the inputs of a Concat.
func spread(j concatJoin, table *calib.Table) float64 {
	least, most := 0.0, 0.0
	for _, t := range j.inputs {
		s := table.Stats(t.value.Name())
		if s == nil || s.Finite() == 0 {
			continue
		}
		a := max(-float64(s.Min), float64(s.Max))
		if a > 0 && (least == 0 || a < least) { // a tensor of zeros fits every scale
			least = a
		}
		most = max(most, a)
	}
	if least == 0 {
		return 1
	}
	return most / least
}
