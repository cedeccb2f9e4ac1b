package cost

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/infer"
)

// Bind returns a copy of m whose input shapes are fixed: by shapes (input name
// to dims), then by sizes (symbolic name to size; a name that shapes bound is
// bound everywhere), and a first dimension that is still unknown becomes 1.
// The copy is inferred again; it is for counting, not for writing.
func Bind(m *graph.Model, shapes map[string][]int64, sizes map[string]int64) (*graph.Model, error) {
	c := m.Clone()
	bound := map[string]int64{}
	for name, v := range sizes {
		bound[name] = v
	}
	for _, in := range c.Main.Inputs() {
		t := in.Type()
		want, ok := shapes[in.Name()]
		if !ok || !t.Shape.Ranked {
			continue
		}
		if len(want) != len(t.Shape.Dims) {
			return nil, fmt.Errorf("input %s has %d dimensions, not %d", in.Name(), len(t.Shape.Dims), len(want))
		}
		for i, d := range t.Shape.Dims {
			if _, known := bound[d.Param]; d.Value < 0 && d.Param != "" && !known {
				bound[d.Param] = want[i]
			}
		}
	}
	for _, in := range c.Main.Inputs() {
		if !in.IsInit() {
			in.SetType(fixed(in.Type(), shapes[in.Name()], bound))
		}
	}
	return c, c.Infer()
}

// Fixed says whether the shapes of all inputs that a run must feed are known, so
// that there is nothing to bind.
func Fixed(m *graph.Model) bool {
	for _, in := range m.Main.Inputs() {
		if _, ok := in.Shape().Static(); !ok && !in.IsInit() {
			return false
		}
	}
	return true
}

// fixed replaces the unknown dims of t.
func fixed(t infer.Type, want []int64, bound map[string]int64) infer.Type {
	dims := append([]graph.Dim(nil), t.Shape.Dims...)
	if !t.Shape.Ranked {
		for _, d := range want {
			dims = append(dims, graph.Dim{Value: d})
		}
		t.Shape = graph.Shape{Ranked: want != nil, Dims: dims}
		return t
	}
	for i, d := range dims {
		if d.Value >= 0 {
			continue
		}
		if v, ok := bound[d.Param]; ok && d.Param != "" {
			dims[i] = graph.Dim{Value: v}
		}
		if i < len(want) {
			dims[i] = graph.Dim{Value: want[i]}
		} else if i == 0 && dims[i].Value < 0 {
			dims[i] = graph.Dim{Value: 1}
		}
	}
	t.Shape.Dims = dims
	return t
}

// Shapes are the shapes of the inputs that a run must feed, for messages: "images 1x3x224x224".
func Shapes(m *graph.Model) []string {
	var out []string
	for _, in := range m.Main.Inputs() {
		if !in.IsInit() {
			out = append(out, in.Name()+" "+Text(in.Shape()))
		}
	}
	return out
}

// Text writes a shape as 1x3x224x224, with symbolic names and ? where sizes are unknown.
func Text(s graph.Shape) string {
	if !s.Ranked {
		return "?"
	}
	if len(s.Dims) == 0 {
		return "scalar"
	}
	out := ""
	for i, d := range s.Dims {
		if i > 0 {
			out += "x"
		}
		switch {
		case d.Value >= 0:
			out += fmt.Sprint(d.Value)
		case d.Param != "":
			out += d.Param
		default:
			out += "?"
		}
	}
	return out
}
