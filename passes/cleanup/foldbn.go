package cleanup

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// FoldBN merges constant scales and shifts into the weights of linear operators.
var FoldBN = passes.New(passes.Info{
	Name:    "fold-bn",
	Summary: "merge BatchNormalization and constant Mul and Add into weights",
	Doc: `BatchNormalization in inference mode, and Mul, Div, Add and Sub with a constant that is one number or one number for
each output channel, become part of the weights and bias of the Conv, ConvTranspose, Gemm or MatMul before them; behind a
MatMul an Add remains. A BatchNormalization in front of a Conv, Gemm or MatMul of matrices is merged where that is exact: with a shift only when the
convolution does not pad. Weights are computed in float64 and rounded once; weights that other nodes read as well are copied.

Left alone: weights that are not constant float32, results with other readers or that are outputs of the graph, batch
normalization in training mode, constants of other shapes.

Before:  x -> Conv(w, b) -> BatchNormalization(s, t) -> y
After:   x -> Conv(w*s, b*s+t) -> y`,
	Phase: passes.Cleanup,
	Needs: []string{"constants"},
}, struct{}{}, foldBN)

func foldBN(_ context.Context, env *passes.Env, _ struct{}) error {
	folded := 0
	for _, g := range scopes(env.Model) {
		for n := range g.Nodes() {
			if !n.Is("Conv", "ConvTranspose", "Gemm", "MatMul") {
				continue
			}
			l, reason := linearOf(n)
			chain, stop := chainBehind(n, l)
			before := normBefore(n)
			if reason != "" && (len(chain) > 0 || before != nil) {
				env.Skip(n, reason)
				continue
			}
			if reason != "" {
				continue
			}
			if stop != "" {
				env.Skip(n, stop)
			}
			if before != nil {
				folded += foldBefore(env, l, before)
			}
			folded += foldBehind(env, l, chain)
		}
	}
	count(env, "scales and shifts merged into weights", folded)
	return nil
}

// link is a node behind a linear operator that computes y = scale*x + shift,
// both of one number or of one for each channel.
type link struct {
	node         *graph.Node
	scale, shift []float64
}

// chainBehind follows the only reader of n as long as it scales and shifts by
// constants. stop says why it ended at a node that could have been merged.
func chainBehind(n *graph.Node, l *linear) (chain []link, stop string) {
	if l == nil {
		l = &linear{node: n}
		l.layout()
	}
	for at := n; ; {
		out := at.Out(0)
		if out == nil || out.NumUses() == 0 {
			return chain, stop
		}
		next := out.Uses()[0]
		if next.IsReturn() || next.Node.Graph() != n.Graph() {
			return chain, stop
		}
		step, reason := l.link(next.Node, out)
		if step == nil {
			return chain, reason
		}
		if out.NumUses() > 1 {
			return chain, "the result has other readers besides the constant scale or shift"
		}
		chain = append(chain, *step)
		at = next.Node
	}
}

// link reads node as a constant scale and shift of x; nil with an empty reason when it is something else.
func (l *linear) link(node *graph.Node, x *graph.Value) (*link, string) {
	if node.Domain() != "" {
		return nil, ""
	}
	switch node.Op() {
	case "BatchNormalization":
		if node.In(0) != x {
			return nil, ""
		}
		if l.node.Is("MatMul") && len(x.Shape().Dims) != 2 {
			return nil, "the channels of the batch normalization are not the columns of the matrix product"
		}
		scale, shift, reason := normalization(node)
		if reason == "" && len(scale) != l.channels {
			reason = "the batch normalization has another number of channels"
		}
		if reason != "" {
			return nil, reason
		}
		return &link{node, scale, shift}, ""
	case "Mul", "Div", "Add", "Sub":
		return l.arithmetic(node, x)
	}
	return nil, ""
}

func (l *linear) arithmetic(node *graph.Node, x *graph.Value) (*link, string) {
	if node.Version() < 7 {
		return nil, "broadcasting before operator set version 7"
	}
	position := 0
	if node.In(0) != x {
		position = 1
	}
	c := node.In(1 - position)
	if c == nil || c == x || constant(c) == nil {
		return nil, ""
	}
	values, ok := l.perChannel(c, x)
	if !ok {
		return nil, "a constant operand is not one number for each output channel"
	}
	one := []float64{1}
	zero := []float64{0}
	s := &link{node: node, scale: one, shift: zero}
	switch node.Op() {
	case "Mul":
		s.scale = values
	case "Add":
		s.shift = values
	case "Sub":
		s.shift = each(values, func(v float64) float64 { return -v })
		if position == 1 {
			s.scale, s.shift = []float64{-1}, values
		}
	case "Div":
		if position == 1 {
			return nil, ""
		}
		s.scale = each(values, func(v float64) float64 { return 1 / v })
	}
	if !finite(s.scale) || !finite(s.shift) {
		return nil, "a constant operand is not finite"
	}
	return s, ""
}

