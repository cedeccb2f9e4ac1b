package axes

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// pool reduces windows of positions in each channel.
func pool(w *walk) string {
	if v := w.n.Out(1); v != nil && v.NumUses() > 0 {
		return "the positions of the maxima are read"
	}
	w.same(w.in(0, 0), w.out(0, 0))
	w.same(w.in(0, 1), w.out(0, 1))
	return windows
}

// sample reads every channel at the same positions.
func sample(w *walk) string {
	if w.n.Is("GridSample") {
		w.same(w.in(0, 0), w.out(0, 0))
	}
	w.same(w.in(0, 1), w.out(0, 1))
	return "positions are sampled"
}

// reduce takes a sum, mean or the like over some axes and passes the others.
func reduce(w *walk) string {
	const text = "it is summed over without weights"
	list, ok := w.reduced()
	if !ok {
		return "its axes are not known"
	}
	w.squeeze(list, w.n.Int("keepdims", 1) != 0)
	return text
}

// argument finds the index of the largest or smallest element along one axis.
func argument(w *walk) string {
	w.squeeze([]int64{w.n.Int("axis", 0)}, w.n.Int("keepdims", 1) != 0)
	return "indices of this axis are the result"
}

// reduced are the axes that a reduction runs over, non-negative.
func (w *walk) reduced() ([]int64, bool) {
	n := w.n
	list, given := n.Ints("axes", nil), n.Attr("axes") != nil
	if n.In(1) != nil {
		var ok bool
		if list, ok = numbers(n.In(1)); !ok {
			return nil, false
		}
		given = len(list) > 0
	}
	if !given && n.Int("noop_with_empty_axes", 0) == 0 {
		for i := range rank(n.In(0)) {
			list = append(list, int64(i))
		}
	}
	return list, true
}

// squeeze passes the axes of input 0 that are not listed to those of output 0; keep says whether the listed ones stay, with size 1.
func (w *walk) squeeze(list []int64, keep bool) {
	r, to := rank(w.n.In(0)), 0
	for i := range r {
		if slices.Contains(list, int64(i)) || slices.Contains(list, int64(i-r)) {
			if keep {
				to++
			}
			continue
		}
		w.same(w.in(0, i), w.out(0, to))
		to++
	}
}

// resize interpolates along the axes whose size or scale changes; the others pass.
func resize(w *walk) string {
	n := w.n
	if n.String("coordinate_transformation_mode", "") == "tf_crop_and_resize" || n.String("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return "it crops or keeps the aspect ratio"
	}
	scales := n.Floats("scales", nil)
	axes := n.Ints("axes", nil)
	if v := resizeScales(n); v != nil {
		scales = floats(v)
	}
	for i := range rank(n.In(0)) {
		at := i
		if axes != nil {
			if at = indexOf(axes, i, rank(n.In(0))); at < 0 {
				w.same(w.in(0, i), w.out(0, i))
				continue
			}
		}
		if at < len(scales) && scales[at] == 1 || n.In(3) != nil && w.sized(i, at) {
			w.same(w.in(0, i), w.out(0, i))
		}
	}
	return "it is resized"
}

// sized tells whether axis i keeps its size by element at of the input sizes, which can be rewritten.
func (w *walk) sized(i, at int) bool {
	x, y := w.in(0, i), w.out(0, i)
	return w.width[x] == w.width[y] && w.width[x] > 1 && settled(w.n.In(3), at)
}

// resizeScales is the operand with the scales, nil when it is absent or empty.
func resizeScales(n *graph.Node) *graph.Value {
	v := n.In(2)
	if n.Is("Upsample") || n.Version() < 11 {
		v = n.In(1)
	}
	if v == nil || v.Shape().Ranked && len(v.Shape().Dims) == 1 && v.Shape().Dims[0].Value == 0 {
		return nil
	}
	return v
}

