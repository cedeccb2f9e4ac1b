package axes

import (
	"math/bits"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// link says that an input axis and an output axis of a reshape share a digit of
// the flat index: input index i has digit i*inStride/low mod classes, output
// index likewise. Both axes can lose the elements of one digit together.
type link struct {
	in, out             int
	inStride, outStride int64
	low, classes        int64
}

// links are the digits that axes of a tensor of dims in share with those of the
// same elements seen with dims out. With s and t the strides of two axes of
// sizes d and e, an axis covers the part [s, s*d) of the mixed-radix number
// that the flat index is. The common part is [lcm(s,t), gcd(s*d, t*e)), a digit
// of its own when the first divides the second.
func links(in, out []int64) []link {
	ins, outs := strides(in), strides(out)
	if ins == nil || outs == nil {
		return nil
	}
	var list []link
	for k, d := range in {
		for m, e := range out {
			s, t := ins[k], outs[m]
			low, ok := lcm(s, t)
			high := gcd(s*d, t*e)
			if ok && low < high && high%low == 0 {
				list = append(list, link{k, m, s, t, low, high / low})
			}
		}
	}
	return list
}

func (l link) inClass(i int64) int64  { return i * l.inStride / l.low % l.classes }
func (l link) outClass(i int64) int64 { return i * l.outStride / l.low % l.classes }

// strides are the products of the dims behind each, nil when the whole product is 0 or overflows.
func strides(dims []int64) []int64 {
	out := make([]int64, len(dims))
	p := int64(1)
	for i := len(dims) - 1; i >= 0; i-- {
		out[i] = p
		hi, lo := bits.Mul64(uint64(p), uint64(dims[i]))
		if dims[i] <= 0 || hi != 0 || lo > 1<<62 {
			return nil
		}
		p = int64(lo)
	}
	return out
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func lcm(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a/gcd(a, b)), uint64(b))
	return int64(lo), hi == 0 && lo < 1<<62
}

// bundle is a set of links of one node that share axes: one of them can carry removal, the other axes stay.
type bundle struct {
	node  *graph.Node
	links []tied
}

// tied is a link with its axes in the space.
type tied struct {
	link
	in, out axis
}

// reshape states the links of a node that keeps the order of the elements.
// Equal axes at either end of the shapes are matched first, which takes
// unknown sizes (of batches, of positions) out of the way.
func reshape(w *walk) string {
	x, y := w.n.In(0), w.n.Out(0)
	in, out := x.Shape().Dims, y.Shape().Dims
	head := 0
	for head < min(len(in), len(out)) && in[head].Same(out[head]) {
		w.same(w.at(x, head), w.at(y, head))
		head++
	}
	tail := 0
	for tail < min(len(in), len(out))-head && in[len(in)-1-tail].Same(out[len(out)-1-tail]) {
		tail++
		w.same(w.at(x, -tail), w.at(y, -tail))
	}
	w.middle(head, tail)
	if w.n.Is("Reshape") && w.n.Version() >= 5 {
		for i := range rank(y) {
			if !settled(w.n.In(1), i) {
				w.freeze(w.at(y, i), w.n, "its new size is not known")
			}
		}
	}
	return "the reshape mixes this axis with others"
}

// renumber is for Squeeze, which drops axes of size 1, and Unsqueeze, which makes some: the others keep their order.
func renumber(w *walk) string {
	x, y := w.n.In(0), w.n.Out(0)
	long, short := x, y
	if w.n.Is("Unsqueeze") {
		long, short = y, x
	}
	list, given := w.n.Ints("axes", nil), w.n.Attr("axes") != nil
	if w.n.In(1) != nil {
		list, given = numbers(w.n.In(1))
		if !given {
			return "its axes are not known"
		}
	}
	if !given {
		for i, d := range long.Shape().Dims {
			if d.Value == 1 {
				list = append(list, int64(i))
			}
		}
	}
	if rank(long)-len(list) != rank(short) {
		return "its axes are not known"
	}
	to := 0
	for i := range rank(long) {
		if indexOf(list, i, rank(long)) >= 0 {
			continue
		}
		if to < rank(short) {
			w.same(w.at(long, i), w.at(short, to))
		}
		to++
	}
	return ""
}

// middle links the axes between those that are equal. Of them only the ones behind any unknown size have known strides.
func (w *walk) middle(head, tail int) {
	x, y := w.n.In(0), w.n.Out(0)
	xs, ys := solid(x, head, tail), solid(y, head, tail)
	var list []tied
	for _, l := range links(sizes(x, xs, tail), sizes(y, ys, tail)) {
		t := tied{l, w.at(x, xs+l.in), w.at(y, ys+l.out)}
		if w.width[t.in] > 1 && w.width[t.out] > 1 {
			list = append(list, t)
		}
	}
	for len(list) > 0 {
		b := bundle{node: w.n, links: list[:1:1]}
		rest := list[1:]
		for again := true; again; {
			again = false
			var other []tied
			for _, t := range rest {
				if slices.ContainsFunc(b.links, func(u tied) bool { return u.in == t.in || u.out == t.out }) {
					b.links = append(b.links, t)
					again = true
				} else {
					other = append(other, t)
				}
			}
			rest = other
		}
		w.bundle(b)
		list = rest
	}
}

// solid is the first axis of v behind head and behind all unknown sizes.
func solid(v *graph.Value, head, tail int) int {
	dims := v.Shape().Dims
	i := len(dims) - tail
	for i > head && dims[i-1].Value >= 0 {
		i--
	}
	return i
}

func sizes(v *graph.Value, from, tail int) []int64 {
	dims := v.Shape().Dims
	var out []int64
	for _, d := range dims[from : len(dims)-tail] {
		out = append(out, d.Value)
	}
	return out
}

// bundle states a lone link at once and puts a choice off.
func (w *walk) bundle(b bundle) {
	for _, t := range b.links {
		w.touch(t.in, t.out)
	}
	if len(b.links) == 1 {
		w.carry(b.links[0])
		return
	}
	w.pending = append(w.pending, b)
}

// carry unites the atoms that share a digit.
func (w *walk) carry(t tied) {
	seat := make([]int32, t.classes)
	for i := range seat {
		seat[i] = -1
	}
	put := func(class int64, x int32) {
		if seat[class] < 0 {
			seat[class] = x
		} else {
			w.join(seat[class], x)
		}
	}
	for i := range w.width[t.in] {
		put(t.inClass(int64(i)), w.start[t.in]+i)
	}
	for i := range w.width[t.out] {
		put(t.outClass(int64(i)), w.start[t.out]+i)
	}
}
