package precision

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// judgeStrict fails when a constant that would be converted has values outside the range, and that was asked for.
func (c *converter) judgeStrict() error {
	if !c.opt.Strict {
		return nil
	}
	return strict(c.low, c.affected())
}

// affected are the constants that become 16-bit, in graph order.
func (c *converter) affected() []*constant {
	var out []*constant
	seen := map[*graph.Value]bool{}
	for _, u := range c.uses {
		v := u.Value()
		if k := c.constants[v]; k != nil && !seen[v] && c.isLow(c.read[u]) && !u.Node.Is(pairs...) {
			seen[v] = true
			out = append(out, k)
		}
	}
	return out
}

// maxNamed is how many tensors one message names.
const maxNamed = 10

func strict(low onnx.DataType, list []*constant) error {
	e := diag.New("OP4030", "constants have values outside the range of "+low.String())
	found := 0
	for _, k := range list {
		if k.clamped == 0 && k.flushed == 0 {
			continue
		}
		if found++; found <= maxNamed {
			e.With(k.name, k.counts())
		}
	}
	if found == 0 {
		return nil
	}
	if found > maxNamed {
		e.With("and", fmt.Sprintf("%d more", found-maxNamed))
	}
	return e.Hinted("leave --strict out to have them clamped and rounded to zero, or exclude their operators with --exclude")
}

func (k *constant) counts() string {
	return fmt.Sprintf("%d of %d beyond it, %d below it", k.clamped, k.elements, k.flushed)
}

// report says what was done.
func (c *converter) report() {
	r, low, high := c.env.Report, 0, 0
	for _, n := range c.nodes {
		if cost(n) == 0 {
			continue
		}
		if c.isLow(c.node[n]) {
			low++
			c.layer(n, c.low.String())
			continue
		}
		high++
		c.env.Skip(n, "lies between operators in float32")
		c.layer(n, onnx.Float.String())
	}
	r.Fact("operators in "+c.low.String(), "%d", low)
	r.Fact("operators converted around", "%d", high+len(c.kept))
	r.Fact("casts", "%d", c.casts)
	conversions(c.env, c.low, append(c.lowered, c.stored...))
	if len(c.stored) > 0 {
		r.Fact("constants of float32 operators stored in "+c.low.String(), "%d", len(c.stored))
	}
}

// layer reports a linear layer.
func (c *converter) layer(n *graph.Node, elem string) {
	if n.Is(linear...) && n.Out(0) != nil {
		c.env.Report.Layers = append(c.env.Report.Layers, passes.Layer{Name: n.Label(), Op: n.Op(), Output: n.Out(0).Name(), Dtype: elem,
			DtypeBefore: onnx.Float.String(), Activation: elem, Weight: elem})
	}
}

// conversions reports every constant that lost values, and warns of those that were clamped.
func conversions(env *passes.Env, low onnx.DataType, list []*constant) {
	var clamped, flushed int64
	for _, k := range list {
		clamped, flushed = clamped+k.clamped, flushed+k.flushed
		if k.clamped == 0 && k.flushed == 0 {
			continue
		}
		env.Report.Conversions = append(env.Report.Conversions, passes.Conversion{
			Tensor: k.name, Dtype: low.String(), Elements: k.elements, Clamped: k.clamped, Flushed: k.flushed, Largest: k.largest})
		if k.clamped > 0 {
			env.Note("OP8080", "values of a constant lie beyond the range of "+low.String()+" and were clamped", "tensor", k.name,
				"values", fmt.Sprintf("%d of %d", k.clamped, k.elements), "largest", fmt.Sprintf("%g", k.largest))
		}
	}
	env.Report.Fact("constants in "+low.String(), "%d; %d values clamped, %d below the range", len(list), clamped, flushed)
}
