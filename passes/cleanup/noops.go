package cleanup

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// NoOps removes nodes whose output is their input.
var NoOps = passes.New(passes.Info{
	Name:    "no-ops",
	Summary: "remove Identity, Dropout and other nodes that change nothing",
	Doc: `Removes Identity, Dropout in inference mode, Cast to the type that the value has, Transpose that keeps the order, Pad
by nothing, Slice of everything, Tile once, Concat, Sum, Max, Min or Mean of one operand, Reshape, Flatten, Squeeze and Expand
to the shape that the value has (where inference proves it), and Add 0, Sub 0, Mul 1, Div 1. A node that gives an input, an
initializer or another output the name of a graph output stays.`,
	Phase: passes.Cleanup,
}, struct{}{}, noOps)

func noOps(_ context.Context, env *passes.Env, _ struct{}) error {
	removed := 0
	for _, g := range scopes(env.Model) {
		for n := range g.Nodes() {
			in := passedOn(n)
			if in == nil || n.Out(0) == nil || !onlyFirst(n) {
				continue
			}
			op := n.Op()
			if bypass(n, in) {
				removed++
			} else if op != "Identity" {
				env.Skip(n, "the node changes nothing, but gives a graph output its name")
			}
		}
	}
	count(env, "no-ops removed", removed)
	return nil
}

// onlyFirst reports whether no output besides the first is read.
func onlyFirst(n *graph.Node) bool {
	for i, v := range n.Outs() {
		if i > 0 && v != nil && v.NumUses() > 0 {
			return false
		}
	}
	return true
}

// passedOn is the input that output 0 of n equals; nil when n does something.
func passedOn(n *graph.Node) *graph.Value {
	in := n.In(0)
	if in == nil || n.Domain() != "" {
		return nil
	}
	same := false
	switch n.Op() {
	case "Identity":
		same = true
	case "Dropout":
		same = inference(n)
	case "Cast", "CastLike":
		same = in.Elem() != 0 && n.Out(0) != nil && in.Elem() == castTarget(n)
	case "Concat", "Sum", "Max", "Min", "Mean":
		same = n.NumIn() == 1
	case "Transpose":
		same = keepsOrder(n)
	case "Pad":
		same = padsNothing(n)
	case "Tile":
		repeats, ok := ints(n.In(1))
		same = ok && n.NumIn() == 2 && all(repeats, 1)
	case "Slice":
		same = slicesAll(n)
	case "Flatten", "Squeeze", "Expand":
		same = sameShape(in.Shape(), n.Out(0).Shape())
	case "Reshape":
		same = reshapesNothing(in.Shape(), n.Out(0).Shape())
	case "Add", "Sub", "Mul", "Div":
		return besideNeutral(n)
	}
	if !same {
		return nil
	}
	return in
}

// inference reports whether a Dropout passes its input on: by its operator set version.
func inference(n *graph.Node) bool {
	switch v := n.Version(); {
	case v >= 12:
		if n.In(2) == nil {
			return true
		}
		training, ok := ints(n.In(2))
		return ok && all(training, 0)
	case v >= 7:
		return true
	}
	return n.Int("is_test", 0) != 0
}

func castTarget(n *graph.Node) (t onnx.DataType) {
	if n.Op() == "CastLike" {
		if n.In(1) != nil {
			return n.In(1).Elem()
		}
		return 0
	}
	return onnx.DataType(n.Int("to", 0))
}

func keepsOrder(n *graph.Node) bool {
	perm := n.Ints("perm", nil)
	for i, p := range perm {
		if int64(i) != p {
			return false
		}
	}
	return len(perm) > 0
}

func padsNothing(n *graph.Node) bool {
	pads := n.Ints("pads", nil)
	if n.Version() < 2 {
		pads = n.Ints("paddings", nil)
	}
	if n.Version() >= 11 {
		var ok bool
		if pads, ok = ints(n.In(1)); !ok {
			return false
		}
	}
	return len(pads) > 0 && all(pads, 0)
}

// slicesAll reports whether a Slice takes everything: steps of 1, and either
// equal static shapes or bounds that no size exceeds.
func slicesAll(n *graph.Node) bool {
	if n.Out(0) == nil {
		return false
	}
	starts, ends := n.Ints("starts", nil), n.Ints("ends", nil)
	if n.Version() >= 10 {
		var ok, okEnds bool
		starts, ok = ints(n.In(1))
		ends, okEnds = ints(n.In(2))
		steps, okSteps := ints(n.In(4))
		if !ok || !okEnds || n.In(4) != nil && !(okSteps && all(steps, 1)) {
			return false
		}
	}
	_, static := n.In(0).Shape().Static()
	if static && sameShape(n.In(0).Shape(), n.Out(0).Shape()) {
		return true
	}
	for _, e := range ends {
		if e < math.MaxInt32 {
			return false
		}
	}
	return len(starts) > 0 && all(starts, 0)
}

// reshapesNothing is sameShape, but one pair of dimensions may be unknown: as
// the number of elements is the same and no other size is zero, it is equal too.
func reshapesNothing(a, b graph.Shape) bool {
	if !a.Ranked || !b.Ranked || len(a.Dims) != len(b.Dims) {
		return false
	}
	open, zero := 0, false
	for i, d := range a.Dims {
		e := b.Dims[i]
		switch {
		case d.Same(e):
			zero = zero || d.Value == 0
		case d.IsStatic() && e.IsStatic():
			return false
		default:
			open++
		}
	}
	return open == 0 || open == 1 && !zero
}

// besideNeutral is the operand of an addition of 0 or a multiplication by 1
// that has the shape of the result; nil when there is none.
func besideNeutral(n *graph.Node) *graph.Value {
	if n.Version() < 7 || n.Out(0) == nil {
		return nil
	}
	neutral := 0.0
	if n.Op() == "Mul" || n.Op() == "Div" {
		neutral = 1
	}
	for i := range 2 {
		x, c := n.In(i), n.In(1-i)
		if i == 1 && (n.Op() == "Sub" || n.Op() == "Div") || x == nil || constant(x) != nil {
			continue
		}
		if values, ok := floats(c, maxKnown); ok && all(values, neutral) && keepsShape(x, c, n.Out(0)) {
			return x
		}
	}
	return nil
}

// keepsShape reports whether combining x with c by broadcasting gives the shape of x.
func keepsShape(x, c, out *graph.Value) bool {
	if one, ok := c.Shape().Elements(); ok && one == 1 && x.Shape().Ranked && len(c.Shape().Dims) <= len(x.Shape().Dims) {
		return true
	}
	_, static := x.Shape().Static()
	return static && sameShape(x.Shape(), out.Shape())
}

func all[T int64 | float64](list []T, want T) bool {
	for _, v := range list {
		if v != want {
			return false
		}
	}
	return true
}
