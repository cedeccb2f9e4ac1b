// Package graph is the mutable form of a model: nodes, values and uses with
// def-use links, imported from and exported to onnx.Model. Topology is
// mutable, tensor data is immutable and lazy.
package graph

import (
	"iter"

	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
)

// Shape, Dim are those of package infer.
type (
	Shape = infer.Shape
	Dim   = infer.Dim
)

// Model is a whole model: header, main graph, functions.
type Model struct {
	Header    onnx.Model // IR version, producer, metadata, doc; Graph and Functions unset
	Main      *Graph
	Functions []*Function
}

// Function is a model-local function; its body is a Graph of its own.
type Function struct {
	Proto *onnx.Function // name, domain, attributes, opset imports
	Body  *Graph
}

// Import builds the graph of m. Tensors are shared, nothing is copied.
func Import(m *onnx.Model) (*Model, error) { panic("stub") }

// Export writes the graph back into messages.
func (m *Model) Export() (*onnx.Model, error) { panic("stub") }

// Clone copies topology and shares tensors. Node and value order is the same,
// so the i-th node of the copy corresponds to the i-th of the original; names are equal.
func (m *Model) Clone() *Model { panic("stub") }

// Edits counts every change made since Import.
func (m *Model) Edits() int { panic("stub") }

// Opset is the imported version of a domain ("" is ai.onnx), 0 when not imported.
func (m *Model) Opset(domain string) int64 { panic("stub") }

// SetOpset records an import. It converts nothing: see passes/opset.
func (m *Model) SetOpset(domain string, version int64) { panic("stub") }

// All yields the nodes of the main graph, its subgraphs (outer node first) and the functions.
func (m *Model) All() iter.Seq[*Node] { panic("stub") }

// Graphs yields the main graph, all subgraphs and function bodies, outer before inner.
func (m *Model) Graphs() iter.Seq[*Graph] { panic("stub") }

// Infer computes types and shapes of all values; declared types of inputs, outputs and
// value_info are the start. Contradictions are returned as one joined error.
func (m *Model) Infer() error { panic("stub") }

// Graph is a list of nodes in topological order with inputs, outputs and initializers.
type Graph struct{}

func (g *Graph) Model() *Model            { panic("stub") }
func (g *Graph) Name() string             { panic("stub") }
func (g *Graph) Owner() *Node             { panic("stub") } // node whose attribute this graph is; nil for main graphs and function bodies
func (g *Graph) Nodes() iter.Seq[*Node]   { panic("stub") } // without the Return node; robust against edits while iterating
func (g *Graph) All() iter.Seq[*Node]     { panic("stub") } // with subgraphs, outer node first
func (g *Graph) NumNodes() int            { panic("stub") }
func (g *Graph) Inputs() []*Value         { panic("stub") }
func (g *Graph) Outputs() []*Value        { panic("stub") } // what the Return node uses, in slot order
func (g *Graph) OutputName(i int) string  { panic("stub") } // public name of output i
func (g *Graph) Return() *Node            { panic("stub") } // the hidden node; graph outputs are its inputs
func (g *Graph) Initializers() []*Value   { panic("stub") }
func (g *Graph) Value(name string) *Value { panic("stub") } // this graph and enclosing ones; nil when there is none
func (g *Graph) Sort() error              { panic("stub") } // stable topological order; error names a node of a cycle
func (g *Graph) End() *Cursor             { panic("stub") } // insertion point behind the last node
func (g *Graph) Begin() *Cursor           { panic("stub") } // insertion point before the first node

// Init adds an initializer; the tensor's name is ignored, the value gets a free name made from hint.
func (g *Graph) Init(hint string, t *onnx.Tensor) *Value { panic("stub") }

// DropInput removes input i from the interface. It must be unused, or be an initializer as well.
func (g *Graph) DropInput(i int) { panic("stub") }

// AddOutput makes v an additional output under its own name (used by calibration on clones).
func (g *Graph) AddOutput(v *Value) { panic("stub") }

// Node is one operator. Nil inputs and outputs are absent optional ones.
type Node struct{}

