package palette

import (
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/onnx/dtype"
	"github.com/onnxpass/onnxpass/passes/weights/kmeans"
)

// Table is a list of entries, made for numbers (or pairs) divided by the scale of their channel.
type Table struct {
	entries []float32 // ascending when they are numbers; pairs one after another
	pairs   bool

	low, step float32 // of search: cells of equal width
	middles   []float32
	start     []uint8 // by cell, the first entry that may be the nearest
	plane     *kmeans.Plane
}

// cells is how many cells the range of a table is searched by.
const cells = 1024

// newTable prepares the search for the nearest entry. Equal entries become one.
func newTable(entries []float32, pairs bool) *Table {
	t := &Table{entries: entries, pairs: pairs}
	if pairs {
		points := make([][2]float64, len(entries)/2)
		for i := range points {
			points[i] = [2]float64{float64(entries[2*i]), float64(entries[2*i+1])}
		}
		t.plane = kmeans.NewPlane(points)
		return t
	}
	slices.Sort(t.entries)
	t.entries = slices.Compact(t.entries)
	for i := 1; i < len(t.entries); i++ {
		t.middles = append(t.middles, float32((float64(t.entries[i-1])+float64(t.entries[i]))/2))
	}
	t.low = t.entries[0]
	t.step = cells / max(t.entries[len(t.entries)-1]-t.low, math.SmallestNonzeroFloat32)
	if !(t.step < math.MaxFloat32) {
		t.step = 0
	}
	t.start = make([]uint8, cells)
	m := 0
	for i := range t.start {
		// A cell back, so that no rounding of the division matters.
		for t.step > 0 && m < len(t.middles) && t.middles[m] < t.low+float32(i-1)/t.step {
			m++
		}
		t.start[i] = uint8(m)
	}
	return t
}

// code is the index of the entry nearest to a number.
func (t *Table) code(v float32) int {
	at := (v - t.low) * t.step
	cell := 0
	switch {
	case at >= cells-1:
		cell = cells - 1
	case at > 0:
		cell = int(at)
	}
	m := int(t.start[cell])
	for m < len(t.middles) && v > t.middles[m] {
		m++
	}
	return m
}

// pairCode is the index of the pair nearest to v. Metric weighs the errors as
// in weights.Coding.Round; nil: alike.
func (t *Table) pairCode(v [2]float64, metric []float32) int {
	if metric == nil {
		m, _ := t.plane.Nearest(v, 0)
		return m
	}
	return t.plane.NearestUnder(v, float64(metric[0]), float64(metric[1])+float64(metric[2]), float64(metric[3]))
}

// count is the number of entries.
func (t *Table) count() int {
	if t.pairs {
		return len(t.entries) / 2
	}
	return len(t.entries)
}

// rounded rounds entries to float16.
func rounded(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = half(v)
	}
	return out
}

func half(v float32) float32 { return dtype.F16ToF32(dtype.F16FromF32(v)) }

func ascending(set map[float32]bool) []float32 {
	out := make([]float32, 0, len(set))
	for v := range set {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}
