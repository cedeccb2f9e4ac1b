package axes

import (
	"slices"

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
	}
	return nil
}

// window is what a Slice takes of one axis.
type window struct{ axis, start, step, count int64 }

// windowsOf are the windows of a Slice, false when they are not known; listed are the axes that it names, nil when even those are not known.
func windowsOf(n *graph.Node) (list []window, listed []int64, ok bool) {
	r := int64(rank(n.In(0)))
	starts, ends, axes, steps, ok := sliceOperands(n)
	if axes == nil {
		for i := range max(len(starts), rank(n.In(0))) {
			axes = append(axes, int64(i))
		}
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] = a + r
		}
	}
	if !ok || len(starts) != len(ends) || len(axes) < len(starts) {
		return nil, axes, false
	}
	for i := range starts {
		a, step := axes[i], int64(1)
		if steps != nil {
			if i >= len(steps) || steps[i] == 0 {
				return nil, axes, false
			}
			step = steps[i]
		}
		if a < 0 || a >= r {
			return nil, axes, false
		}
		d := n.In(0).Shape().Dims[a].Value
		if d < 0 {
			continue // it stays whole anyhow
		}
		list = append(list, clip(a, starts[i], ends[i], step, d))
	}
	return list, axes, true
}

func sliceOperands(n *graph.Node) (starts, ends, axes, steps []int64, ok bool) {
	if n.Version() < 10 {
		return n.Ints("starts", nil), n.Ints("ends", nil), slices.Clone(n.Ints("axes", nil)), nil, true
	}
	ok = true
	read := func(i int) []int64 {
		if n.In(i) == nil {
			return nil
		}
		list, fixed := numbers(n.In(i))
		ok = ok && fixed
		return list
	}
	starts, ends = read(1), read(2)
	axesKnown := true
	if n.In(3) != nil {
		axes, axesKnown = numbers(n.In(3))
		axes = slices.Clone(axes)
	}
	steps = read(4)
	return starts, ends, axes, steps, ok && axesKnown
}

// clip is what the operator's definition makes of one start and end on an axis of size d.
func clip(a, start, end, step, d int64) window {
	if start < 0 {
		start = max(start+d, 0)
	}
	if end < 0 {
		end = max(end+d, -1)
		if step > 0 {
			end = max(end, 0)
		}
	}
	if step > 0 {
		start, end = min(start, d), min(end, d)
		return window{a, start, step, max(0, (end-start+step-1)/step)}
	}
	start, end = min(start, d-1), min(end, d-1)
	return window{a, start, step, max(0, (start-end-step-1)/-step)}
}

// slice takes an arithmetic progression of each axis that it names.
func slice(w *walk) string {
	list, listed, ok := windowsOf(w.n)
	if !ok && listed == nil {
		return "what it takes is not known"
	}
	for i := range rank(w.n.In(0)) {
		if !slices.Contains(listed, int64(i)) {
			w.same(w.in(0, i), w.out(0, i))
		}
	}
	if !ok {
		return "what it takes is not known"
	}
	for _, win := range list {
		x, y := w.in(0, int(win.axis)), w.out(0, int(win.axis))
		if int64(w.width[y]) != win.count || w.width[x] < 2 {
			if win.count == 1 && w.width[x] > 1 {
				w.touch(x)
				w.freezeAtom(w.atom(x, int32(win.start)), Reason{w.n, w.n.In(0), int(win.axis), "this index is picked"})
			}
			continue
		}
		w.touch(x)
		for j := range w.width[y] {
			w.unite(x, int32(win.start)+j*int32(win.step), y, j)
		}
	}
	return ""
}

// fixSlice writes where the kept indices lie. Where they are no arithmetic
// progression any more, a Gather picks them.
func fixSlice(c *cut, n *graph.Node) error {
	list, _, ok := windowsOf(n)
	changed := false
	for _, win := range list {
		x := c.at(n.In(0), int(win.axis))
		changed = changed || c.left(x) != int64(c.width[x])
	}
	if !ok || !changed {
		return nil
	}
	starts, ends, axes, steps, _ := sliceOperands(n)
	if axes == nil {
		for i := range starts {
			axes = append(axes, int64(i))
		}
	}
	if steps == nil {
		for range starts {
			steps = append(steps, 1)
		}
	}
	starts, ends, steps = slices.Clone(starts), slices.Clone(ends), slices.Clone(steps)
	for _, win := range list {
		x := c.at(n.In(0), int(win.axis))
		if x == none || c.left(x) == int64(c.width[x]) {
			continue
		}
		i := indexOf(axes, int(win.axis), rank(n.In(0)))
		kept := c.keptOf(x, win)
		if start, step, even := progression(kept); even {
			starts[i], ends[i], steps[i] = start, start+step*int64(len(kept)), step
			if ends[i] < 0 {
				ends[i] = -1 << 31
			}
			continue
		}
		starts[i], ends[i], steps[i] = 0, 1<<31-1, 1
		c.pick(n, int(win.axis), kept)
	}
	c.writeSlice(n, starts, ends, axes, steps)
	return nil
}

// keptOf are the new numbers of the indices that a window takes and that are left.
func (c *cut) keptOf(x axis, win window) []int64 {
	ranks := c.ranks(x)
	var out []int64
	for j := range win.count {
		if r := ranks[win.start+j*win.step]; r >= 0 {
			out = append(out, r)
		}
	}
	return out
}

// progression is the start and step of an arithmetic progression.
func progression(list []int64) (start, step int64, ok bool) {
	if len(list) == 0 {
		return 0, 1, false
	}
	if len(list) == 1 {
		return list[0], 1, true
	}
	step = list[1] - list[0]
	for i := range list[1:] {
		if list[i+1]-list[i] != step {
			return 0, 0, false
		}
	}
	return list[0], step, true
}

func (c *cut) writeSlice(n *graph.Node, starts, ends, axes, steps []int64) {
	if n.Version() < 10 {
		n.SetInts("starts", starts)
		n.SetInts("ends", ends)
		return
	}
	for i, list := range [][]int64{starts, ends, axes, steps} {
		c.state(n, 1+i, list)
	}
}
