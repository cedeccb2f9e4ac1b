package precision

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// leastScale is the least scale of a pair in float16: 16 steps of its subnormal numbers, so that rounding changes a
// scale by 3 % at most, which codes of weights make good. TensorRT refuses a scale of zero.
const leastScale = 0x1p-20

// recode is by how much a scale may change before the codes of a constant are computed anew.
const recode = 0x1p-9

// halfScale is the scale of a pair in 16 bits. All nodes that share the scale share the result. Where rounding
// changes the scale of a constant much, its codes follow.
func (c *converter) halfScale(v *graph.Value, n *graph.Node, made map[*graph.Value]*graph.Value) (*graph.Value, error) {
	s, err := v.Const().Float32s()
	if err != nil {
		return nil, fmt.Errorf("scale %s: %w", v.Name(), err)
	}
	ratio, coarse := make([]float64, len(s)), false
	half := make([]float32, len(s))
	for i, f := range s {
		g := f
		if c.low == onnx.Float16 {
			g = max(f, leastScale)
		}
		half[i] = narrow(g, c.low).float()
		ratio[i] = float64(f) / float64(half[i])
		coarse = coarse || math.Abs(ratio[i]-1) > recode
	}
	if coarse && n.Is("DequantizeLinear") && isConstant(n.In(0)) {
		if err := c.recode(n, ratio); err != nil {
			return nil, err
		}
	}
	if made[v] != nil {
		return made[v], nil
	}
	t, err := narrowed(onnx.FromFloat32s(v.Const().Dims, half), c.low)
	if err != nil {
		return nil, err
	}
	made[v] = v.Graph().Init(v.Name()+"_"+c.low.String(), t)
	return made[v], nil
}

// recode multiplies the int8 codes of a constant by a ratio for each channel.
func (c *converter) recode(n *graph.Node, ratio []float64) error {
	v := n.In(0)
	t := v.Const()
	if t.Type != onnx.Int8 || n.Int("block_size", 0) > 0 || n.In(2) != nil && n.In(2).Const() == nil {
		return nil
	}
	codes, err := onnx.Elements[int8](t)
	if err != nil {
		return err
	}
	inner, axis := len(codes), int(n.Int("axis", 1))
	if len(ratio) > 1 {
		if axis < 0 {
			axis += len(t.Dims)
		}
		inner = 1
		for _, d := range t.Dims[axis+1:] {
			inner *= int(d)
		}
	}
	for i, q := range codes {
		r := ratio[i/max(inner, 1)%len(ratio)]
		codes[i] = int8(min(max(math.RoundToEven(float64(q)*r), -128), 127))
	}
	n.SetIn(0, v.Graph().Init(v.Name(), onnx.From(t.Dims, codes)))
	removeUnused(v)
	return nil
}
