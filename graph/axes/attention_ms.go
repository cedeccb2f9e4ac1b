package axes

import "github.com/onnxpass/onnxpass/graph"

const alongPositions = "attention runs along this axis"

// multiHead is MultiHeadAttention of com.microsoft with separate queries, keys
// and values of rank 3, and biases of all three one behind the other.
func multiHead(w *walk) string {
	n := w.n
	q, k, v, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	heads := n.Int("num_heads", 0)
	if rank(q) != 3 || rank(k) != 3 || rank(v) != 3 {
		return "keys or values are packed"
	}
	w.same(w.at(q, 0), w.at(y, 0))
	w.same(w.at(k, 0), w.at(y, 0))
	w.same(w.at(v, 0), w.at(y, 0))
	if w.options.Heads != WholeHeads {
		return "attention heads stay as they are"
	}
	sides := []joint{w.joint(q, 2, heads), w.joint(k, 2, heads), w.joint(v, 2, heads), w.joint(y, 2, heads)}
	if b := w.in(3, 0); b != none {
		parts, ok := w.parts(b, heads, sides[0].n, sides[1].n, sides[2].n)
		if !ok {
			return "biases do not fit"
		}
		sides = append(sides, parts...)
	}
	if why := w.tieHeads(sides...); why != "" {
		return why
	}
	return w.maskHeads(alongPositions, w.at(q, 2), heads, 5, 6, 7)
}

// parts takes an axis apart into sides of the given numbers of channels.
func (w *walk) parts(a axis, heads int64, sizes ...int32) ([]joint, bool) {
	var out []joint
	from := int32(0)
	for _, n := range sizes {
		out = append(out, joint{a, from, n, int32(min(heads, maxAxis))})
		from += n
	}
	return out, from == w.width[a]
}

// groupQuery is GroupQueryAttention of com.microsoft with separate queries, keys and values.
func groupQuery(w *walk) string {
	n := w.n
	q, k, v, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	if rank(q) != 3 || rank(k) != 3 || rank(v) != 3 {
		return "keys or values are packed"
	}
	w.same(w.at(q, 0), w.at(y, 0))
	w.same(w.at(k, 0), w.at(y, 0))
	w.same(w.at(v, 0), w.at(y, 0))
	if w.options.Heads != WholeHeads {
		return "attention heads stay as they are"
	}
	heads, groups := n.Int("num_heads", 0), n.Int("kv_num_heads", 0)
	sides := []joint{w.joint(k, 2, groups), w.joint(q, 2, heads), w.joint(v, 2, groups), w.joint(y, 2, heads)}
	for _, cache := range []*graph.Value{n.In(3), n.In(4), n.Out(1), n.Out(2)} {
		if rank(cache) == 4 {
			sides = append(sides, w.joint(cache, 1, size(cache, 1)))
		}
	}
	if why := w.tieHeads(sides...); why != "" {
		return why
	}
	return alongPositions
}

// packedAttention is Attention of com.microsoft: the input times the weights of
// queries, keys and values, which lie side by side, and attention of the result.
func packedAttention(w *walk) string {
	n := w.n
	x, weight, y := n.In(0), w.in(1, 1), n.Out(0)
	if rank(x) != 3 || weight == none || n.Int("do_rotary", 0) != 0 {
		return "the layout of its operands is not followed"
	}
	w.same(w.at(x, 0), w.at(y, 0))
	w.same(w.at(x, 2), w.in(1, 0))
	w.sink(0, 2, 1, 0, 0)
	if w.options.Heads != WholeHeads {
		return "attention heads stay as they are"
	}
	heads, third := n.Int("num_heads", 0), w.width[weight]/3
	sizes := []int32{third, third, third}
	if list := n.Ints("qkv_hidden_sizes", nil); len(list) == 3 {
		for i, s := range list {
			sizes[i] = int32(min(max(s, 0), maxAxis))
		}
	}
	sides, ok := w.parts(weight, heads, sizes...)
	if b := w.in(2, 0); b != none && ok {
		var more []joint
		more, ok = w.parts(b, heads, sizes...)
		sides = append(sides, more...)
	}
	if !ok {
		return "weights and biases do not fit"
	}
	if why := w.tieHeads(append(sides, w.joint(y, 2, heads))...); why != "" {
		return why
	}
	w.produce(weight, w.at(y, 2))
	for _, cache := range []*graph.Value{n.In(4), n.Out(1)} {
		if rank(cache) == 5 {
			if why := w.tieHeads(sides[0], w.joint(cache, 2, size(cache, 2))); why != "" {
				return why
			}
		}
	}
	return w.maskHeads(alongPositions, w.at(y, 2), heads, 5)
}

// fixHeads writes the numbers of heads and the sizes that are left.
func fixHeads(c *cut, n *graph.Node) error {
	heads := n.Int("num_heads", 1)
	if n.Op() == "Attention" {
		return c.fixPacked(n, heads)
	}
	c.headsLeft(n, c.at(n.In(0), 2), "num_heads", heads)
	if n.Attr("kv_num_heads") != nil {
		c.headsLeft(n, c.at(n.In(1), 2), "kv_num_heads", n.Int("kv_num_heads", 1))
	}
	return nil
}

func (c *cut) fixPacked(n *graph.Node, heads int64) error {
	if !c.headsLeft(n, c.at(n.Out(0), 2), "num_heads", heads) {
		return nil
	}
	left := n.Int("num_heads", 1)
	if list := n.Ints("qkv_hidden_sizes", nil); len(list) == 3 {
		sizes := make([]int64, 3)
		for i, s := range list {
			sizes[i] = s / heads * left
		}
		n.SetInts("qkv_hidden_sizes", sizes)
	}
	return nil
}

// rotary turns pairs of channels of every head by an angle that the position gives.
func rotary(w *walk) string {
	const text = "pairs of channels are turned"
	x, y := w.n.In(0), w.n.Out(0)
	w.same(w.at(x, 0), w.at(y, 0))
	if rank(x) == 4 {
		w.same(w.at(x, 1), w.at(y, 1))
		return text
	}
	heads := w.n.Int("num_heads", 0)
	if w.options.Heads != WholeHeads || heads == 0 {
		return text
	}
	if why := w.tieHeads(w.joint(x, 2, heads), w.joint(y, 2, heads)); why != "" {
		return why
	}
	return text
}

// fixRotary writes the number of heads that are left.
func fixRotary(c *cut, n *graph.Node) error {
	if rank(n.In(0)) == 3 {
		c.headsLeft(n, c.at(n.In(0), 2), "num_heads", n.Int("num_heads", 0))
	}
	return nil
}
