package precision

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// linear are the operators for whose sake a model is converted.
var linear = []string{"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Attention", "Einsum", "DeformConv"}

// moves are operators that copy elements: which type they copy matters little.
var moves = []string{
	"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split", "Concat", "Gather", "GatherElements", "GatherND", "Identity", "Flatten",
	"Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth", "Shape", "Size", "QuantizeLinear", "DequantizeLinear", "Dropout",
}

// cost is what it costs to leave an operator in float32.
func cost(n *graph.Node) int64 {
	switch {
	case n.Is(linear...):
		return 20
	case n.Is(moves...) || !slices.ContainsFunc(n.Outs(), func(v *graph.Value) bool { return v != nil && v.Elem() == onnx.Float }):
		return 0
	}
	return 1
}

// reason is why a node stays float32; empty when it may be converted.
func (c *converter) reason(n *graph.Node) (string, error) {
	if ok, why := c.env.Select.Match(n); !ok {
		return why, nil
	}
	op, known := schema.Lookup(n.Domain(), n.Op(), n.Version())
	switch {
	case c.model.Function(n.Domain(), n.Op(), n.Proto().Overload) != nil:
		return "a call of a model-local function", nil
	case n.Domain() != "" || !known:
		return "an operator of another domain", nil
	case len(n.Subgraphs()) > 0:
		return "a control operator of a form that is not followed", nil
	case slices.ContainsFunc(append(n.Ins(), n.Outs()...), opaque):
		return "the type of an input or output is not known, or no tensor", nil
	}
	if !c.takes(op, n) {
		return fmt.Sprintf("%s has no %s form in opset %d", n.Op(), c.low, n.Version()), nil
	}
	if c.profile.Float16.Lacks(c.low, n.Op()) {
		return fmt.Sprintf("%s has no %s kernel in %s", n.Op(), c.low, c.profile.Title), nil
	}
	if why := c.quantized(n); why != "" {
		return why, nil
	}
	if r := c.normalising[n]; r != nil {
		return "a written-out " + string(r.Kind), nil
	}
	if c.exact[n] {
		return "a comparison of a tensor with what was made of it", nil
	}
	if crashes(n) {
		return "a product with this transposition in 16 bits stops ONNX Runtime 1.32 when it loads the file", nil
	}
	if why := c.longSum(n); why != "" {
		return why, nil
	}
	if why := c.unfit(n); why != "" {
		return why, nil
	}
	return c.badConstant(n)
}

// opaque says whether a value may hide float32 tensors that nothing here sees.
func opaque(v *graph.Value) bool {
	return v != nil && (v.Elem() == onnx.Undefined || v.Type().Other != nil)
}

// takes says whether the operator takes its data in the 16-bit type: some input or output that is float32 may be, and
// every output that has the type of such an input.
func (c *converter) takes(op *schema.Op, n *graph.Node) bool {
	switch {
	case slices.ContainsFunc([]string{"dtype", "output_dtype", "output_datatype"}, func(a string) bool { return n.Int(a, 0) == int64(onnx.Float) }):
		return false // the type is written down
	case n.Is("ConstantOfShape"):
		return true
	}
	float, any := false, false
	for i, v := range n.Ins() {
		if v == nil || v.Elem() != onnx.Float {
			continue
		}
		float = true
		p, ok := op.Input(i)
		any = any || ok && p.Allowed.Tensor.Has(c.low)
	}
	for i, v := range n.Outs() {
		if v == nil || v.Elem() != onnx.Float || !c.computes(n, i) {
			continue
		}
		if p, ok := op.Output(i); !ok || !p.Allowed.Tensor.Has(c.low) {
			return false
		}
		any = any || !float
	}
	return any || !float
}

// admits says whether input i of a converted node is converted with it.
func (c *converter) admits(n *graph.Node, i int) bool {
	if n.Is("Resize", "Upsample") && i > 0 {
		return false // factors and regions of interest: a rounded one gives another size
	}
	op, ok := schema.Lookup(n.Domain(), n.Op(), n.Version())
	if !ok {
		return false
	}
	p, ok := op.Input(i)
	return ok && p.Allowed.Tensor.Has(c.low)
}

// computes says whether output i of a converted node has the converted type: statistics of normalisations stay float32.
func (c *converter) computes(n *graph.Node, i int) bool {
	return i == 0 || !n.Is("LayerNormalization", "RMSNormalization")
}

