package cleanup

import (
	"context"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// FoldPad merges Pad into the convolution behind it.
var FoldPad = passes.New(passes.Info{
	Name:    "fold-pad",
	Summary: "merge Pad with zeros into the convolution behind it",
	Doc: `A Pad that adds zeros to the spatial axes in front of a Conv becomes part of the convolution's own pads. Pads of the
batch or channel axis, other modes and values, negative or unknown amounts, and convolutions with auto_pad SAME stay.

Before:  x -> Pad(0,0,1,1, 0,0,1,1) -> Conv(pads 0,0,0,0)
After:   x -> Conv(pads 1,1,1,1)`,
	Phase: passes.Cleanup,
	Needs: []string{"constants"},
}, struct{}{}, foldPad)

func foldPad(_ context.Context, env *passes.Env, _ struct{}) error {
	folded := 0
	for _, g := range scopes(env.Model) {
		for n := range g.Nodes() {
			if !n.Is("Conv") || n.In(0) == nil {
				continue
			}
			pad := n.In(0).Def()
			if pad == nil || !pad.Is("Pad") || pad.Graph() != g {
				continue
			}
			amounts, reason := spatialPads(pad, n)
			if reason != "" {
				env.Skip(pad, reason)
				continue
			}
			env.Plan(pad, "merge into Conv", n.Label())
			n.SetInts("pads", sum(n.Ints("pads", make([]int64, len(amounts))), amounts))
			if n.Attr("auto_pad") != nil {
				n.DropAttr("auto_pad")
			}
			out := n.In(0)
			n.SetIn(0, pad.In(0))
			release(out)
			folded++
		}
	}
	count(env, "pads merged into convolutions", folded)
	return nil
}

func sum(a, b []int64) []int64 {
	out := make([]int64, len(b))
	for i := range out {
		out[i] = a[i] + b[i]
	}
	return out
}

// spatialPads are the amounts that pad adds, in the form of Conv's pads attribute, or the reason why they cannot move.
func spatialPads(pad, conv *graph.Node) ([]int64, string) {
	if !padsZeros(pad) {
		return nil, "Pad adds something else than zeros"
	}
	rank := 0
	if w := conv.In(1); w != nil && w.Shape().Ranked {
		rank = len(w.Shape().Dims)
	}
	all, ok := padAmounts(pad, rank)
	if !ok || rank < 3 {
		return nil, "the amounts of Pad are not constant, or the rank is not known"
	}
	auto := conv.String("auto_pad", "NOTSET")
	have := conv.Ints("pads", nil)
	if auto != "NOTSET" && auto != "VALID" || auto == "VALID" && have != nil || have != nil && len(have) != 2*(rank-2) {
		return nil, "the convolution pads by auto_pad"
	}
	var out []int64
	for i, a := range all {
		axis := i % rank
		switch {
		case a < 0:
			return nil, "Pad crops"
		case axis < 2 && a != 0:
			return nil, "Pad pads the batch or channel axis"
		case axis >= 2:
			out = append(out, a)
		}
	}
	return out, ""
}

// padsZeros reports whether a Pad is of constant mode with the value 0.
func padsZeros(pad *graph.Node) bool {
	if pad.String("mode", "constant") != "constant" || pad.Version() < 2 {
		return false
	}
	if pad.Version() < 11 {
		return pad.Float("value", 0) == 0
	}
	if pad.In(2) == nil {
		return true
	}
	value, ok := floats(pad.In(2), 1)
	return ok && len(value) == 1 && value[0] == 0
}

// padAmounts are begin and end amounts for every axis.
func padAmounts(pad *graph.Node, rank int) ([]int64, bool) {
	amounts, ok := pad.Ints("pads", nil), true
	if pad.Version() >= 11 {
		amounts, ok = ints(pad.In(1))
	}
	if !ok || rank == 0 {
		return nil, false
	}
	if pad.In(3) == nil {
		return amounts, len(amounts) == 2*rank
	}
	axes, ok := ints(pad.In(3))
	if !ok || len(amounts) != 2*len(axes) {
		return nil, false
	}
	out := make([]int64, 2*rank)
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			return nil, false
		}
		out[a], out[int64(rank)+a] = amounts[i], amounts[len(axes)+i]
	}
	return out, true
}