// floats is the content of a constant of floats, nil when it is not known.
func floats(v *graph.Value) []float32 {
	if t := v.Const(); t != nil {
		list, err := t.Float32s()
		if err == nil {
			return list
		}
		return nil
	}
	var out []float32
	for _, f := range v.Floats() {
		out = append(out, float32(f))
	}
	return out
}

// indexOf is the place of axis i in a list of axes, counted from the end when negative; -1 when it is not there.
func indexOf(axes []int64, i, rank int) int {
	return slices.IndexFunc(axes, func(a int64) bool { return a == int64(i) || a == int64(i-rank) })
}

// pad puts constants before and behind; on a padded axis the padding has atoms of its own.
func pad(w *walk) string {
	pads, axes, ok := padding(w.n)
	if !ok {
		return "the pads are not known"
	}
	r := rank(w.n.In(0))
	for i := range r {
		at := i
		if axes != nil {
			at = indexOf(axes, i, r)
		}
		x, y := w.in(0, i), w.out(0, i)
		if at < 0 {
			w.same(x, y)
			continue
		}
		before, after := pads[at], pads[at+len(pads)/2]
		switch {
		case !known(before) || !known(after):
		case before.Value == 0 && after.Value == 0:
			w.same(x, y)
		case before.Value >= 0 && after.Value >= 0 && w.n.String("mode", "constant") == "constant" && w.paddable(x, y, before.Value, after.Value):
			for j := range w.width[x] {
				w.unite(x, j, y, j+int32(before.Value))
			}
		}
	}
	return "it is padded"
}

// paddable tells whether axis y is x with the padding, and the amounts can be rewritten.
func (w *walk) paddable(x, y axis, before, after int64) bool {
	_, fixed := numbers(w.n.In(1))
	return w.width[x] > 1 && int64(w.width[x])+before+after == int64(w.width[y]) && (fixed || w.n.Attr("pads") != nil)
}

// padding are the amounts of a Pad, befores first, and the axes that they are for; nil axes are all.
func padding(n *graph.Node) (pads []graph.Dim, axes []int64, ok bool) {
	if list := n.Ints("pads", n.Ints("paddings", nil)); list != nil {
		for _, p := range list {
			pads = append(pads, graph.Dim{Value: p})
		}
	} else if n.In(1) != nil {
		pads = n.In(1).Ints()
	}
	if n.In(3) != nil {
		if axes, ok = numbers(n.In(3)); !ok {
			return nil, nil, false
		}
	}
	want := rank(n.In(0))
	if axes != nil {
		want = len(axes)
	}
	return pads, axes, len(pads) == 2*want
}

// depthToSpace moves blocks of channels to positions.
func depthToSpace(w *walk) string {
	b := int32(min(w.n.Int("blocksize", 1), maxAxis))
	x, y := w.in(0, 1), w.out(0, 1)
	if x == none || y == none || b < 1 || w.width[x]/b/b != w.width[y] || w.width[x]%(b*b) != 0 {
		return "blocks do not divide the channels"
	}
	w.same(w.in(0, 0), w.out(0, 0))
	for i := range w.width[x] {
		if w.n.String("mode", "DCR") == "CRD" {
			w.unite(x, i, y, i/(b*b))
		} else {
			w.unite(x, i, y, i%w.width[y])
		}
	}
	return "blocks of positions are moved"
}

// spaceToDepth moves blocks of positions to channels.
func spaceToDepth(w *walk) string {
	x, y := w.in(0, 1), w.out(0, 1)
	if x == none || y == none || w.width[y]%w.width[x] != 0 {
		return "blocks do not divide the channels"
	}
	w.same(w.in(0, 0), w.out(0, 0))
	for i := range w.width[y] {
		w.unite(y, i, x, i%w.width[x])
	}
	return "blocks of positions are moved"
}

// topK selects along one axis.
func topK(w *walk) string {
	along := int(w.n.Int("axis", -1))
	for k := range w.n.Outs() {
		if w.n.Out(k) != nil {
			w.pass(w.n.In(0), w.n.Out(k), along)
		}
	}
	return "the largest of this axis are selected"
}
