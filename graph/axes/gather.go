package axes

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// gather picks indices of one axis. Constant indices tie the result to what
// they name, and are written anew for each node; computed ones freeze the axis.
func gather(w *walk) string {
	x, y, idx := w.n.In(0), w.n.Out(0), w.n.In(1)
	along := int(w.n.Int("axis", 0))
	if along < 0 {
		along += rank(x)
	}
	q := rank(idx)
	for i := range rank(x) {
		switch {
		case i < along:
			w.same(w.at(x, i), w.at(y, i))
		case i > along:
			w.same(w.at(x, i), w.at(y, i+q-1))
		}
	}
	a := w.at(x, along)
	list, fixed := numbers(idx)
	if !fixed || q > 1 || a == none {
		if !fixed {
			for i := range q {
				w.same(w.at(idx, i), w.at(y, along+i))
			}
			w.embedding(along, q)
		}
		return "it is looked up by index"
	}
	w.touch(a)
	for j, i := range list {
		if i < 0 {
			i += int64(w.width[a])
		}
		switch {
		case i < 0 || i >= int64(w.width[a]):
			w.freeze(a, w.n, "an index is out of range")
		case q == 0 || w.width[a] < 2:
			w.freezeAtom(w.atom(a, int32(i)), Reason{w.n, x, along, "this index is picked"})
		default:
			w.unite(a, int32(i), w.at(y, along), int32(j))
		}
	}
	return ""
}

// embedding records the channels that a table of constants has for every index.
func (w *walk) embedding(along, q int) {
	x, y := w.n.In(0), w.n.Out(0)
	if x.Const() == nil || !isFloat(x) {
		return
	}
	for i := along + 1; i < rank(x); i++ {
		w.produce(w.at(x, i), w.at(y, i+q-1))
	}
}

// fixGather renumbers the indices that are left.
func fixGather(c *cut, n *graph.Node) error {
	idx := n.In(1)
	a := c.at(n.In(0), int(n.Int("axis", 0)))
	list, fixed := numbers(idx)
	if a == none || !fixed || rank(idx) > 1 || c.left(a) == int64(c.width[a]) {
		return nil
	}
	ranks := c.ranks(a)
	var out []int64
	for _, i := range list {
		if i < 0 {
			i += int64(c.width[a])
		}
		if ranks[i] >= 0 {
			out = append(out, ranks[i])
		}
	}
	if rank(idx) == 0 {
		c.replace(n, 1, onnx.From(nil, out))
	} else {
		c.state(n, 1, out)
		c.merge(n, out)
	}
	return nil
}
