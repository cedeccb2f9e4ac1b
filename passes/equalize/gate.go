package equalize

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// gateSteps are elementwise operators of which f in y * f(y) may consist, with constants as further operands.
var gateSteps = []string{"Sigmoid", "HardSigmoid", "Tanh", "Erf", "Softplus", "Clip", "Add", "Mul", "Div"}

// gateOf is the first node of f when n computes y * f(y) with y its first or
// second operand, as SiLU and HardSwish in their written-out forms do; nil otherwise.
//
//	y * f(y) / r = (y/r) * f(r * (y/r))
//
// so that one product in front of f divides both y and the result.
func gateOf(n *graph.Node) *graph.Node {
	if !n.Is("Mul") || n.NumIn() != 2 {
		return nil
	}
	for i := range 2 {
		if f := chainFrom(n.In(i), n.In(1-i)); f != nil {
			return f
		}
	}
	return nil
}

// chainFrom is the first node of a chain of elementwise steps from y to v, whose results nobody else reads.
func chainFrom(y, v *graph.Value) *graph.Node {
	for range 6 {
		n := v.Def()
		if n == nil || !n.Is(gateSteps...) || v.NumUses() != 1 || v.IsOutput() {
			return nil
		}
		x := onlyComputed(n)
		if x == nil {
			return nil
		}
		if x == y {
			return n
		}
		v = x
	}
	return nil
}

// onlyComputed is the only input of n that is no constant, nil when there are several.
func onlyComputed(n *graph.Node) *graph.Value {
	var x *graph.Value
	for _, v := range n.Ins() {
		if v == nil || v.Const() != nil {
			continue
		}
		if x != nil {
			return nil
		}
		x = v
	}
	return x
}

// gate joins y of a product y * f(y) to the class.
func (c *class) gate(n *graph.Node, axis int) {
	f := gateOf(n)
	y := onlyComputed(f)
	if rankOf(y) != rankOf(n.Out(0)) {
		c.fail("a gate broadcasts it")
		return
	}
	c.nodes[n], c.nodes[f] = true, true
	c.gates = append(c.gates, f)
	c.visit(y, axis)
}

// openGates multiplies what every f reads by the factors.
func (c *class) openGates() {
	for _, f := range c.gates {
		y := onlyComputed(f)
		name := y.Name() + "_unequalized"
		by := f.Graph().Init(name+"_scale", vector(c.factors, c.values[y], rankOf(y)))
		z := f.Before().By(passName).OpN("Mul", "", name, 1, nil, y, by).Out(0)
		f.SetIn(slices.Index(f.Ins(), y), z)
	}
}
