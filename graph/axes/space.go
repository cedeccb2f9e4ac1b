package axes

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Bounds that keep the analysis of a hostile or huge model small. Axes beyond them stay whole.
const (
	maxAxis  = 1 << 16 // atoms of one axis
	maxAtoms = 1 << 25 // atoms of a model
)

// axis numbers one axis of one value; none is the axis that does not exist.
type axis int32

const none axis = -1

// space numbers the axes of all values and their atoms.
//
// An axis of size 1 or of unknown size cannot shrink. It has a single atom,
// which is frozen from the start, so that uniting with it freezes too.
type space struct {
	forest
	values []*graph.Value
	index  map[*graph.Value]int32
	first  []axis  // of each value: its first axis; one more at the end
	owner  []int32 // of each axis: its value
	start  []int32 // of each axis: its first atom
	width  []int32 // of each axis: its number of atoms

	reasons []Reason
}

func newSpace(m *graph.Model) *space {
	s := &space{index: map[*graph.Value]int32{}}
	for g := range m.Graphs() {
		if g.Function() != nil {
			continue // the caller's node stands for the body
		}
		for _, v := range g.Inputs() {
			s.add(v)
		}
		for _, v := range g.Initializers() {
			s.add(v)
		}
		for n := range g.Nodes() {
			for _, v := range n.Outs() {
				s.add(v)
			}
		}
	}
	s.first = append(s.first, axis(len(s.start)))
	return s
}

func (s *space) add(v *graph.Value) {
	if v == nil {
		return
	}
	if _, ok := s.index[v]; ok {
		return
	}
	s.index[v] = int32(len(s.values))
	s.values = append(s.values, v)
	s.first = append(s.first, axis(len(s.start)))
	for i, d := range v.Shape().Dims {
		s.addAxis(v, i, d)
	}
}

func (s *space) addAxis(v *graph.Value, i int, d graph.Dim) {
	n, why := int32(1), ""
	switch {
	case d.Value < 0:
		why = "its size is not known"
	case d.Value < 2:
		why = "its size is 1"
	case d.Value > maxAxis || len(s.parent)+int(d.Value) > maxAtoms:
		why = "it is too long to follow"
	case !divisible(v):
		why = "its constant is of a type that cannot be cut"
	default:
		n = int32(d.Value)
	}
	at := s.grow(int(n))
	s.owner = append(s.owner, int32(len(s.values)-1))
	s.start = append(s.start, at)
	s.width = append(s.width, n)
	if why != "" {
		s.freezeAtom(at, Reason{Value: v, Axis: i, Text: why})
	}
}

// divisible tells whether v, if constant, can be cut along its axes.
func divisible(v *graph.Value) bool {
	if v.IsSparse() {
		return false
	}
	t := v.Const()
	return t == nil || t.Type != onnx.String && (t.Type.Bits() >= 8 || t.Type.Bits() == 4)
}

// at is axis i of v, counted from the end when negative.
func (s *space) at(v *graph.Value, i int) axis {
	k, ok := s.index[v]
	if !ok {
		return none
	}
	rank := int(s.first[k+1] - s.first[k])
	if i < 0 {
		i += rank
	}
	if i < 0 || i >= rank {
		return none
	}
	return s.first[k] + axis(i)
}

// atom is number i of axis a. An axis without atoms of its own has one for all.
func (s *space) atom(a axis, i int32) int32 {
	if s.width[a] == 1 {
		i = 0
	}
	return s.start[a] + i
}

// freezeAtom keeps the class of atom x for the given reason, unless an earlier one holds.
func (s *space) freezeAtom(x int32, r Reason) { s.freezeRange(x, x+1, r) }

// freezeRange is freezeAtom for consecutive atoms.
func (s *space) freezeRange(from, to int32, r Reason) {
	number := int32(0)
	for x := from; x < to; x++ {
		root := s.root(x)
		if s.why[root] != 0 {
			continue
		}
		if number == 0 {
			s.reasons = append(s.reasons, r)
			number = int32(len(s.reasons))
		}
		s.why[root] = number
	}
}

// freeze keeps all of axis a.
func (s *space) freeze(a axis, n *graph.Node, text string) {
	if a == none {
		return
	}
	v, i := s.place(a)
	s.freezeRange(s.start[a], s.start[a]+s.width[a], Reason{Node: n, Value: v, Axis: i, Text: text})
}

// place is the value that a is an axis of, and its number there.
func (s *space) place(a axis) (*graph.Value, int) {
	k := s.owner[a]
	return s.values[k], int(a - s.first[k])
}

// stuck tells whether nothing of axis a can be removed.
func (s *space) stuck(a axis) bool {
	for x := s.start[a]; x < s.start[a]+s.width[a]; x++ {
		if !s.frozen(x) {
			return false
		}
	}
	return true
}
