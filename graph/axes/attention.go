package axes

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
)

// Fused attention: Y[h] = softmax(Q[h] K[g]' s) V[g], where g is the group of head h.
// A head of keys and values goes with all heads of queries that read it, and
// what a head computes is summed up nowhere inside: it acts through the layer
// behind. Channels of a head are summed up between Q and K; those of V are only weighted.

// joint is one side of an attention: an axis, or a part of one, with heads times the same number of channels.
type joint struct {
	a    axis
	from int32 // first index
	n    int32 // how many, 0 for the whole axis
	head int32 // heads
}

func (w *walk) joint(v *graph.Value, i int, heads int64) joint {
	a := w.at(v, i)
	if a == none {
		return joint{a: none}
	}
	return joint{a: a, n: w.width[a], head: int32(min(heads, maxAxis))}
}

// fits tells whether the heads divide the axis.
func (w *walk) fits(j joint) bool {
	return j.a != none && j.head > 0 && j.n > 0 && j.n%j.head == 0 && j.from+j.n <= w.width[j.a]
}

// tieHeads unites the heads of all sides; those of the one with the fewest are the classes.
func (w *walk) tieHeads(sides ...joint) string {
	groups := int32(maxAxis)
	for _, s := range sides {
		if !w.fits(s) {
			return "heads do not divide the channels"
		}
		groups = min(groups, s.head)
	}
	first := sides[0]
	for _, s := range sides {
		if s.head%groups != 0 {
			return "groups do not divide the heads"
		}
		for i := range s.n {
			group := i / (s.n / s.head) / (s.head / groups)
			w.unite(s.a, s.from+i, first.a, first.from+group*(first.n/groups))
		}
	}
	return ""
}

// tieChannels unites the same channel of every head of all sides.
func (w *walk) tieChannels(sides ...joint) string {
	first := sides[0]
	for _, s := range sides {
		if !w.fits(s) || s.n/s.head != first.n/first.head {
			return "heads do not divide the channels"
		}
		for i := range s.n {
			w.unite(s.a, s.from+i, first.a, first.from+i%(s.n/s.head))
		}
	}
	return ""
}

// attention is Attention of ai.onnx: queries, keys, values, mask, past keys and
// values, each [batch, heads, positions, channels] or, without the past, [batch, positions, heads * channels].
func attention(w *walk) string {
	const text = "attention runs along this axis"
	n := w.n
	q, k, v, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	w.same(w.at(q, 0), w.at(y, 0))
	w.same(w.at(k, 0), w.at(y, 0))
	w.same(w.at(v, 0), w.at(y, 0))
	if rank(q) != 4 || rank(k) != 4 || rank(v) != 4 {
		if rank(q) != 3 || rank(k) != 3 || rank(v) != 3 {
			return "the operands have different ranks"
		}
		heads, groups := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0)
		if why := w.flat(w.joint(q, 2, heads), w.joint(k, 2, groups), w.joint(v, 2, groups), w.joint(y, 2, heads)); why != "" {
			return why
		}
		return w.maskHeads(text, w.at(q, 2), heads, 3, 4, 5)
	}
	if why := w.tieHeads(w.joint(k, 1, size(k, 1)), w.joint(q, 1, size(q, 1)), w.joint(v, 1, size(v, 1)), w.joint(y, 1, size(y, 1))); why != "" {
		return why
	}
	for _, x := range []*graph.Value{q, k, v, y} {
		w.mark(w.at(x, 1), batched)
	}
	w.same(w.at(q, 3), w.at(k, 3))
	w.same(w.at(v, 3), w.at(y, 3))
	w.sink(0, 3, 1, 3, 0)
	for _, s := range []struct{ like, v *graph.Value }{{k, n.In(4)}, {v, n.In(5)}, {k, n.Out(1)}, {v, n.Out(2)}} {
		for _, i := range []int{0, 1, 3} {
			w.same(w.at(s.v, i), w.at(s.like, i))
		}
	}
	return w.maskHeads(text, w.at(q, 1), size(q, 1), 3)
}

// size is axis i of v, 0 when it is not known.
func size(v *graph.Value, i int) int64 { return max(0, v.Shape().Dims[i].Value) }

// flat relates operands whose channels are those of all heads one behind the other.
func (w *walk) flat(q, k, v, y joint) string {
	switch w.options.Heads {
	case WholeHeads:
		return w.tieHeads(k, q, v, y)
	case HeadDim:
		if why := w.tieChannels(q, k); why != "" {
			return why
		}
		w.sink(0, 2, 1, 2, 0)
		return w.tieChannels(v, y)
	}
	return "attention heads stay as they are"
}

// maskHeads unites the heads of operands of rank 4, or of a mask that has some, with those of the queries.
func (w *walk) maskHeads(text string, q axis, heads int64, masks ...int) string {
	for _, i := range masks {
		v := w.n.In(i)
		if v == nil || rank(v) < 3 || w.at(v, -3) == none || size(v, rank(v)-3) < 2 {
			continue
		}
		if w.options.Heads != WholeHeads && w.width[q] != int32(heads) {
			continue // heads stay
		}
		if why := w.tieHeads(joint{q, 0, w.width[q], int32(heads)}, w.joint(v, -3, size(v, rank(v)-3))); why != "" {
			return why
		}
	}
	for i := range w.n.Outs() {
		if v := w.n.Out(i); i > 0 && rank(v) == 4 && w.width[q] != int32(heads) && w.options.Heads == WholeHeads {
			if why := w.tieHeads(joint{q, 0, w.width[q], int32(heads)}, w.joint(v, 1, size(v, 1))); why != "" {
				return why
			}
		}
	}
	return text
}

// fixAttention writes the number of heads that are left, and the scale where it followed from the channels of a head.
func fixAttention(c *cut, n *graph.Node) error {
	q := n.In(0)
	if rank(q) == 4 {
		a := c.at(q, 3)
		c.keepScale(n, int64(c.width[a]), c.left(a))
		return nil
	}
	heads := n.Int("q_num_heads", 1)
	if c.headsLeft(n, c.at(q, 2), "q_num_heads", heads) {
		c.headsLeft(n, c.at(n.In(1), 2), "kv_num_heads", n.Int("kv_num_heads", 1))
		return nil
	}
	a := c.at(q, 2)
	c.keepScale(n, int64(c.width[a])/heads, c.left(a)/heads)
	return nil
}

// keepScale states the scale of before where it was the usual one and would change.
func (c *cut) keepScale(n *graph.Node, was, is int64) {
	if was != is && n.Float("scale", 0) == 0 {
		n.SetFloat("scale", float32(1/math.Sqrt(float64(was))))
	}
}

// headsLeft writes an attribute that counts heads when whole ones of them are gone from a; the first head that is whole tells.
func (c *cut) headsLeft(n *graph.Node, a axis, name string, heads int64) bool {
	if a == none || heads < 1 || c.lost[a] == 0 {
		return false
	}
	each := int64(c.width[a]) / heads
	gone := int64(0)
	for h := range heads {
		whole := true
		for i := range each {
			whole = whole && c.gone[int64(c.start[a])+h*each+i]
		}
		if whole {
			gone++
		}
	}
	if gone > 0 {
		n.SetInt(name, heads-gone)
	}
	return gone > 0
}
