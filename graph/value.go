package graph

import (
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
)

// Shape is the shape of a value.
type Shape = infer.Shape

// Dim is one dimension of a shape.
type Dim = infer.Dim

// Type is the type of a value.
type Type = infer.Type

// Value is an edge: a graph input, an initializer or a node's output.
type Value struct {
	name  string
	graph *Graph
	def   *Node
	index int // output index in def

	typ      Type // what is known
	declared Type // what the file or SetType says
	ints     []Dim
	floats   []float64
	retyped  bool // declared differs from the file's entries
	// forgotten says that declarations of the file may be stale: see Model.Forget.
	forgotten bool

	init   *onnx.Tensor
	sparse *onnx.SparseTensor
	info   *onnx.ValueInfo // entry among the graph's inputs
	input  bool
	gone   bool
	pos    int // index in the graph's list of initializers

	first, last *edge
	nuses       int
	slots       int // how many of the uses are of Return nodes
}

// Name is the name in the file. Outputs of the graph may still be renamed on
// export: see Graph.OutputName.
func (v *Value) Name() string { return v.name }

// Rename gives the value a free name made from hint. Inputs of main graphs and
// functions are public: it panics for them.
func (v *Value) Rename(hint string) {
	if v.input && v.graph.owner == nil {
		panic("graph: Rename of input " + v.name)
	}
	if hint == v.name {
		return
	}
	g := v.graph
	g.forget(v)
	v.gone = false
	g.name(v, g.family.fresh(hint, v.name))
	g.model.edits++
}

// Elem is the element type, Undefined when unknown.
func (v *Value) Elem() onnx.DataType { return v.typ.Elem }

// Shape is what is known of the shape. Read only.
func (v *Value) Shape() Shape { return v.typ.Shape }

// Type is what is known of the type. Read only.
func (v *Value) Type() Type { return v.typ }

// SetType declares the type: for an input it changes the interface, for other
// values the value_info entry, when there is one.
func (v *Value) SetType(t Type) {
	v.typ, v.declared = t, t
	v.retyped = true
	v.graph.model.edits++
}

// Ints is the element by element content of a small int tensor of rank 0 or 1,
// as far as it is known before execution; nil when not tracked. Read only.
func (v *Value) Ints() []Dim {
	if v.ints != nil {
		return v.ints
	}
	return constInts(v.Const())
}

// Floats is what Ints is, for a small float tensor; NaN stands for an unknown
// element. It is nil for constants: see Const. Read only.
func (v *Value) Floats() []float64 { return v.floats }

// Const is the tensor of a dense initializer (also of one that is listed as an
// input) or of a Constant node in any of its attribute forms; nil otherwise,
// and for sparse values. Read only.
func (v *Value) Const() *onnx.Tensor {
	if v.init != nil {
		return v.init
	}
	if v.def != nil && v.index == 0 {
		return v.def.constant
	}
	return nil
}

// IsInit reports whether the value is a dense initializer.
func (v *Value) IsInit() bool { return v.init != nil }

// IsSparse reports whether the value is a sparse initializer.
func (v *Value) IsSparse() bool { return v.sparse != nil }

// IsInput reports whether the value is an input of its graph. It may hold together with IsInit.
func (v *Value) IsInput() bool { return v.input }

// Def is the node that produces the value; nil for inputs and initializers.
func (v *Value) Def() *Node { return v.def }

// Index is the output index in Def.
func (v *Value) Index() int { return v.index }

// Graph is where the value is defined.
func (v *Value) Graph() *Graph { return v.graph }

// Removed reports whether the value was taken out of its graph.
func (v *Value) Removed() bool { return v.gone }

// Uses are the places where the value is read, in the order in which they were
// made; uses in subgraphs and of Return nodes are among them. The slice is a copy.
func (v *Value) Uses() []Use {
	out := make([]Use, 0, v.nuses)
	for e := v.first; e != nil; e = e.next {
		out = append(out, Use{e.node, e.index})
	}
	return out
}

// NumUses is the number of uses.
func (v *Value) NumUses() int { return v.nuses }

// IsOutput reports whether a Return node uses the value.
func (v *Value) IsOutput() bool { return v.slots > 0 }

// SetInit replaces an initializer's content. It panics for other values.
func (v *Value) SetInit(t *onnx.Tensor) {
	if v.init == nil {
		panic("graph: SetInit of " + v.name + ", which is no initializer")
	}
	was := v.typ
	v.init, v.typ, v.ints, v.floats = t, tensorType(t), nil, nil
	v.declared = v.typ
	if !sameType(was, v.typ) {
		v.retyped = true
	}
	v.graph.model.edits++
}

// RemoveInit takes an initializer, dense or sparse, out of the graph. It must be unused and no input.
func (v *Value) RemoveInit() {
	if v.nuses > 0 || v.input || v.gone || v.init == nil && v.sparse == nil {
		panic("graph: RemoveInit of " + v.name + ", which is used, an input, or no initializer")
	}
	g := v.graph
	if v.sparse != nil {
		g.sparse = without(g.sparse, v)
	} else {
		g.inits[v.pos] = nil
		g.gaps++
		g.compact()
	}
	g.forget(v)
	g.model.edits++
}

func without(list []*Value, v *Value) []*Value {
	out := list[:0:0]
	for _, w := range list {
		if w != v {
			out = append(out, w)
		}
	}
	return out
}

// compact closes the gaps when they are more than half of the list, so that removal costs constant time on average.
func (g *Graph) compact() {
	if g.gaps < 16 || g.gaps*2 < len(g.inits) {
		return
	}
	g.inits = g.Initializers()
	g.gaps = 0
	for i, v := range g.inits {
		v.pos = i
	}
}
