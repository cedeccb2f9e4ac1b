// Package axes finds out which channels of a network can be removed together.
//
// An atom is one index of one axis of one tensor; weights and activations are
// treated alike. Every operator states which atoms live and die together, and a
// union-find joins them to classes. What an operator does not state stays as it
// is: its axes are frozen, with the reason. Removing any set of classes that are
// not frozen leaves every tensor dense and every shape consistent, because
// classes are equivalence classes: the order in which operators are looked at
// does not matter, and nothing has to be undone.
//
// The only choices are at Reshape: one axis of several that a reshape splits or
// merges can carry the removal. See carrier.
package axes

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
)

// Heads says what of an attention layer may be removed.
type Heads string

// The choices for attention.
const (
	WholeHeads Heads = "heads"    // whole heads
	HeadDim    Heads = "head-dim" // the same channels of every head
	NoHeads    Heads = "off"      // nothing
)

// Options steer the analysis. The zero value is the usual way.
type Options struct {
	Heads Heads // "" is WholeHeads
	// Keep returns the reason why the channels that n produces must stay, "" when they may go.
	Keep func(n *graph.Node) string
	// State tells of an input or output by its name whether it carries the state of a recurrent layer, whose
	// hidden units may then go: what is left of the input is read, and the output has zeros in their place. nil: none does.
	State func(name string) bool
}

// Reason says why a class must stay.
type Reason struct {
	Node  *graph.Node  // that stated it; nil when the axis itself is the reason
	Value *graph.Value // the axis where it was stated
	Axis  int
	Text  string
}

// String is the reason as a person reads it.
func (r Reason) String() string {
	where := fmt.Sprintf("axis %d of %s", r.Axis, r.Value.Name())
	if r.Node == nil {
		return where + ": " + r.Text
	}
	return fmt.Sprintf("%s at %s: %s", where, r.Node.Label(), r.Text)
}

// Axis is one axis of one tensor.
type Axis struct {
	Value *graph.Value
	Axis  int
}

// Sink is a contraction: a place where an axis is summed over, so that
// removing an atom of it changes numbers. Everywhere else atoms are only moved
// or computed side by side.
type Sink struct {
	Node       *graph.Node
	Data       int // input that carries the activations, -1 for the recurrent weights of an LSTM, GRU or RNN
	DataAxis   int
	Weight     int // input with the other factor, constant or not
	WeightAxis int
	Zero       int // input with the code that means zero in an integer weight, 0 when there is none
}

// Analysis knows the classes of a model. It describes the model as it was; Cut ends its use.
type Analysis struct {
	Model  *graph.Model
	Pools  []Pool   // what can be removed, in the order of the model
	Frozen []Frozen // what cannot, of the channels of layers with weights
	Sinks  []Sink   // in the order of the model

	space   *space
	sources []source
	classes []int32 // root of each class
	class   []int32 // of each root: 1 + its class; 0: it must stay
	members []int32 // atoms, class after class, ascending within one
	offset  []int32 // of each class in members; one more at the end
}

// Analyze finds the classes of m, whose types must be inferred. It changes nothing.
func Analyze(m *graph.Model, o Options) *Analysis {
	if o.Heads == "" {
		o.Heads = WholeHeads
	}
	a := &Analysis{Model: m, space: newSpace(m)}
	w := &walk{space: a.space, analysis: a, options: o, stamp: make([]int32, len(a.space.start))}
	w.borders()
	for n := range m.Main.All() {
		w.node(n)
	}
	w.states()
	w.carriers()
	w.outputs()
	a.exhaust()
	a.collect()
	return a
}

// exhaust freezes the classes that hold a whole axis: nothing would be left of it.
func (a *Analysis) exhaust() {
	s := a.space
	for x := range axis(len(s.start)) {
		if s.width[x] < 2 {
			continue
		}
		first, whole := s.root(s.start[x]), true
		for i := s.start[x] + 1; i < s.start[x]+s.width[x] && whole; i++ {
			whole = s.root(i) == first
		}
		if whole {
			s.freeze(x, nil, "all of it belongs together")
		}
	}
}
