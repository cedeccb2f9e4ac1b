package weights

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// stop is a layer of the walk: a reader of an item.
type stop struct {
	*Item
	reader  int
	node    *graph.Node // in the model of the walk
	matrix  *layerwise.Layer
	biased  bool
	shared  bool         // other layers read the weight too: it is rounded to nearest
	adds    []float32    // what the node adds to its product, by output channel; nil for nothing
	y       *graph.Value // its output in the original
	spatial []int64      // positions of the output, by dimension
}

// stopsOf are the layers of an item that can be measured.
func (w *walk) stopsOf(it *Item) []*stop {
	if it.Kind != Product || it.Const.Type != onnx.Float || it.Value.Graph() != w.original.Main {
		return nil
	}
	it.Shifts = make([]Shift, len(it.Readers))
	var out []*stop
	for i, u := range it.Readers {
		if s := w.stop(it, i, u); s != nil {
			s.shared = len(it.Readers) > 1
			if s.biased && w.o.Bias || !s.shared {
				out = append(out, s)
			}
		}
	}
	return out
}

// stop is a reader with what the walk has to know of it; nil when it cannot take part.
func (w *walk) stop(it *Item, i int, u graph.Use) *stop {
	y := u.Node.Out(0)
	dims, seen := w.dims(y), fixed(u.Value())
	if t := u.Value().Const(); t != nil {
		seen = t.Dims
	}
	if u.Index != 1 || u.Node.Graph() != w.original.Main || dims == nil || seen == nil {
		return nil
	}
	matrix, why := layerwise.Of(u.Node, seen)
	if why != "" || matrix.Channels() != it.Channels || matrix.Cols != it.Cols || !w.agrees(it, matrix, u) {
		return nil
	}
	adds, known := addsOf(u.Node, it.Channels)
	if !known {
		return nil
	}
	node := w.model.Main.Value(y.Name()).Def()
	return &stop{Item: it, reader: i, node: node, matrix: matrix, biased: biasable(u.Node, it.Channels), adds: adds, y: y, spatial: matrix.Spatial(dims)}
}

// agrees says whether the layer's matrix is that of the item: layers that read
// the tensor through different chains see it in different orders.
func (w *walk) agrees(it *Item, matrix *layerwise.Layer, u graph.Use) bool {
	if u == it.Readers[0] && it.Direct() {
		return true
	}
	l, ok := reader{u, chainOf(u.Value())}.layout(it.Const.Dims)
	return ok && slices.Equal(l.Rows, it.Rows) && slices.Equal(l.Rest, it.Rest)
}

// chainOf are the nodes between a constant and v, from the constant on.
func chainOf(v *graph.Value) []*graph.Node {
	var out []*graph.Node
	for v.Const() == nil && v.Def() != nil {
		out = append(out, v.Def())
		v = v.Def().In(0)
	}
	slices.Reverse(out)
	return out
}

// addsOf is what a node adds to its product, one number for each of n output
// channels, nil when nothing. It is not known when it is computed or differs from row to row.
func addsOf(n *graph.Node, channels int) (b []float32, known bool) {
	v := n.In(2)
	if n.Is("MatMul") || v == nil {
		return nil, true
	}
	t := v.Const()
	if t == nil || t.Type != onnx.Float {
		return nil, false
	}
	if count, err := t.NumElements(); err != nil || count != 1 && !constantOf(v, channels) {
		return nil, false
	}
	b, err := t.Float32s()
	if err != nil {
		return nil, false
	}
	out := make([]float32, channels)
	for c := range out {
		out[c] = b[c%len(b)]
		if n.Is("Gemm") {
			out[c] *= n.Float("beta", 1)
		}
	}
	return out, true
}
