package weights

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Kind is what a weight is for.
type Kind int

// The kinds.
const (
	Product   Kind = iota // multiplied by Conv, ConvTranspose, Gemm or MatMul
	Table                 // Gather looks rows up in it
	Recurrent             // gates of LSTM, GRU or RNN
)

// Weight is a constant that layers multiply by, or a table that they look rows
// up in, with everybody who reads it. It is listed once, however many these are.
type Weight struct {
	Layout
	Kind    Kind
	Value   *graph.Value // the constant
	Const   *onnx.Tensor // its content when it was found
	Readers []graph.Use  // layers, in graph order of their discovery; what lies between is Identity, Transpose and Reshape
}

// Node is the first layer that reads the weight.
func (w *Weight) Node() *graph.Node { return w.Readers[0].Node }

// Direct says whether every layer reads the constant itself.
func (w *Weight) Direct() bool {
	return !slices.ContainsFunc(w.Readers, func(u graph.Use) bool { return u.Value() != w.Value })
}

// Elements is the number of elements.
func (w *Weight) Elements() int { return w.Channels * w.Cols }

// Bytes is the size of the constant as it is.
func (w *Weight) Bytes() int64 {
	n, _ := w.Const.Type.RawSize(int64(w.Elements()))
	return n
}

// Left is a large constant that stays as it is.
type Left struct {
	Node   *graph.Node // one of its readers
	Value  *graph.Value
	Reason string // does not name the node
}

// FindOptions steer Find.
type FindOptions struct {
	MinElements int64 // constants with fewer are not looked at
	// Admit says whether a layer may be changed, and why not; nil admits all.
	Admit func(n *graph.Node) (ok bool, why string)
}

// Find lists the weights of the main graph and of subgraphs in file order:
// float32, float16 and bfloat16 constants read by Conv, ConvTranspose, Gemm,
// MatMul, Gather, LSTM, GRU and RNN, directly or through Identity, Transpose
// and Reshape. Large float constants that are none are listed with the reason.
func Find(m *graph.Model, o FindOptions) ([]*Weight, []Left) {
	f := &finder{o: o}
	for g := range m.Graphs() {
		if inFunction(m, g) {
			continue
		}
		for _, v := range g.Initializers() {
			f.look(v)
		}
		for n := range g.Nodes() {
			if n.Is("Constant") && n.Out(0) != nil {
				f.look(n.Out(0))
			}
		}
	}
	return f.found, f.left
}

func inFunction(m *graph.Model, g *graph.Graph) bool {
	root := g
	for root.Owner() != nil {
		root = root.Owner().Graph()
	}
	return root != m.Main
}

type finder struct {
	o     FindOptions
	found []*Weight
	left  []Left
}

// look judges one constant.
func (f *finder) look(v *graph.Value) {
	t := v.Const()
	if t == nil || v.NumUses() == 0 || !t.Type.IsFloat() {
		return
	}
	n, err := t.NumElements()
	if err != nil || n < max(f.o.MinElements, 1) || n > 1<<40 {
		return
	}
	uses := f.readers(v)
	at := slices.IndexFunc(uses, func(r reader) bool { return weighs(r.use) })
	if at < 0 {
		return
	}
	if why := f.refuses(v, uses); why != "" {
		f.left = append(f.left, Left{uses[at].use.Node, v, why})
		return
	}
	w := &Weight{Value: v, Const: t, Kind: kindOf(uses[at].use.Node)}
	for _, r := range uses {
		w.Readers = append(w.Readers, r.use)
	}
	l, ok := uses[at].layout(t.Dims)
	if !ok {
		f.left = append(f.left, Left{uses[at].use.Node, v, "its shape does not fit its reader"})
		return
	}
	w.Layout = l
	f.found = append(f.found, w)
}

// refuses is why a constant that some layer multiplies by stays.
func (f *finder) refuses(v *graph.Value, uses []reader) string {
	t := v.Const()
	switch {
	case v.IsInput():
		return "it is an input with a default"
	case t.Type != onnx.Float && t.Type != onnx.Float16 && t.Type != onnx.BFloat16:
		return t.Type.String() + " weights"
	}
	for _, r := range uses {
		if r.use.IsReturn() {
			return "it is an output of its graph"
		}
		if !weighs(r.use) {
			return fmt.Sprintf("%s reads it too", r.use.Node.Op())
		}
		if f.o.Admit != nil {
			if ok, why := f.o.Admit(r.use.Node); !ok {
				return why
			}
		}
	}
	return ""
}
