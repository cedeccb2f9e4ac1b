package precision

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// rewriteBounds gives Relu and Clip another form where a QuantizeLinear with a 16-bit scale, or to float8, alone reads
// them. ONNX Runtime (1.32, even with basic optimizations) compares their bounds with the range of the codes, reads a
// 16-bit scale wrongly there, and drops them: files for other runtimes could not be verified in it.
func (c *converter) rewriteBounds() {
	for _, n := range c.nodes {
		v := n.Out(0)
		if n.Removed() || v == nil || !n.Is("Relu", "Clip") || v.Elem() != c.low || v.NumUses() != 1 || v.Uses()[0].IsReturn() {
			continue
		}
		if q := v.Uses()[0]; q.Index != 0 || !q.Node.Is("QuantizeLinear") {
			continue
		}
		if n.Is("Relu") {
			n.SetOp("LeakyRelu", "") // an activation that engines fuse like Relu
			n.SetFloat("alpha", 0)
		} else {
			c.splitClip(n)
		}
		n.SetMeta(graph.PassKey, c.env.Report.Pass)
	}
}

// splitClip writes min(max(x, lo), hi), without what is absent.
func (c *converter) splitClip(n *graph.Node) {
	lo, hi := n.In(1), n.In(2)
	switch {
	case lo == nil && hi == nil:
		return
	case lo == nil:
		n.SetOp("Min", "")
		n.SetIn(1, hi)
	case hi == nil:
		n.SetOp("Max", "")
	default:
		above := n.Before().By(c.env.Report.Pass).Op("Max", n.Out(0).Name()+"_above", n.In(0), lo).Out(0)
		n.SetOp("Min", "")
		n.SetIn(0, above)
		n.SetIn(1, hi)
	}
	n.SetIn(2, nil)
}

// separateBiases adds the bias of an 8-bit layer behind it where a QuantizeLinear with a 16-bit scale alone reads the
// output. ONNX Runtime (1.32) would store such a bias as int32 and compute its codes in float16, in which they overflow.
func (c *converter) separateBiases() {
	for _, n := range c.nodes {
		y := n.Out(0)
		if n.Removed() || y == nil || y.Elem() != c.low || y.NumUses() != 1 || y.Uses()[0].IsReturn() || !y.Uses()[0].Node.Is("QuantizeLinear") {
			continue
		}
		if !n.Is("Conv", "ConvTranspose", "Gemm") || !dequantized(n.In(0)) || n.In(2) == nil || n.Is("Gemm") && n.Float("beta", 1) != 1 {
			continue
		}
		bias := n.In(2)
		if !n.Is("Gemm") {
			t := bias.Const()
			if t == nil || !y.Shape().Ranked || len(t.Dims) != 1 {
				continue
			}
			dims := slices.Repeat([]int64{1}, len(y.Shape().Dims))
			dims[1] = t.Dims[0]
			bias = n.Graph().Init(bias.Name(), &onnx.Tensor{Type: t.Type, Dims: dims, Data: t.Data})
		}
		old := n.In(2)
		n.SetIn(2, nil)
		removeUnused(old)
		q := y.Uses()[0]
		q.Set(n.After().By(c.env.Report.Pass).Op("Add", y.Name()+"_biased", y, bias).Out(0))
	}
}