// crashes finds transpositions that move axis 0 of a tensor of rank 3 and more to one of the last two places, where
// the result is the left operand of a MatMul: ONNX Runtime (1.32, all optimizations) fuses the two wrongly in 16 bits.
func crashes(n *graph.Node) bool {
	perm := n.Ints("perm", nil)
	r := len(perm)
	if !n.Is("Transpose") || r < 3 || n.Out(0) == nil || perm[r-1] != 0 && (perm[r-2] != 0 || perm[r-1] != int64(r-1)) {
		return false
	}
	rest := slices.DeleteFunc(slices.Clone(perm), func(a int64) bool { return a == 0 })
	return slices.IsSorted(rest) && slices.ContainsFunc(n.Out(0).Uses(), func(u graph.Use) bool { return u.Index == 0 && u.Node.Is("MatMul") })
}

// pairs are the operators of quantized models.
var pairs = []string{"QuantizeLinear", "DequantizeLinear"}

// quantized is why a pair, or a layer behind one, stays float32.
func (c *converter) quantized(n *graph.Node) string {
	allowed := c.profile.Float16.Scales && n.Version() >= leastPairOpset
	if allowed {
		return ""
	}
	why := "scales of pairs are float32 for " + c.profile.Title
	if c.profile.Float16.Scales {
		why = fmt.Sprintf("16-bit scales of pairs need opset %d", leastPairOpset)
	}
	if n.Is(pairs...) {
		return why
	}
	if n.Is(linear...) && slices.ContainsFunc(n.Ins(), dequantized) {
		return "an 8-bit layer: " + why
	}
	return ""
}

func dequantized(v *graph.Value) bool {
	return v != nil && v.Def() != nil && v.Def().Is("DequantizeLinear")
}

// longSum is why a sum stays float32; empty for what sums few elements, or none.
func (c *converter) longSum(n *graph.Node) string {
	count, sums := summed(n)
	switch {
	case !sums || count >= 0 && count <= int64(c.opt.Sums):
		return ""
	case count < 0:
		return "a sum of unknown length"
	}
	return fmt.Sprintf("a sum of more than %d elements", c.opt.Sums)
}

// summed is how many elements an element of the output of n adds up, -1 when that is not known, and whether n is such an operator at all.
// Products sum too, but accelerators accumulate them in float32. LayerNormalization computes in float32 by definition (stash_type).
func summed(n *graph.Node) (int64, bool) {
	x := n.In(0)
	switch {
	case x == nil:
		return 0, false
	case n.Is("Softmax", "LogSoftmax"):
		axis := n.Int("axis", -1)
		if n.Version() < 13 {
			return -1, true
		}
		return along(x, []int64{axis}), true
	case n.Is("ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "ReduceProd"):
		return reduced(n), true
	case n.Is("GlobalAveragePool", "GlobalLpPool", "InstanceNormalization"):
		return behind(x, 2), true
	case n.Is("AveragePool", "LpPool"):
		return product(n.Ints("kernel_shape", nil)), true
	case n.Is("CumSum", "MeanVarianceNormalization"):
		return -1, true
	case n.Is("LpNormalization"):
		return along(x, []int64{n.Int("axis", -1)}), true
	case n.Is("GroupNormalization") && n.Version() < 21:
		return -1, true
	case n.Is("LRN"):
		return n.Int("size", 0), true
	}
	return 0, false
}

// reduced is the number of elements that a Reduce operator adds up.
func reduced(n *graph.Node) int64 {
	axes := n.Ints("axes", nil)
	if v := n.In(1); v != nil {
		t := v.Const()
		if t == nil {
			return -1
		}
		var err error
		if axes, err = t.Int64s(); err != nil {
			return -1
		}
	}
	if len(axes) == 0 {
		if n.Int("noop_with_empty_axes", 0) != 0 {
			return 1
		}
		return behind(n.In(0), 0)
	}
	return along(n.In(0), axes)
}

// along is the product of the sizes of some axes, -1 when one is not known.
func along(v *graph.Value, axes []int64) int64 {
	if !v.Shape().Ranked {
		return -1
	}
	dims, sizes := v.Shape().Dims, []int64(nil)
	for _, a := range axes {
		if a < 0 {
			a += int64(len(dims))
		}
		if a < 0 || a >= int64(len(dims)) || dims[a].Value < 0 {
			return -1
		}
		sizes = append(sizes, dims[a].Value)
	}
	return product(sizes)
}

// behind is the product of the sizes of the axes from one on, -1 when one is not known.
func behind(v *graph.Value, from int) int64 {
	if !v.Shape().Ranked {
		return -1
	}
	var axes []int64
	for i := from; i < len(v.Shape().Dims); i++ {
		axes = append(axes, int64(i))
	}
	return along(v, axes)
}

// most bounds products of sizes: what is larger is a long sum in any case.
const most = int64(1) << 40

func product(sizes []int64) int64 {
	p := int64(1)
	for _, s := range sizes {
		if s > 0 && p > most/s {
			return most
		}
		p *= s
	}
	return p
}
