package axes

import "github.com/onnxpass/onnxpass/graph"

// recurrent follows the hidden units of LSTM (4 gates), GRU (3) and RNN (1):
// unit h owns row g*H+h of W, R and B for every gate g, column h of R, its
// peepholes, states and outputs. Both directions share their units. A unit
// acts on the others through its column of R alone, which therefore is a sink.
func recurrent(w *walk) string {
	n := w.n
	gates := map[string]int32{"LSTM": 4, "GRU": 3, "RNN": 1}[n.Op()]
	unit := w.in(2, 2)
	if n.Int("layout", 0) != 0 || unit == none {
		return "the layout is not followed"
	}
	w.same(w.in(0, 2), w.in(1, 2))
	w.sink(0, 2, 1, 2, 0)
	if n.In(2).Const() == nil || w.width[unit] < 2 {
		return "its recurrent weights are computed"
	}
	w.touch(unit)
	w.mark(unit, hidden)
	repeats := []struct {
		a     axis
		times int32
	}{{w.in(1, 1), gates}, {w.in(2, 1), gates}, {w.in(3, 1), 2 * gates}, {w.in(7, 1), 3}}
	for _, r := range repeats {
		w.repeat(unit, r.a, r.times)
	}
	for _, a := range []axis{w.in(5, 2), w.in(6, 2), w.out(0, 3), w.out(1, 2), w.out(2, 2)} {
		w.same(unit, a)
	}
	w.produce(w.in(1, 1), none)
	w.sink(-1, 0, 2, 2, 0)
	return ""
}

// repeat unites index i of unit with index i of each of the blocks of a.
func (w *walk) repeat(unit, a axis, times int32) {
	if a == none {
		return
	}
	h := w.width[unit]
	if w.width[a] != h*times {
		w.freeze(unit, w.n, "gates do not fit the hidden size")
		return
	}
	for i := range w.width[a] {
		w.unite(a, i, unit, i%h)
	}
}

// fixHidden writes the number of units that are left.
func fixHidden(c *cut, n *graph.Node) error {
	if unit := c.at(n.In(2), 2); unit != none && n.Attr("hidden_size") != nil && c.left(unit) != int64(c.width[unit]) {
		n.SetInt("hidden_size", c.left(unit))
	}
	return nil
}
