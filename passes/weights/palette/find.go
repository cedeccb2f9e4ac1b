package palette

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Stored is a weight that a graph computes from codes and a table.
type Stored struct {
	Value *graph.Value // the weight
	Node  *graph.Node  // that computes it
	Bytes int64        // of the constants that it is computed from; what several weights share counts for each
	expr  *expr
}

// moves are the operators of which stored forms consist, besides the one Gather that they need.
var moves = []string{"Cast", "Gather", "Reshape", "Mul", "Add", "Sub", "Slice", "Transpose", "Identity"}

// Find lists the weights that graphs of the model, bodies of functions apart,
// compute from integer codes of at most 8 bits and a table, in graph order. It
// knows them by what they compute, not by who wrote them.
func Find(m *graph.Model) []*Stored {
	f := &finder{known: map[*graph.Value]*expr{}, seen: map[*graph.Value]bool{}}
	var out []*Stored
	for g := range m.Graphs() {
		if g.Function() != nil {
			continue
		}
		for n := range g.Nodes() {
			v := n.Out(0)
			if n.NumOut() != 1 || v == nil || v.NumUses() == 0 {
				continue
			}
			e := f.expr(v, deepest)
			if e == nil || !e.looksUp() || f.inside(v) {
				continue
			}
			out = append(out, &Stored{v, n, e.bytes(map[*expr]bool{}), e})
		}
	}
	return out
}

// deepest bounds how many nodes lie between a constant and a weight.
const deepest = 16

// expr is a constant, or a node over such.
type expr struct {
	tensor *onnx.Tensor // of a constant
	op     string
	in     []*expr
	elem   onnx.DataType
	axis   int64
	perm   []int64
}

type finder struct {
	known map[*graph.Value]*expr
	seen  map[*graph.Value]bool
}

// expr is what computes v from constants, nil when something else takes part.
func (f *finder) expr(v *graph.Value, depth int) *expr {
	if v == nil || depth == 0 {
		return nil
	}
	if f.seen[v] {
		return f.known[v]
	}
	f.seen[v] = true
	e := f.build(v, depth)
	f.known[v] = e
	return e
}

func (f *finder) build(v *graph.Value, depth int) *expr {
	if t := v.Const(); t != nil {
		if v.IsInput() {
			return nil
		}
		return &expr{tensor: t, elem: t.Type}
	}
	n := v.Def()
	if n == nil || !n.Is(moves...) || n.NumOut() != 1 {
		return nil
	}
	e := &expr{op: n.Op(), axis: n.Int("axis", 0), perm: n.Ints("perm", nil)}
	for _, in := range n.Ins() {
		x := f.expr(in, depth-1)
		if x == nil {
			return nil
		}
		e.in = append(e.in, x)
	}
	if len(e.in) == 0 || !e.type_(n) {
		return nil
	}
	return e
}

// type_ settles the element type and says whether the node can be computed here.
func (e *expr) type_(n *graph.Node) bool {
	e.elem = e.in[0].elem
	switch e.op {
	case "Cast":
		e.elem = onnx.DataType(n.Int("to", 0))
		return number(e.elem) && number(e.in[0].elem)
	case "Gather":
		return len(e.in) == 2 && (e.axis == 0 || e.axis == 1)
	case "Mul", "Add", "Sub":
		return len(e.in) == 2 && number(e.elem) && e.elem == e.in[1].elem
	case "Reshape":
		return len(e.in) == 2 && n.Int("allowzero", 0) == 0
	case "Slice":
		return len(e.in) == 3 || len(e.in) == 4
	}
	return true
}

// number says whether values of the type are computed with.
func number(t onnx.DataType) bool {
	switch t {
	case onnx.Float, onnx.Float16, onnx.BFloat16, onnx.Int8, onnx.Uint8, onnx.Int16, onnx.Uint16, onnx.Int32, onnx.Int64, onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		return true
	}
	return false
}

// looksUp says whether the expression looks codes up in a table.
func (e *expr) looksUp() bool {
	if e.op == "Gather" && e.in[1].codes() {
		return true
	}
	for _, in := range e.in {
		if in.looksUp() {
			return true
		}
	}
	return false
}

// codes says whether the expression widens integers of at most 8 bits.
func (e *expr) codes() bool {
	if e.op == "Cast" && e.in[0].tensor != nil && e.in[0].elem.Bits() <= 8 && !e.in[0].elem.IsFloat() {
		return true
	}
	for _, in := range e.in {
		if in.codes() {
			return true
		}
	}
	return false
}

// inside says whether all readers of v are parts of larger such expressions.
func (f *finder) inside(v *graph.Value) bool {
	for _, u := range v.Uses() {
		if u.IsReturn() || u.Node.Out(0) == nil || f.expr(u.Node.Out(0), deepest) == nil {
			return false
		}
	}
	return true
}

func (e *expr) bytes(counted map[*expr]bool) int64 {
	if counted[e] {
		return 0
	}
	counted[e] = true
	if e.tensor != nil {
		n, _ := e.tensor.NumElements()
		b, _ := e.tensor.Type.RawSize(n)
		return b
	}
	var sum int64
	for _, in := range e.in {
		sum += in.bytes(counted)
	}
	return sum
}

// Expand puts the weight itself in the place of what computes it. Its elements
// are computed when they are read, as the runtime would: bit by bit the same.
func (s *Stored) Expand() error {
	dims, err := s.expr.shape()
	if err != nil {
		return err
	}
	g, name := s.Value.Graph(), s.Value.Name()
	v := g.Init(name, s.expr.lazily(dims))
	s.Value.ReplaceUses(v, nil)
	remove(s.Node)
	v.Rename(name)
	return nil
}

// remove takes a node out, and what only it read.
func remove(n *graph.Node) {
	for _, v := range n.Outs() {
		if v != nil && v.NumUses() > 0 {
			return
		}
	}
	ins := n.Ins()
	n.Remove()
	for _, v := range ins {
		switch {
		case v == nil || v.NumUses() > 0 || v.Removed():
		case v.Def() != nil:
			remove(v.Def())
		case v.IsInit() && !v.IsInput():
			v.RemoveInit()
		}
	}
}
