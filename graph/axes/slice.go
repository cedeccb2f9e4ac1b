package axes

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

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
		changed = changed || x != none && c.left(x) != int64(c.width[x])
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
			starts[i], ends[i], steps[i] = start, stop(start, step, len(kept)), step
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

// pick puts a Gather of the kept indices behind output 0 of n.
func (c *cut) pick(n *graph.Node, along int, kept []int64) {
	c.late = append(c.late, func() {
		if n.Removed() {
			return
		}
		y := n.Out(0)
		indices := n.Graph().Init(n.Label()+"_kept", onnx.FromInt64s([]int64{int64(len(kept))}, kept))
		g := n.After().Op("Gather", n.Label()+"_pick", y, indices)
		g.SetInt("axis", int64(along))
		y.ReplaceUses(g.Out(0), func(u graph.Use) bool { return u.Node != g })
	})
}

// merge is the way back from pick: where Gather g reads all that a Slice of its
// own leaves whole along the axis, and the indices that are left are an arithmetic
// progression, the Slice takes them. So what remains does not depend on the number of removals.
func (c *cut) merge(g *graph.Node, kept []int64) {
	x, along := g.In(0), int(g.Int("axis", 0))
	if along < 0 {
		along += rank(x)
	}
	s := x.Def()
	if s == nil || s.Domain() != "" || s.Op() != "Slice" || s.Version() < 10 || x.NumUses() != 1 {
		return
	}
	starts, ends, axes, steps, ok := sliceOperands(s)
	from, to := c.at(s.In(0), along), c.at(x, along)
	if !ok || axes == nil || len(steps) != len(axes) || from == none || c.width[from] != c.width[to] {
		return
	}
	i := indexOf(axes, along, rank(x))
	start, step, even := progression(kept)
	if i < 0 || !even || step == 0 || starts[i] != 0 || steps[i] != 1 {
		return
	}
	starts, ends, steps = slices.Clone(starts), slices.Clone(ends), slices.Clone(steps)
	starts[i], ends[i], steps[i] = start, stop(start, step, len(kept)), step
	c.late = append(c.late, func() {
		if s.Removed() || g.Removed() {
			return
		}
		c.writeSlice(s, starts, ends, axes, steps)
		indices := g.In(1)
		g.Out(0).ReplaceUses(g.In(0), nil)
		g.Remove()
		release(indices)
	})
}

// stop is the end that a Slice states for a progression; one that runs down past index 0 ends at the smallest number.
func stop(start, step int64, count int) int64 {
	if end := start + step*int64(count); end >= 0 {
		return end
	}
	return -1 << 31
}
