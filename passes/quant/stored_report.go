package quant

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// reportStored adds the recurrent nodes and the constants of float arithmetic
// to the report. It returns how many of them take less room than before.
func (p *planner) reportStored(r *passes.StepReport, macs map[string]int64) int {
	var eight, sixteen, dynamic int
	for _, c := range p.constants {
		switch c.bits {
		case 8:
			eight++
		case 16:
			sixteen++
		}
		p.constantEntry(r, c)
	}
	for _, n := range p.recurrent {
		r.Layers = append(r.Layers, p.recurrentReport(n, macs))
		if n.int8() {
			dynamic++
			p.env.Plan(n.node, "quantize", "activations quantized at run time, int8 weights per row")
			continue
		}
		p.env.Skip(n.node, n.reason)
	}
	if len(p.recurrent) > 0 {
		r.Fact("recurrent layers in INT8", "%d of %d", dynamic, len(p.recurrent))
	}
	if eight > 0 {
		r.Fact("constants of float layers stored in 8 bits", "%d", eight)
	}
	if sixteen > 0 {
		r.Fact("constants of float layers stored as float16", "%d", sixteen)
	}
	p.factFloat(r)
	return eight + sixteen + dynamic
}

// factFloat says how much stays in float32 among the constants that were looked at.
func (p *planner) factFloat(r *passes.StepReport) {
	n, bytes := 0, int64(0)
	for _, c := range p.constants {
		if c.bits == 32 {
			n, bytes = n+1, bytes+4*elements(c.value.Const().Dims)
		}
	}
	if n > 0 {
		r.Fact("large constants left in float32", "%d, %d KiB", n, (bytes+1023)/1024)
	}
}

// constantEntry adds a constant to the plan or to the skips, and to the layers
// where it is no weight of a listed layer.
func (p *planner) constantEntry(r *passes.StepReport, c *constant) {
	n := c.uses[0].Node
	switch {
	case c.uses[0].IsReturn():
		return
	case c.bits == 32:
		if c.layer == nil {
			p.env.Skip(n, "a large constant stays float32: "+c.reason)
		}
	default:
		p.env.Plan(n, "store constant", c.form())
	}
	if c.layer == nil && p.byNode[n] == nil && !n.Is(recurrent...) {
		e := passes.Layer{
			Name: nodeName(n), Op: n.Op(), Output: n.Out(firstOutput(n)).Name(),
			Dtype: "float32", DtypeBefore: "float32", Activation: "float32", Reason: n.Op() + " does not multiply and accumulate",
		}
		c.describe(&e)
		r.Layers = append(r.Layers, e)
	}
}

// form names how the constant is stored.
func (c *constant) form() string {
	switch {
	case c.bits == 32:
		return "float32"
	case c.bits == 16:
		return "float16"
	case c.cells.count() == 1:
		return "8 bits per tensor"
	}
	return "8 bits per channel"
}

// bytes is the size of the stored form.
func (c *constant) bytes() int64 {
	return int64(c.bits)*elements(c.value.Const().Dims)/8 + 4*int64(len(c.scale))
}

// describe adds the constant to the weights of a layer's entry.
func (c *constant) describe(e *passes.Layer) {
	e.Weight = c.form()
	e.Params = elements(c.value.Const().Dims)
	e.BytesBefore, e.BytesAfter = 4*e.Params, c.bytes()
	e.WeightSQNR = finite(c.sqnr)
	if c.bits == 32 {
		e.WeightSQNR = nil
	}
	if c.bits == 8 {
		e.SQNR = finite(c.output)
	}
}

// storedForm is what was decided about a constant, nil when it is not among the large ones of float arithmetic.
func (p *planner) storedForm(v *graph.Value) *constant {
	for _, c := range p.constants {
		if c.value == v {
			return c
		}
	}
	return nil
}

// recurrentReport is the entry of a recurrent node.
func (p *planner) recurrentReport(r *recurrence, macs map[string]int64) passes.Layer {
	k := firstOutput(r.node)
	e := passes.Layer{
		Name: nodeName(r.node), Op: r.node.Op(), Output: r.node.Out(k).Name(),
		Dtype: "float32", DtypeBefore: "float32", Activation: "float32", Weight: "float32", Reason: r.reason,
	}
	if m, ok := macs[e.Output]; ok && m >= 0 {
		e.MACs = &m
	}
	if r.int8() {
		e.Dtype, e.Activation, e.Weight = "int8", "uint8", "int8 per row"
		e.SQNR = finite(r.output)
		e.WeightSQNR = finite(min(r.forms[0].sqnr, r.forms[1].sqnr))
		for _, f := range r.forms {
			n := elements(f.source.Const().Dims)
			e.Params, e.BytesBefore, e.BytesAfter = e.Params+n, e.BytesBefore+4*n, e.BytesAfter+n+5*int64(len(f.scale))
		}
		return e
	}
	for _, v := range []*graph.Value{r.w, r.r} {
		if v == nil {
			continue
		}
		var part passes.Layer
		n := elements(v.Const().Dims)
		part.Params, part.BytesBefore, part.BytesAfter, part.Weight = n, 4*n, 4*n, v.Const().Type.String()
		if c := p.storedForm(v); c != nil {
			c.describe(&part)
		}
		e.Params, e.BytesBefore, e.BytesAfter = e.Params+part.Params, e.BytesBefore+part.BytesBefore, e.BytesAfter+part.BytesAfter
		e.Weight = part.Weight
		e.WeightSQNR = part.WeightSQNR
	}
	return e
}
