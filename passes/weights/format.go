package weights

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// Format is a way to store weights. It has no state: one value serves all
// weights, from several goroutines.
type Format interface {
	// Name names the format in reports: "int4 in blocks of 32".
	Name() string
	// Fit chooses scales, tables and the like for one weight, or says why the
	// format does not suit it.
	Fit(s *Source) (c Coding, why string, err error)
}

// Source is the weight that a format is fitted to.
type Source struct {
	*Weight
	X []float32 // the elements in the order of the matrix [Channels, Cols]; read only
	// Importance is the variance of the input that each column meets, [Groups,
	// Cols] with Channels/Groups consecutive channels in a group; nil without samples.
	Importance []float32
	Groups     int
}

// Of is the importance of the columns of a channel, nil without samples.
func (s *Source) Of(channel int) []float32 {
	if s.Importance == nil {
		return nil
	}
	g := channel / (s.Channels / s.Groups)
	return s.Importance[g*s.Cols : (g+1)*s.Cols]
}

// Coding is a format fitted to one weight. What it rounds to stays the same,
// so that rounding what is rounded changes nothing: that is how Store finds the codes.
type Coding interface {
	// Unit is the number of neighbouring columns that are rounded together:
	// 1, or 2 for pairs. The last unit of a row may be shorter.
	Unit() int
	// Round replaces v, the elements of a channel from column col on (a
	// multiple of Unit), by what the file will hold, decoded. Metric, row-major
	// [len(v), len(v)] and symmetric, weighs the errors of a unit against each other; nil: alike.
	Round(channel, col int, v, metric []float32)
	// Scaled is the coding with the scales of each channel multiplied by
	// factor; nil when it has none to multiply.
	Scaled(factor []float32) Coding
	// Bytes is what the stored form takes in the file: codes, scales, tables.
	Bytes() int64
	// Store writes the stored form of w, whose elements in the order of the
	// matrix are x, all of them rounded, and makes the readers of w read it.
	// It belongs to the same tensor as the weight that was fitted, maybe in a clone of its model.
	Store(w *Weight, x []float32, pass string) error
}

// Replace makes all readers of the weight's tensor read v, and removes the tensor when nobody reads it any more.
func (w *Weight) Replace(v *graph.Value) {
	w.Value.ReplaceUses(v, func(u graph.Use) bool { return u.Node != v.Def() })
	Remove(w.Value)
}

// Remove takes a constant without readers out of its graph.
func Remove(v *graph.Value) {
	switch {
	case v.NumUses() > 0 || v.Removed():
	case v.Def() != nil && v.Def().Is("Constant"):
		v.Def().Remove()
	case v.IsInit() && !v.IsInput():
		v.RemoveInit()
	}
}

// Tabled is a Coding whose values are numbers of a list times the scale of their channel.
type Tabled interface {
	Coding
	// Table says which number each element of x, a rounded matrix, is; nil when the list is not to change.
	Table(x []float32) *layerwise.Table
	// Retabled is the coding with other numbers in the same list.
	Retabled(value []float32) Coding
}