func each(list []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func finite(list []float64) bool {
	for _, v := range list {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// normalization is a BatchNormalization in inference mode as scale and shift of
// each channel: s = scale/sqrt(var+epsilon), t = B - mean*s.
func normalization(n *graph.Node) (s, t []float64, reason string) {
	if n.Int("training_mode", 0) != 0 || n.Version() < 7 && n.Int("is_test", 0) == 0 || n.Version() < 9 && n.Int("spatial", 1) == 0 || !onlyFirst(n) {
		return nil, nil, "the batch normalization is in training mode, or not per channel"
	}
	var p [4][]float64
	for i := range p {
		values, ok := floats(n.In(i+1), maxChannels)
		if !ok || len(values) != len(p[0]) && i > 0 {
			return nil, nil, "the parameters of the batch normalization are not constant"
		}
		p[i] = values
	}
	epsilon := float64(n.Float("epsilon", 1e-5))
	s, t = make([]float64, len(p[0])), make([]float64, len(p[0]))
	for i := range s {
		s[i] = p[0][i] / math.Sqrt(p[3][i]+epsilon)
		t[i] = p[1][i] - p[2][i]*s[i]
	}
	if !finite(s) || !finite(t) {
		return nil, nil, "the batch normalization is not finite"
	}
	return s, t, ""
}

// foldBehind merges the chain into l and removes its nodes.
func foldBehind(env *passes.Env, l *linear, chain []link) int {
	pending := l.node.Is("MatMul") && l.bias != nil // by foldBefore
	if !pending && (len(chain) == 0 || l.node.Is("MatMul") && onlyShift(chain)) {
		return 0
	}
	scale, shift := fill(l.channels, 1), fill(l.channels, 0)
	for _, c := range chain {
		for i := range scale {
			scale[i] *= at(c.scale, i)
			shift[i] = shift[i]*at(c.scale, i) + at(c.shift, i)
		}
	}
	for _, c := range chain {
		env.Plan(c.node, "merge into "+l.node.Op(), l.node.Label())
	}
	if norm, ok := normOf(chain, l.channels); ok && l.node.Graph() == env.Model.Main {
		env.Merged(l.node, norm)
	}
	end := l.node.Out(0)
	if len(chain) > 0 {
		end = chain[len(chain)-1].node.Out(0)
	}
	result := l.absorb(scale, shift, shiftName(chain))
	end.ReplaceUses(result, func(u graph.Use) bool { return u.Node != result.Def() })
	for i := len(chain) - 1; i >= 0; i-- {
		ins := chain[i].node.Ins()
		chain[i].node.Remove()
		for _, v := range ins {
			if v.Def() == nil {
				release(v)
			}
		}
	}
	if name := shiftName(chain); name != "" && result.Def() != l.node {
		result.Def().SetName(name)
	}
	return len(chain)
}

// normOf are the deviation and the mean of each channel behind a chain that starts with a batch normalization.
func normOf(chain []link, channels int) (passes.Norm, bool) {
	if len(chain) == 0 || !chain[0].node.Is("BatchNormalization") {
		return passes.Norm{}, false
	}
	scale, ok := floats(chain[0].node.In(1), maxChannels)
	shift, ok2 := floats(chain[0].node.In(2), maxChannels)
	if !ok || !ok2 || len(scale) != channels || len(shift) != channels {
		return passes.Norm{}, false
	}
	norm := passes.Norm{Scale: make([]float64, channels), Shift: make([]float64, channels)}
	for i := range scale {
		norm.Scale[i], norm.Shift[i] = scale[i], shift[i]
		for _, c := range chain[1:] {
			norm.Scale[i] *= at(c.scale, i)
			norm.Shift[i] = norm.Shift[i]*at(c.scale, i) + at(c.shift, i)
		}
	}
	return norm, true
}

// onlyShift reports whether merging would give the Add that is there already.
func onlyShift(chain []link) bool {
	return len(chain) == 1 && len(chain[0].scale) == 1 && chain[0].scale[0] == 1
}

// shiftName is the name of the node that first shifts, for the one that replaces it.
func shiftName(chain []link) string {
	for _, c := range chain {
		if c.node.Is("Add") {
			return c.node.Name()
		}
	}
	return ""
}

func fill(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// at is element i of a list of one number or of one for each channel.
func at(list []float64, i int) float64 {
	if len(list) == 1 {
		return list[0]
	}
	return list[i]
}