func (n *Node) Op() string              { panic("stub") }
func (n *Node) Domain() string          { panic("stub") } // "" for ai.onnx
func (n *Node) Is(ops ...string) bool   { panic("stub") } // domain ai.onnx and op among ops
func (n *Node) Name() string            { panic("stub") }
func (n *Node) SetName(hint string)     { panic("stub") } // made unique
func (n *Node) Label() string           { panic("stub") } // name, or "Op producing VALUE" when the node has none: for messages
func (n *Node) Graph() *Graph           { panic("stub") }
func (n *Node) Version() int64          { panic("stub") } // opset version in force for the node's domain (functions have their own)
func (n *Node) Proto() *onnx.Node       { panic("stub") } // doc, metadata, overload: fields other than op, name, inputs, outputs, attributes
func (n *Node) SetOp(op, domain string) { panic("stub") }
func (n *Node) NumIn() int              { panic("stub") }
func (n *Node) NumOut() int             { panic("stub") }
func (n *Node) In(i int) *Value         { panic("stub") } // nil when absent or out of range
func (n *Node) Out(i int) *Value        { panic("stub") } // nil when absent or out of range
func (n *Node) Ins() []*Value           { panic("stub") }
func (n *Node) Outs() []*Value          { panic("stub") }
func (n *Node) SetIn(i int, v *Value)   { panic("stub") } // grows the list when i is beyond it; trailing nils are dropped
func (n *Node) Removed() bool           { panic("stub") }
func (n *Node) Next() *Node             { panic("stub") }
func (n *Node) Prev() *Node             { panic("stub") }

// Attrs are the attributes in order. Graph attributes carry no onnx.Graph: see Subgraph.
func (n *Node) Attrs() []*onnx.Attribute               { panic("stub") }
func (n *Node) Attr(name string) *onnx.Attribute       { panic("stub") }
func (n *Node) Int(name string, def int64) int64       { panic("stub") }
func (n *Node) Ints(name string, def []int64) []int64  { panic("stub") }
func (n *Node) Float(name string, def float32) float32 { panic("stub") }
func (n *Node) String(name, def string) string         { panic("stub") }
func (n *Node) Tensor(name string) *onnx.Tensor        { panic("stub") }
func (n *Node) SetInt(name string, v int64)            { panic("stub") }
func (n *Node) SetInts(name string, v []int64)         { panic("stub") }
func (n *Node) SetFloat(name string, v float32)        { panic("stub") }
func (n *Node) SetString(name, v string)               { panic("stub") }
func (n *Node) SetTensor(name string, t *onnx.Tensor)  { panic("stub") }
func (n *Node) DropAttr(name string)                   { panic("stub") }
func (n *Node) Subgraph(attr string) *Graph            { panic("stub") }
func (n *Node) Subgraphs() []*Graph                    { panic("stub") }

// Before and After are insertion points next to the node.
func (n *Node) Before() *Cursor { panic("stub") }
func (n *Node) After() *Cursor  { panic("stub") }

// Remove takes the node out for good. Its outputs must be unused.
func (n *Node) Remove() { panic("stub") }

// Cursor is an insertion point. Nodes inserted one after another stay in that order.
type Cursor struct{}

// By names the pass that creates nodes here; it goes into each new node's metadata (onnxpass.pass).
func (c *Cursor) By(pass string) *Cursor { panic("stub") }

// Op inserts a node of the ai.onnx domain with one output: created, named from hint, linked and its type inferred in one step.
func (c *Cursor) Op(op, hint string, in ...*Value) *Node { panic("stub") }

// OpN is Op for several outputs, another domain, or attributes needed by inference.
func (c *Cursor) OpN(op, domain, hint string, outs int, attrs []*onnx.Attribute, in ...*Value) *Node {
	panic("stub")
}

// Value is an edge: a graph input, an initializer or a node's output.
type Value struct{}

func (v *Value) Name() string           { panic("stub") }
func (v *Value) Elem() onnx.DataType    { panic("stub") }
func (v *Value) Shape() Shape           { panic("stub") }
func (v *Value) Type() infer.Type       { panic("stub") }
func (v *Value) SetType(t infer.Type)   { panic("stub") }
func (v *Value) Ints() []Dim            { panic("stub") } // tracked content of small int tensors, see infer.Value
func (v *Value) Const() *onnx.Tensor    { panic("stub") } // initializer, or the value of a Constant node (any attribute form); nil otherwise
func (v *Value) IsInit() bool           { panic("stub") }
func (v *Value) IsInput() bool          { panic("stub") } // may hold together with IsInit
func (v *Value) Def() *Node             { panic("stub") } // nil for inputs and initializers
func (v *Value) Index() int             { panic("stub") } // output index in Def
func (v *Value) Graph() *Graph          { panic("stub") } // where it is defined
func (v *Value) Uses() []Use            { panic("stub") } // in node order of insertion; includes uses in subgraphs and the Return node
func (v *Value) NumUses() int           { panic("stub") }
func (v *Value) SetInit(t *onnx.Tensor) { panic("stub") } // replaces an initializer's content

// ReplaceUses makes the uses that pass only (nil: all) use with instead. Graph outputs are uses like others.
func (v *Value) ReplaceUses(with *Value, only func(Use) bool) { panic("stub") }

// Use is one place where a value is read. Node.Op() is "" for the hidden Return node: see IsReturn.
type Use struct {
	Node  *Node
	Index int
}

func (u Use) Set(v *Value)   { panic("stub") }
func (u Use) IsReturn() bool { panic("stub") }
