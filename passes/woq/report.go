package woq

import (
	"fmt"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// report writes down what becomes of every weight.
func (p *plan) report() {
	r := p.env.Report
	var stored, before, after int64
	how := map[string]int{}
	for _, it := range p.items {
		n := it.Node()
		e := passes.Layer{
			Name: nodeName(it), Op: n.Op(), Output: output(it), Dtype: it.Const.Type.String(), DtypeBefore: it.Const.Type.String(),
			Activation: it.Const.Type.String(), Weight: it.Const.Type.String(), Reason: it.Why,
			Params: int64(it.Elements()), BytesBefore: it.Bytes(), BytesAfter: it.Bytes(),
		}
		if it.Why != "" {
			p.env.Skip(n, "the weight stays: "+it.Why)
			r.Layers = append(r.Layers, e)
			continue
		}
		e.Weight, e.BytesAfter, e.WeightSQNR = it.Format.Name(), it.Coding.Bytes(), &it.SQNR
		if it.Judged {
			e.Rebuilt = &passes.Rebuilt{How: it.How, Before: &it.Before, After: &it.After}
		}
		stored, before, after = stored+1, before+e.BytesBefore, after+e.BytesAfter
		how[it.How]++
		p.env.Plan(n, "store weight", e.Weight)
		r.Layers = append(r.Layers, e)
	}
	r.Fact("weights stored in fewer bits", "%d of %d", stored, len(p.items))
	if before > 0 {
		r.Fact("bytes of these weights", "%d -> %d (%.1f %%)", before, after, 100*float64(after)/float64(before))
	}
	if p.walked != nil && p.walked.Layers > 0 {
		r.Fact("layers rounded on samples", "%s", fmt.Sprintf("%d of %d, on %d samples (%d by least squares, %d with error feedback)",
			how[weights.HowRefit]+how[weights.HowFeedback], p.walked.Layers, p.walked.Samples, how[weights.HowRefit], how[weights.HowFeedback]))
	}
}

func nodeName(it *weights.Item) string {
	if n := it.Node().Name(); n != "" {
		return n
	}
	return output(it)
}

func output(it *weights.Item) string {
	for _, v := range it.Node().Outs() {
		if v != nil {
			return v.Name()
		}
	}
	return ""
}
