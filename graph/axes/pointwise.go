package axes

import (
	"github.com/onnxpass/onnxpass/graph"
)

// unary operators compute every element from the one at the same place.
func unary(w *walk) string {
	w.pass(w.n.In(0), w.n.Out(0))
	return ""
}

// dropout does nothing at inference; its mask must not be read.
func dropout(w *walk) string {
	if t := w.n.In(2); t != nil && w.n.Version() >= 12 {
		if list := t.Ints(); len(list) != 1 || list[0].Value != 0 {
			if c := t.Const(); c == nil || !zero(c) {
				return "it may be in training mode"
			}
		}
	}
	w.pass(w.n.In(0), w.n.Out(0))
	return ""
}

// broadcast operators compute element by element; shapes are aligned from the
// right and axes of size 1 are repeated.
func broadcast(w *walk) string {
	if w.n.Version() < 7 && w.n.Domain() == "" && (w.n.Int("broadcast", 0) != 0 || w.n.Attr("axis") != nil) {
		return "broadcasting of this opset is not followed"
	}
	for _, v := range w.n.Ins() {
		w.spread(v, w.n.Out(0))
	}
	for i := range rank(w.n.Out(0)) {
		w.touch(w.out(0, i))
	}
	return ""
}

// spread unites the axes of v, aligned from the right, with those of y. Axes of size 1 are repeated.
func (w *walk) spread(v, y *graph.Value) {
	for i := 1; i <= rank(v); i++ {
		a, b := w.at(v, -i), w.at(y, -i)
		if v.Shape().Dims[rank(v)-i].Value == 1 {
			continue
		}
		w.same(a, b)
	}
}

// batchNorm scales and shifts every channel by constants of its own.
func batchNorm(w *walk) string {
	for _, v := range w.n.Outs()[1:] {
		if v != nil && (v.NumUses() > 0 || w.n.Int("training_mode", 0) != 0) {
			return "it is in training mode"
		}
	}
	w.pass(w.n.In(0), w.n.Out(0))
	for i := 1; i <= 4; i++ {
		w.same(w.in(i, 0), w.out(0, 1))
	}
	return ""
}

// instanceNorm takes statistics over the positions of every channel.
func instanceNorm(w *walk) string {
	w.same(w.in(0, 0), w.out(0, 0))
	w.same(w.in(0, 1), w.out(0, 1))
	w.same(w.in(1, 0), w.out(0, 1))
	w.same(w.in(2, 0), w.out(0, 1))
	return "statistics are taken over this axis"
}

// groupNorm takes statistics over groups of channels: whole groups can go. Scale and
// bias are per group up to opset 20, per channel from then on.
func groupNorm(w *walk) string {
	x, groups := w.in(0, 1), int32(w.n.Int("num_groups", 0))
	if x == none || groups < 1 || w.width[x]%groups != 0 {
		return "groups do not divide the channels"
	}
	w.same(w.in(0, 0), w.out(0, 0))
	w.same(x, w.out(0, 1))
	each := w.width[x] / groups
	for i := range w.width[x] {
		w.unite(x, i, x, i/each*each)
	}
	for k := 1; k <= 2; k++ {
		switch p := w.in(k, 0); {
		case p != none && w.width[p] == w.width[x]:
			w.same(p, x)
		case p != none && w.width[p] == groups:
			for i := range groups {
				w.unite(p, i, x, i*each)
			}
		}
	}
	return "statistics are taken over this axis"
}

// fixNormGroups writes the number of groups that are left.
func fixNormGroups(c *cut, n *graph.Node) error {
	x, groups := c.at(n.In(0), 1), n.Int("num_groups", 0)
	if groups > 0 && c.left(x) != int64(c.width[x]) {
		n.SetInt("num_groups", c.left(x)*groups/int64(c.width[x]))
	}
	return nil
}

// fromAxis is for operators that mix all axes from the attribute axis on.
func fromAxis(def int64, text string) func(*walk) string {
	return func(w *walk) string {
		first := w.n.Int("axis", def)
		if first < 0 {
			first += int64(rank(w.n.In(0)))
		}
		for i := range rank(w.n.In(0)) {
			if int64(i) < first {
				w.same(w.in(0, i), w.out(0, i))
			}
		}
		return text
	}
}

// alongAxis is for operators that mix along one axis and pass the others. The axis
// is an attribute or, when there is none, input 1.
func alongAxis(def int64, text string) func(*walk) string {
	return func(w *walk) string {
		along := w.n.Int("axis", def)
		if w.n.NumIn() > 1 {
			list, ok := numbers(w.n.In(1))
			if !ok || len(list) != 1 {
				return "its axis is not known"
			}
			along = list[0]
		}
		w.pass(w.n.In(0), w.n.Out(0), int(along))
		return text
	}
}

// softmax mixes along one axis; before opset 13 along all from there on.
func softmax(w *walk) string {
	if w.n.Version() < 13 {
		return fromAxis(1, softmaxText)(w)
	}
	w.pass(w.n.In(0), w.n.Out(0), int(w.n.Int("axis", -1)))
	return softmaxText
}

const softmaxText = "softmax is taken over this axis"

// localResponse mixes neighbouring channels.
func localResponse(w *walk) string {
	w.pass(w.n.In(0), w.n.Out(0), 1)
	return "neighbouring channels are mixed"
}

// meanVariance normalises over some axes.
func meanVariance(w *walk) string {
	var except []int
	for _, a := range w.n.Ints("axes", []int64{0, 2, 3}) {
		except = append(except, int(a))
	}
	w.pass(w.n.In(0), w.n.Out(0), except...)
	return "statistics are taken over this axis"
}

// quantize scales to integers or back, by one scale or one for each index of an axis.
func quantize(w *walk) string {
	if w.n.Int("block_size", 0) != 0 || rank(w.n.In(1)) > 1 {
		return "scales are per block"
	}
	w.pass(w.n.In(0), w.n.Out(0))
	scale := w.in(1, 0)
	if scale == none || w.width[scale] < 2 {
		return ""
	}
	along := w.in(0, int(w.n.Int("axis", 1)))
	if along == none {
		w.whole(w.n.In(0), w.n, "the axis of its scales is not known")
		return ""
	}
	w.same(scale, along)
	w.same(w.in(2, 0), along)
	return ""
}
