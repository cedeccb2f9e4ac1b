package quant

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// report writes down what became of every layer and tensor.
func (p *planner) report() {
	macs := p.macs()
	r := p.env.Report
	if r == nil {
		r = &passes.StepReport{}
		p.env.Report = r
	}
	var done, all int
	var int8MACs, allMACs float64
	for _, l := range p.layers {
		entry := p.layerReport(l)
		all++
		if m, ok := macs[l.node.Out(0).Name()]; ok && m >= 0 {
			entry.MACs = &m
			allMACs += float64(m)
			if l.int8() {
				int8MACs += float64(m)
			}
		}
		if l.int8() {
			done++
		}
		r.Layers = append(r.Layers, entry)
		p.planEntry(l)
	}
	p.reportRegions(r)
	for _, t := range p.tensors {
		if p.env.Calib != nil {
			r.Ranges = append(r.Ranges, t.rangeReport())
		}
	}
	name := p.formatName()
	r.Fact("layers in "+name, "%d of %d", done, all)
	stored := p.reportStored(r, macs)
	if before := p.noteQuantized(); done+stored == 0 && all > 0 && !before {
		p.env.Note("OP8042", "no layer was quantized").Hinted("the reasons are in the report, and with -v")
	}
	if allMACs > 0 {
		r.Fact(name+" share of Conv, Gemm and MatMul MACs", "%.1f %%", math.Floor(1000*int8MACs/allMACs)/10)
	}
	if p.env.DryRun || !p.repairs() { // else counted when the codes do not change any more
		p.reportSaturation(r)
	}
	if p.dead > 0 {
		r.Fact("channels that are zero on all samples", "%d of %d", p.dead, p.channels)
	}
	r.Fact("quantized tensors", "%d", len(p.tensors))
	corrected := 0
	for _, l := range p.layers {
		if l.shift != nil {
			corrected++
		}
	}
	if corrected > 0 {
		r.Fact("biases corrected", "%d", corrected)
	}
}

// formatName is how reports call the codes.
func (p *planner) formatName() string {
	switch p.weightElem() {
	case onnx.Float8E4M3FN:
		return "FP8 (E4M3)"
	case onnx.Float8E5M2:
		return "FP8 (E5M2)"
	}
	return "INT8"
}

// planEntry adds the layer to the plan or to the skips.
func (p *planner) planEntry(l *layer) {
	switch {
	case l.reason != "":
		p.env.Skip(l.node, l.reason)
	default:
		detail := p.profile.Quant.Signed.String() + " input, " + p.weightElem().String() + " weight per channel"
		if l.attention() {
			detail = p.profile.Quant.Signed.String() + " operands"
		}
		p.env.Plan(l.node, "quantize", detail)
	}
}

// macs are the multiply-accumulates by the name of the computed value.
func (p *planner) macs() map[string]int64 {
	out := map[string]int64{}
	for _, l := range p.cost.Layers {
		if k := firstOutput(l.Node); k >= 0 {
			out[l.Node.Out(k).Name()] = l.MACs
		}
	}
	return out
}

func (p *planner) layerReport(l *layer) passes.Layer {
	e := passes.Layer{
		Name: nodeName(l.node), Op: l.node.Op(), Output: l.node.Out(0).Name(),
		Dtype: "float32", DtypeBefore: "float32", Activation: "float32", Weight: "float32", Reason: l.reason,
	}
	if l.weight != nil {
		e.Params = elements(l.weight.Const().Dims)
		e.BytesBefore = 4 * e.Params
		e.BytesAfter = e.BytesBefore
		e.Weight = l.weight.Const().Type.String()
	}
	if l.region != nil {
		e.Region = l.region.String()
	}
	if l.reason != "" {
		if c := p.storedForm(l.weight); c != nil {
			c.describe(&e)
		}
		return e
	}
	if w := p.weightOf(l); w != nil {
		e.Weight = w.elem.String() + " per channel"
		if w.axis < 0 {
			e.Weight = w.elem.String() + " per tensor"
		}
		e.BytesAfter = e.Params + 5*int64(len(w.scale))
		e.WeightSQNR = finite(w.sqnr)
	}
	if l.int8() {
		e.Dtype = p.weightElem().String()
		e.Activation = p.profile.Quant.Signed.String()
		if l.saturation != nil {
			e.Saturating = &l.saturation.risky
		}
	}
	return e
}

func (p *planner) weightOf(l *layer) *weight {
	if l.weight == nil {
		return nil
	}
	return p.weights[p.key(l)]
}

// nodeName is the name by which the user knows a node.
func nodeName(n *graph.Node) string {
	if n.Name() != "" {
		return n.Name()
	}
	return n.Out(0).Name()
}

func (t *tensor) rangeReport() passes.Range {
	e := t.root().chosen
	lo, hi := e.params.Bounds()
	clipped := 100 * e.clipped
	r := passes.Range{
		Tensor: t.value.Name(), Dtype: e.params.Elem.String(), Method: e.method,
		Scale: float64(e.params.Scale[0]), ZeroPoint: int64(e.params.Zero[0]), Channels: len(e.params.Scale), Axis: -1,
		Low: float64(lo), High: float64(hi), Min: e.seen.Lo, Max: e.seen.Hi, Clipped: &clipped, SQNR: finite(e.sqnr),
	}
	if e.params.PerChannel() {
		r.Axis = e.params.Axis
	}
	return r
}

// finite is a pointer to x, nil when JSON cannot hold it.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
