package axes

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
)

// maxTrace bounds how far sizes are followed from a Shape node or back to it.
const maxTrace = 200

// known tells whether an element of a tracked content is a number.
func known(d graph.Dim) bool { return d.Value != infer.Unknown }

// length is the number of elements of a tensor of rank 1, -1 when it is not known.
func length(v *graph.Value) int {
	if v == nil || len(v.Shape().Dims) != 1 || v.Shape().Dims[0].Value > 1<<20 {
		return -1
	}
	return int(v.Shape().Dims[0].Value)
}

// settled tells whether element i of an operand that states sizes is a known number, so that it can be written anew.
func settled(v *graph.Value, i int) bool {
	if v == nil {
		return false
	}
	if t := v.Const(); t != nil {
		n, err := t.NumElements()
		return err == nil && int64(i) < n
	}
	content := v.Ints()
	return i < len(content) && known(content[i])
}

// zero tells whether all elements of a small tensor are 0.
func zero(t *onnx.Tensor) bool {
	raw, err := t.Raw()
	return err == nil && len(raw) <= 64 && !slices.ContainsFunc(raw, func(b byte) bool { return b != 0 })
}

// shape follows the sizes that a Shape node reads. Where they only end as the
// wanted size of a Reshape or the like, that is written anew after removal;
// where they are computed with, the axis stays.
func shape(w *walk) string {
	x := w.n.In(0)
	r := rank(x)
	start, end := w.n.Int("start", 0), w.n.Int("end", int64(r))
	if start < 0 {
		start += int64(r)
	}
	if end < 0 {
		end += int64(r)
	}
	start, end = max(0, start), min(end, int64(r))
	var axes []int
	for i := start; i < end; i++ {
		axes = append(axes, int(i))
	}
	for i := range r {
		w.touch(w.at(x, i))
	}
	t := trace{w: w, x: x, budget: maxTrace}
	t.sizes(w.n.Out(0), axes)
	return ""
}

// trace follows the sizes of x forward.
type trace struct {
	w      *walk
	x      *graph.Value
	budget int
}

// sizes looks at the readers of v, whose element j is the size of axis axes[j] of x, or something else where that is -1.
func (t *trace) sizes(v *graph.Value, axes []int) {
	if !slices.ContainsFunc(axes, func(a int) bool { return a >= 0 && t.w.width[t.w.at(t.x, a)] > 1 }) {
		return
	}
	for _, u := range v.Uses() {
		if t.budget--; t.budget < 0 {
			t.keep(axes, u.Node, "its size is read in too many places")
			return
		}
		n := u.Node
		switch {
		case n.Is("Reshape", "Expand") && u.Index == 1, n.Is("ConstantOfShape"), n.Is("Resize") && u.Index == 3:
		case n.Is("Cast", "Identity", "Squeeze", "Unsqueeze") && u.Index == 0:
			t.sizes(n.Out(0), axes)
		case n.Is("Gather") && u.Index == 0 && t.gathered(n, axes):
		case n.Is("Slice") && u.Index == 0 && t.sliced(n, axes):
		case n.Is("Concat") && t.joined(n, u.Index, axes):
		default:
			t.keep(axes, n, "its size is read here")
		}
	}
}

func (t *trace) keep(axes []int, n *graph.Node, text string) {
	for _, a := range axes {
		if a >= 0 {
			t.w.freeze(t.w.at(t.x, a), n, text)
		}
	}
}

func (t *trace) gathered(n *graph.Node, axes []int) bool {
	list, ok := numbers(n.In(1))
	if !ok {
		return false
	}
	var out []int
	for _, i := range list {
		if i < 0 {
			i += int64(len(axes))
		}
		if i < 0 || i >= int64(len(axes)) {
			return false
		}
		out = append(out, axes[i])
	}
	t.sizes(n.Out(0), out)
	return true
}

func (t *trace) sliced(n *graph.Node, axes []int) bool {
	list, _, ok := windowsOf(n)
	if !ok || len(list) != 1 || length(n.In(0)) != len(axes) {
		return false
	}
	var out []int
	for j := range list[0].count {
		out = append(out, axes[list[0].start+j*list[0].step])
	}
	t.sizes(n.Out(0), out)
	return true
}

func (t *trace) joined(n *graph.Node, at int, axes []int) bool {
	var out []int
	for i, v := range n.Ins() {
		k := length(v)
		if k < 0 || i == at && k != len(axes) || len(out)+k > maxAxis {
			return false
		}
		if i == at {
			out = append(out, axes...)
			continue
		}
		for range k {
			out = append(out, -1)
		}
	}
	t.sizes(n.Out(0), out)
	return true
}

// origin follows element i of v back to the Shape node that it comes from:
// it is the size of axis a of x. ok is false when it is something else.
func origin(v *graph.Value, i int) (x *graph.Value, a int, ok bool) {
	for range maxTrace {
		n := v.Def()
		switch {
		case n == nil:
			return nil, 0, false
		case n.Is("Shape"):
			start := int(n.Int("start", 0))
			if start < 0 {
				start += rank(n.In(0))
			}
			return n.In(0), max(0, start) + i, true
		case n.Is("Cast", "Identity", "Squeeze", "Unsqueeze"):
		case n.Is("Gather"):
			list, fixed := numbers(n.In(1))
			if !fixed || i >= len(list) {
				return nil, 0, false
			}
			if i = int(list[i]); i < 0 {
				i += length(n.In(0))
			}
		case n.Is("Slice"):
			list, _, fixed := windowsOf(n)
			if !fixed || len(list) != 1 || i >= int(list[0].count) {
				return nil, 0, false
			}
			i = int(list[0].start + int64(i)*list[0].step)
		case n.Is("Concat"):
			k := 0
			for k < n.NumIn()-1 && i >= length(n.In(k)) && length(n.In(k)) >= 0 {
				i -= length(n.In(k))
				k++
			}
			v = n.In(k)
			continue
		default:
			return nil, 0, false
		}
		if v = n.In(0); v == nil || i < 0 {
			return nil, 0, false
		}
	}
	return nil, 0, false
}
