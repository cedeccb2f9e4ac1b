package weights

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// Item is a weight with the format that it is to have, and what became of it.
type Item struct {
	*Weight
	Format Format

	// What Plain and Walk fill in.
	Coding Coding
	Stored *onnx.Tensor // the rounded weight in the order and type of the file; nil: none
	Why    string       // why the weight stays as it is; empty: it does not
	How    string       // how it was rounded: see the How constants
	SQNR   float64      // dB of the rounded against the original weight
	Judged bool         // the ways to round were compared on samples put aside
	Before float64      // mean squared error of an output element there, rounded to nearest
	After  float64      // with what was chosen
	Shifts []Shift      // of biases, by reader
}

// The ways to round, as Item.How names them.
const (
	HowNearest  = "nearest"
	HowFeedback = "feedback"
	HowRefit    = "refit" // least squares, then feedback
)

// leastSaving is the share of a weight's bytes that its stored form has to save.
const leastSaving = 0.1

// Plain fits the format to the weight alone and rounds to nearest.
func (it *Item) Plain() error {
	s, err := it.source(nil, 1)
	if err != nil {
		return err
	}
	if err := it.fit(s); err != nil || it.Why != "" {
		return err
	}
	it.set(it.nearest(s.X), s.X, HowNearest)
	return nil
}

// source is the weight as formats see it.
func (it *Item) source(importance []float32, groups int) (*Source, error) {
	x, err := it.Const.Float32s()
	if err != nil {
		return nil, fmt.Errorf("weight %s: %w", it.Value.Name(), err)
	}
	return &Source{Weight: it.Weight, X: Matrix(it.Layout, x), Importance: importance, Groups: groups}, nil
}

// fit makes the coding, or says in Why what hinders.
func (it *Item) fit(s *Source) error {
	var err error
	if it.Coding, it.Why, err = it.Format.Fit(s); err != nil || it.Why != "" {
		return err
	}
	if old, now := float64(it.Bytes()), float64(it.Coding.Bytes()); now > (1-leastSaving)*old {
		it.Coding, it.Why = nil, fmt.Sprintf("codes and tables would take %.0f %% of the weight's bytes", 100*now/old)
	}
	return nil
}

// nearest rounds a copy of x, a matrix.
func (it *Item) nearest(x []float32) []float32 {
	out := append([]float32(nil), x...)
	unit := it.Coding.Unit()
	Each(0, it.Channels, func(c int) {
		row := out[c*it.Cols : (c+1)*it.Cols]
		for col := 0; col < len(row); col += unit {
			it.Coding.Round(c, col, row[col:min(col+unit, len(row))], nil)
		}
	})
	return out
}

// set takes the rounded matrix x of the original one.
func (it *Item) set(x, original []float32, how string) {
	var signal, noise float64
	for i, v := range original {
		d := float64(v) - float64(x[i])
		signal += float64(v) * float64(v)
		noise += d * d
	}
	it.SQNR, it.How = 10*math.Log10(signal/noise), how
	it.Stored = FloatTensor(it.Const.Type, it.Dims, Tensor(it.Layout, x))
}

// Store writes the stored form and the shifted biases into the graph of w: the
// weight of the item, or the same one in a clone of its model.
func (it *Item) Store(w *Weight, pass string) error {
	if it.Stored == nil {
		return nil
	}
	x, err := it.Stored.Float32s()
	if err != nil {
		return err
	}
	for i, s := range it.Shifts {
		s.apply(w.Readers[i].Node)
	}
	return it.Coding.Store(w, Matrix(it.Layout, x), pass)
}
