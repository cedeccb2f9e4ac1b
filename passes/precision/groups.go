package precision

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/onnx"
)

// findGroups finds what belongs together: written-out normalisations, whose squares and sums leave the range of
// float16; written-out activations, which runtimes fuse when they have one type; and comparisons of a tensor with itself.
func (c *converter) findGroups() {
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for _, r := range region.Find(g).All() {
			switch {
			case r.Form == "fused":
			case r.Kind.Normalises():
				c.findNormalisation(r)
			case r.Kind.Elementwise():
				for _, n := range r.Nodes {
					c.elementwise[n] = r
				}
			}
		}
		for n := range g.Nodes() {
			if n.Is("Equal") {
				c.findComparison(n)
			}
		}
	}
}

// findNormalisation separates the scale and the shift at the end from the rest.
func (c *converter) findNormalisation(r *region.Region) {
	for _, n := range r.Nodes {
		c.normalising[n] = r
	}
	for v := r.Out; v.Def() != nil && c.normalising[v.Def()] == r; {
		n := v.Def()
		if !n.Is("Mul", "Add") || n.In(0) == nil || n.In(1) == nil {
			return
		}
		switch {
		case isConstant(n.In(1)):
			v = n.In(0)
		case isConstant(n.In(0)):
			v = n.In(1)
		default:
			return
		}
		delete(c.normalising, n)
		c.affine[n] = r
	}
}

// findComparison marks the nodes between a tensor and a comparison with what was made of it, as of the peaks of a map
// with its pooled form: a runtime that rounds one side only finds no equal elements.
func (c *converter) findComparison(n *graph.Node) {
	if n.In(0) == nil || n.In(1) == nil || n.In(0).Elem() != onnx.Float {
		return
	}
	a, b := history(n.In(0)), history(n.In(1))
	for i, v := range a {
		j := slices.Index(b, v)
		if j < 0 {
			continue
		}
		c.exact[n] = true
		for _, w := range slices.Concat(a[:i], b[:j]) {
			c.exact[w.Def()] = true
		}
		if v.Def() != nil && !v.Def().Is(moves...) && !v.Def().Is(linear...) {
			c.exact[v.Def()] = true // it rounds once; the Cast belongs in front of it
		}
		return
	}
}

// history is a value, what it was computed from, and so on, along first inputs.
func history(v *graph.Value) []*graph.Value {
	var out []*graph.Value
	for range 16 {
		if v == nil {
			break
		}
		out = append(out, v)
		if v.Def() == nil {
			break
		}
		v = v.Def().In(0)
	}
	return out
}

// typeOf makes the variable of a node that may be converted.
func (c *converter) typeOf(n *graph.Node) variable {
	t := c.vars.add(cost(n))
	if r := c.affine[n]; r != nil {
		// ONNX Runtime fuses a normalisation with the Cast in front of it, and then wants scale and shift in that Cast's input type.
		if in, ok := c.made[r.In]; ok {
			c.vars.join(in, t)
		}
	}
	if r := c.elementwise[n]; r != nil {
		if other, ok := c.together[r]; ok {
			c.vars.join(other, t)
		}
		c.together[r] = t
	}
	return t
}

// detach takes the input of a normalisation along into float32 when its scale or shift stays there: see typeOf.
func (c *converter) detach(n *graph.Node) {
	if r := c.affine[n]; r != nil {
		if in, ok := c.made[r.In]; ok {
			c.vars.join(in, float32Type)
		}
	}
}
