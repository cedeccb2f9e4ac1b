package quant

import (
	"context"
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
)

// Samples below which ranges are unsafe, and how many are advised. What a
// network of convolutions gains levels off before 64; attention, whose outliers
// differ from sample to sample, gained 2 dB from 100 to 300.
const (
	fewSamples, goodSamples                   = 64, 64
	fewAttentionSamples, goodAttentionSamples = 128, 300
)

// noteEdges warns of what in the samples makes the result doubtful.
func (p *planner) noteEdges(ctx context.Context) error {
	if p.env.Calib == nil || p.env.Calib.Samples.Len() == 0 {
		return nil
	}
	table, err := p.collect(ctx)
	if err != nil {
		return err
	}
	if !p.env.Calib.Samples.Random && len(p.tensors) > 0 {
		if err := p.noteFewSamples(ctx); err != nil {
			return err
		}
	}
	p.noteTensors(table)
	p.countDead(table)
	p.noteUnreached()
	p.noteBranches(table)
	return nil
}

// noteFewSamples warns when ranges rest on few samples.
func (p *planner) noteFewSamples(ctx context.Context) error {
	batch, err := p.batch(ctx)
	if err != nil {
		return err
	}
	few, good := fewSamples, goodSamples
	for _, r := range p.regions.All() {
		if r.Kind == region.Attention {
			few, good = fewAttentionSamples, goodAttentionSamples
		}
	}
	if n := p.env.Calib.Samples.Len() * batch; n < few {
		p.env.Note("OP8061", "ranges rest on few samples", "samples", fmt.Sprint(n), "wanted", fmt.Sprintf("%d or more", good)).
			Hinted("give more inputs of the kind that the model will see; a fifth of them is held out")
	}
	return nil
}

// batch is how many independent inputs one sample holds: the first dimension
// that all inputs of at least three dimensions, or of integers, have in common.
func (p *planner) batch(ctx context.Context) (int, error) {
	s, err := p.env.Calib.Samples.Read(ctx, 0)
	if err != nil {
		return 0, err
	}
	batch := int64(0)
	for _, a := range s.Inputs {
		if len(a.Shape) < 2 || len(a.Shape) == 2 && a.Type.IsFloat() || batch != 0 && a.Shape[0] != batch {
			return 1, nil
		}
		batch = a.Shape[0]
	}
	return int(max(batch, 1)), nil
}

// noteTensors warns of tensors with a pair that never change, and of those that are not finite everywhere.
func (p *planner) noteTensors(table *calib.Table) {
	var constant, broken []string
	for _, t := range p.tensors {
		s := table.Stats(t.value.Name())
		if t.repeat || t.value.Const() != nil || s == nil {
			continue
		}
		if s.Finite() > 0 && s.Min == s.Max {
			constant = append(constant, t.value.Name())
		}
		if s.NaN+s.Inf > 0 {
			broken = append(broken, fmt.Sprintf("%s (%d NaN, %d infinite of %d)", t.value.Name(), s.NaN, s.Inf, s.Count))
		}
	}
	if len(constant) > 0 {
		p.env.Note("OP8062", "quantized tensors hold one value on all samples", "tensors", some(constant)).
			Hinted("their ranges end at that value: give samples that exercise this part, or leave its readers out with --exclude")
	}
	if len(broken) > 0 {
		p.env.Note("OP8064", "quantized tensors are not finite on all samples", "tensors", some(broken)).
			Hinted("8-bit codes have neither NaN nor infinity: those elements become zero or the end of the range; see whether the original is right on these samples")
	}
}

// countDead counts channels, along which layers sum, that are zero on all samples.
// They cost nothing in 8 bits, as the range is the tensor's; many of them hint at samples of one kind, or at work for pruning.
func (p *planner) countDead(table *calib.Table) {
	for _, t := range p.tensors {
		s := table.Stats(t.value.Name())
		if t.repeat || s == nil || s.Channels == nil {
			continue
		}
		for c, n := range s.Channels.Count {
			p.channels++
			if n > 0 && s.Channels.Min[c] == 0 && s.Channels.Max[c] == 0 {
				p.dead++
			}
		}
	}
}

// noteUnreached warns of layers that could have been quantized with other samples.
func (p *planner) noteUnreached() {
	var names []string
	for _, l := range p.layers {
		if strings.HasPrefix(l.reason, noStatistics) || l.reason == onlyZeros {
			names = append(names, nodeName(l.node))
		}
	}
	if len(names) > 0 {
		p.env.Note("OP8065", "the samples do not reach some layers, which stay in float", "layers", some(names)).
			Hinted("the reasons are in the report; samples that exercise this part make them 8-bit")
	}
}

// branching are the If nodes of the main graph whose bodies hold layers, with a computed condition.
func (p *planner) branching() []*graph.Node {
	if p.ifs == nil {
		p.ifs = []*graph.Node{}
		seen := map[*graph.Node]bool{}
		for _, l := range p.layers {
			n := l.node
			for n.Graph().Owner() != nil {
				n = n.Graph().Owner()
			}
			if n != l.node && !seen[n] && n.Graph() == p.model.Main && n.Is("If") && n.In(0) != nil && n.In(0).Const() == nil {
				seen[n] = true
				p.ifs = append(p.ifs, n)
			}
		}
	}
	return p.ifs
}

// noteBranches warns of branches that no sample takes.
func (p *planner) noteBranches(table *calib.Table) {
	var idle []string
	for _, n := range p.branching() {
		s := table.Stats(n.In(0).Name())
		if s == nil || s.Finite() == 0 || s.Min != s.Max {
			continue
		}
		branch := "then_branch"
		if s.Min != 0 {
			branch = "else_branch"
		}
		idle = append(idle, nodeName(n)+" "+branch)
	}
	if len(idle) > 0 {
		p.env.Note("OP8066", "branches with layers that no sample takes", "branches", some(idle)).
			Hinted("their weights may be stored in 8 bits, but nothing in them was run: add samples that take them")
	}
}

// noteQuantized warns that the model was 8-bit before, and says how many of its layers were. It reports whether there are any.
func (p *planner) noteQuantized() bool {
	done, all := 0, len(p.layers)
	for _, l := range p.layers {
		if l.reason == quantizedBefore || l.reason == halfQuantized {
			done++
		}
	}
	for n := range p.model.All() {
		if isInteger(n) && n.Op() != "DynamicQuantizeLinear" {
			done, all = done+1, all+1
		}
	}
	if done > 0 {
		p.env.Note("OP8067", "the model is quantized already, and what is stays as it is", "layers", fmt.Sprintf("%d of %d", done, all)).
			Hinted("types, scales and places of its pairs are those of whoever wrote them: for the best file quantize the float original")
	}
	return done > 0
}

// some lists the first of many names.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// silent says whether a tensor is zero on all samples, with all that share its
// scale. There is no range to choose then, and any would lose what other inputs bring.
func (p *planner) silent(list []*tensor, table *calib.Table) bool {
	for _, t := range list {
		s := table.Stats(t.value.Name())
		if t.repeat || t.value.Const() != nil || s == nil || s.Finite() == 0 || s.Min != 0 || s.Max != 0 {
			return false
		}
	}
	return len(list) > 0
}

const (
	noStatistics = "no statistics of its tensors"

	quantizedBefore = "already quantized"
	halfQuantized   = "its input is quantized already, and its weight is not"
	onlyZeros       = "its input or output is zero on all samples, so that there is no range"
)
