package axes

import (
	"github.com/onnxpass/onnxpass/graph"
)

// transpose permutes axes.
func transpose(w *walk) string {
	r := rank(w.n.In(0))
	perm := w.n.Ints("perm", nil)
	if perm != nil && len(perm) != r {
		return "its permutation does not fit"
	}
	for j := range r {
		from := r - 1 - j
		if perm != nil {
			from = int(perm[j])
		}
		w.same(w.in(0, from), w.out(0, j))
	}
	return ""
}

// concat puts its inputs one behind the other.
func concat(w *walk) string {
	y := w.n.Out(0)
	along := int(w.n.Int("axis", 1))
	if along < 0 {
		along += rank(y)
	}
	for _, v := range w.n.Ins() {
		w.pass(v, y, along)
	}
	w.blocks(w.out(0, along), w.n.Ins(), along)
	return ""
}

// split takes its input apart.
func split(w *walk) string {
	x := w.n.In(0)
	along := int(w.n.Int("axis", 0))
	if along < 0 {
		along += rank(x)
	}
	for _, v := range w.n.Outs() {
		if v != nil {
			w.pass(x, v, along)
		}
	}
	w.blocks(w.in(0, along), w.n.Outs(), along)
	return ""
}

// blocks unites an axis with the same axis of parts, one behind the other.
func (w *walk) blocks(whole axis, parts []*graph.Value, along int) {
	if whole == none {
		return
	}
	total := int64(0)
	for _, v := range parts {
		if v == nil || along >= rank(v) || v.Shape().Dims[along].Value < 0 {
			return
		}
		total += v.Shape().Dims[along].Value
	}
	if total != int64(w.width[whole]) || total < 2 {
		return
	}
	at := int32(0)
	for _, v := range parts {
		a := w.at(v, along)
		n := int32(v.Shape().Dims[along].Value)
		for i := range n {
			w.unite(whole, at+i, a, i)
		}
		at += n
	}
}

// fixSplit writes the sizes that are left of each part.
func fixSplit(c *cut, n *graph.Node) error {
	along := int(n.Int("axis", 0))
	x := c.at(n.In(0), along)
	if x == none || c.left(x) == int64(c.width[x]) {
		return nil
	}
	sizes, equal := []int64{}, true
	for _, v := range n.Outs() {
		sizes = append(sizes, c.left(c.at(v, along)))
		equal = equal && sizes[len(sizes)-1] == sizes[0]
	}
	explicit := n.Attr("split") != nil || n.In(1) != nil
	switch {
	case equal && !explicit:
	case n.Version() < 13:
		n.SetInts("split", sizes)
	default:
		c.state(n, 1, sizes)
		n.DropAttr("num_outputs")
	}
	return nil
}

// tile repeats an axis.
func tile(w *walk) string {
	repeats, ok := numbers(w.n.In(1))
	if !ok || len(repeats) != rank(w.n.In(0)) {
		return "its repeats are not known"
	}
	for i, r := range repeats {
		x, y := w.in(0, i), w.out(0, i)
		if r < 1 || w.width[x] < 2 || int64(w.width[y]) != r*int64(w.width[x]) {
			continue
		}
		for j := range w.width[y] {
			w.unite(y, j, x, j%w.width[x])
		}
	}
	return "it is repeated"
}

// expand repeats axes of size 1, which makes atoms that only their readers tie.
func expand(w *walk) string {
	x, y := w.n.In(0), w.n.Out(0)
	w.spread(x, y)
	shift := rank(y) - rank(w.n.In(0))
	for i := range rank(y) {
		from := i - shift
		fresh := from < 0 || x.Shape().Dims[from].Value == 1
		if fresh {
			w.touch(w.at(y, i))
		}
		if at := i - (rank(y) - length(w.n.In(1))); at >= 0 && !settled(w.n.In(1), at) {
			w.freeze(w.at(y, i), w.n, "its new size is not known")
		}
	}
	return ""
}

// constantOfShape makes atoms that only their readers tie.
func constantOfShape(w *walk) string {
	for i := range rank(w.n.Out(0)) {
		if settled(w.n.In(0), i) {
			w.touch(w.out(0, i))
		}
	}
	return "its size is not known"
}

// constant is a tensor of its own, like an initializer.
func constant(w *walk) string {
	if w.n.Out(0).Const() == nil {
		return "it is no dense tensor"
	}
	for i := range rank(w.n.Out(0)) {
		w.touch(w.out(0, i))
	}
	return ""
}

// branches ties what an If returns to what each of its branches does. Branches of different rank return nothing that can shrink.
func branches(w *walk) string {
	for k, y := range w.n.Outs() {
		for _, g := range w.n.Subgraphs() {
			v := g.Return().In(k)
			if rank(v) != rank(y) {
				w.whole(v, w.n, "the branches return different ranks")
				w.whole(y, w.n, "the branches return different ranks")
				continue
			}
			w.pass(v, y)
		}
	}
	return ""
}
