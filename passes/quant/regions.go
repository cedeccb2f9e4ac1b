package quant

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/passes"
)

// producer is the linear node whose output, after normalisation by constants
// and an activation, is v; nil when v is something else.
func (p *planner) producer(v *graph.Value) *graph.Node {
	for range 12 {
		n := v.Def()
		switch {
		case n == nil:
			return nil
		case n.Is(linear...):
			return n
		case n.Is("BatchNormalization"):
			v = n.In(0)
		default:
			if v = p.regions.Source(v); v == nil {
				return nil
			}
		}
	}
	return nil
}

// bounds is the interval that the graph confines v to.
func bounds(v *graph.Value) Bounds {
	b := unbounded
	for range 8 {
		n := v.Def()
		if n == nil {
			return b
		}
		switch {
		case n.Is("Relu", "Abs", "Exp", "Sqrt"):
			return Bounds{0, b.Hi}
		case n.Is("Sigmoid", "HardSigmoid", "Softmax"):
			return Bounds{0, 1}
		case n.Is("Tanh", "Softsign", "Erf"):
			return Bounds{-1, 1}
		case n.Is("Clip"):
			return clipBounds(n)
		case n.Is("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze",
			"Slice", "Identity", "Dropout", "DepthToSpace", "SpaceToDepth", "Split", "Gather", "Expand", "Tile") && n.In(0) != nil:
			v = n.In(0)
		default:
			return b
		}
	}
	return b
}

// clipBounds are the constant limits of a Clip.
func clipBounds(n *graph.Node) Bounds {
	b := unbounded
	if n.Attr("min") != nil || n.Attr("max") != nil {
		return Bounds{float64(n.Float("min", float32(math.Inf(-1)))), float64(n.Float("max", float32(math.Inf(1))))}
	}
	if lo, ok := scalar(n.In(1)); ok {
		b.Lo = lo
	}
	if hi, ok := scalar(n.In(2)); ok {
		b.Hi = hi
	}
	return b
}

// scalar is the value of a constant of one float element.
func scalar(v *graph.Value) (float64, bool) {
	if v == nil || v.Const() == nil {
		return 0, false
	}
	if n, err := v.Const().NumElements(); err != nil || n != 1 {
		return 0, false
	}
	f, err := v.Const().Float32s()
	if err != nil || len(f) != 1 {
		return 0, false
	}
	return float64(f[0]), true
}

// findRegions recognises what belongs together, and leaves the layers of
// squeeze-and-excite gates in float. They are tiny, decide over whole channels,
// and every quantizer leaves them there.
func (p *planner) findRegions() {
	p.regions = region.Find(p.model.Main)
	for _, r := range p.regions.All() {
		for _, n := range r.Nodes {
			l := p.byNode[n]
			if l == nil {
				continue
			}
			l.region = r
			if r.Kind == region.Gate {
				l.float("inside a squeeze-and-excite gate")
			}
		}
	}
}

// reportRegions writes down what was recognised, and which part of it runs in 8 bits.
func (p *planner) reportRegions(r *passes.StepReport) {
	counts, kinds := map[region.Kind]int{}, []string(nil)
	for _, g := range p.regions.All() {
		r.Regions = append(r.Regions, passes.Region{
			Kind: string(g.Kind), Form: g.Form, Name: g.Name(), Nodes: len(g.Nodes), Input: g.In.Name(), Output: g.Out.Name(), Treatment: p.treatment(g),
		})
		if counts[g.Kind]++; counts[g.Kind] == 1 {
			kinds = append(kinds, string(g.Kind))
		}
	}
	slices.Sort(kinds)
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[region.Kind(k)], k)
	}
	if len(kinds) > 0 {
		r.Fact("regions without a pair inside", "%s", strings.Join(kinds, ", "))
	}
}

// treatment says what becomes of the inside of a region.
func (p *planner) treatment(r *region.Region) string {
	switch {
	case r.Kind == region.Gate:
		return "float: small layers that weigh whole channels against each other"
	case r.Kind == region.Attention && r.Scores != nil:
		return "scores " + p.arithmetic(r.Scores) + ", softmax float, probabilities x values " + p.arithmetic(r.Values)
	}
	return "float; pairs in front and behind only"
}

// arithmetic says what the product n runs in, and why when that is float.
func (p *planner) arithmetic(n *graph.Node) string {
	l := p.byNode[n]
	switch {
	case l == nil:
		return "float"
	case l.int8():
		return "in 8 bits"
	}
	return "float (" + l.reason + ")"
}
