package axes

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// A recurrent network that is run piece by piece returns its hidden units, and
// takes them back as an input with the next piece. Those that are removed need
// not travel: the model reads only the others, and returns 0 for them, so that
// its inputs and outputs stay as they are.

// isState tells whether the options let the hidden units of v shrink inside the model; name is that of the input or output.
func (w *walk) isState(g *graph.Graph, name string) bool {
	return g == w.analysis.Model.Main && w.options.State != nil && w.options.State(name)
}

// states freezes what of the states is no hidden unit of a recurrent layer.
func (w *walk) states() {
	g := w.analysis.Model.Main
	for _, v := range g.Inputs() {
		if w.isState(g, v.Name()) {
			w.unlessHidden(v, "it is an input of the graph")
		}
	}
	for i, v := range g.Outputs() {
		if w.isState(g, g.OutputName(i)) {
			w.unlessHidden(v, "it is an output of the graph")
		}
	}
}

func (w *walk) unlessHidden(v *graph.Value, text string) {
	for i := range rank(v) {
		a := w.at(v, i)
		for j := range w.width[a] {
			if w.flags[w.root(w.start[a]+j)]&hidden == 0 {
				w.freeze(a, nil, text)
				break
			}
		}
	}
}

// border is an axis of an input or output of the model that loses atoms.
type border struct {
	Axis
	slot int // of the output, -1 for an input
	at   axis
}

// borders are those of the removal; outputs come first.
func (c *cut) borders(m *graph.Model) []border {
	var out []border
	look := func(v *graph.Value, slot int) {
		for i := range rank(v) {
			if a := c.at(v, i); a != none && c.lost[a] > 0 {
				out = append(out, border{Axis{v, i}, slot, a})
			}
		}
	}
	for i, v := range m.Main.Outputs() {
		look(v, i)
	}
	for _, v := range m.Main.Inputs() {
		look(v, -1)
	}
	return out
}

// cross takes what is left out of inputs, and gives outputs their size again.
func (c *cut) cross() {
	g := c.model.Main
	for _, b := range c.borders(c.model) {
		if b.slot >= 0 {
			c.widen(b)
			continue
		}
		v := b.Value
		list := onnx.From([]int64{int64(len(c.kept(b.at)))}, int64s(c.kept(b.at)))
		pick := g.Begin().Op("Gather", v.Name()+"_kept", v, g.Init(v.Name()+"_kept", list))
		pick.SetInt("axis", int64(b.Axis.Axis))
		v.ReplaceUses(pick.Out(0), func(u graph.Use) bool { return u.Node != pick })
	}
}

// widen puts zeros where an output lost atoms: each place takes the channel that is left for it, or the first one times 0.
func (c *cut) widen(b border) {
	g := c.model.Main
	ret := g.Return()
	from := ret.In(b.slot)
	ranks := c.ranks(b.at)
	for i, r := range ranks {
		ranks[i] = max(0, r)
	}
	pick := ret.Before().Op("Gather", from.Name()+"_wide", from, g.Init(from.Name()+"_places", onnx.From([]int64{int64(len(ranks))}, ranks)))
	pick.SetInt("axis", int64(b.Axis.Axis))
	ret.SetIn(b.slot, c.silence(pick.Out(0), b, ret))
}

// silence multiplies the removed atoms of an output with 0.
func (c *cut) silence(v *graph.Value, b border, ret *graph.Node) *graph.Value {
	ones, err := c.ones(b.at, b.Value, b.Axis.Axis)
	if err != nil {
		return v // an integer state: nothing that a recurrent layer returns
	}
	return ret.Before().Op("Mul", b.Value.Name()+"_rest", v, ret.Graph().Init(b.Value.Name()+"_rest", ones)).Out(0)
}

// silenceOutputs is what widen does to the values, in the copy m that is not cut.
func (c *cut) silenceOutputs(m *graph.Model) {
	ret := m.Main.Return()
	for _, b := range c.borders(c.model) {
		if b.slot >= 0 {
			ret.SetIn(b.slot, c.silence(ret.In(b.slot), b, ret))
		}
	}
}

func int64s(list []int) []int64 {
	out := make([]int64, 0, len(list))
	for _, x := range list {
		out = append(out, int64(x))
	}
	return slices.Clip(out)
}
