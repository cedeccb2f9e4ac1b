package quant

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// floorRatio keeps the scales of dead channels within four decades of the largest channel's.
const floorRatio = 1e-4

// weight is one float constant as it will be stored: int8 codes with one scale
// for each index of the axis of output channels.
type weight struct {
	source *graph.Value
	data   *onnx.Tensor  // of source, which goes away when the codes take its place
	elem   onnx.DataType // of the codes
	axis   int           // -1: one scale for the tensor
	scale  []float32
	sqnr   float64   // dB of the stored against the float weight; +Inf when equal
	floats int64     // elements
	codes  []int8    // in the order of source; nil: rounded to nearest
	coded  []float32 // the scales that codes belong to
	plain  []float32 // the scales without the guard against saturation
}

// errNotFinite is a weight that holds NaN or infinity.
var errNotFinite = errors.New("the weight is not finite")

// newWeight computes scales for the weight of a layer: max|W_c| / 127 in each
// output channel c, floored for channels that are dead beside the others.
// Those of float8 are chosen among the alignments of the codes.
func newWeight(n *graph.Node, v *graph.Value, elem onnx.DataType) (*weight, error) {
	t := v.Const()
	w := &weight{source: v, data: t, elem: elem, axis: target.WeightAxis(n, len(t.Dims))}
	x, err := t.Float32s()
	if err != nil {
		return nil, fmt.Errorf("weight %s: %w", v.Name(), err)
	}
	g := channelsOf(t.Dims, w.axis)
	most := make([]float32, g.count)
	bad := false
	g.runs(len(x), func(c, from, to int) {
		for _, f := range x[from:to] {
			a := float32(math.Abs(float64(f)))
			bad = bad || !(a <= math.MaxFloat32)
			most[c] = max(most[c], a)
		}
	})
	if bad {
		return nil, errNotFinite
	}
	var largest float32
	for _, m := range most {
		largest = max(largest, m)
	}
	w.scale = make([]float32, g.count)
	for c, m := range most {
		w.scale[c] = scale(float64(max(m, floorRatio*largest)) / 127)
	}
	if elem.IsFloat8() {
		w.align(x, g, most, floorRatio*largest)
	}
	w.plain, w.floats = slices.Clone(w.scale), int64(len(x))
	w.sqnr = w.quality(x, g)
	return w, nil
}

// channels walks a tensor channel by channel along one axis.
type channels struct{ count, inner int }

func channelsOf(dims []int64, axis int) channels {
	if axis < 0 {
		return channels{1, int(elements(dims))}
	}
	return channels{int(dims[axis]), int(elements(dims[axis+1:]))}
}

// runs yields every stretch of elements [from, to) that lies in one channel c, in order.
func (g channels) runs(n int, yield func(c, from, to int)) {
	for from, c := 0, 0; from < n; from, c = from+g.inner, c+1 {
		if c == g.count {
			c = 0
		}
		yield(c, from, from+g.inner)
	}
}

// code is the stored form of x under scale s, narrow range.
func code(x, s float32) int8 {
	q := math.RoundToEven(float64(x / s))
	return int8(min(max(q, -127), 127))
}

// rounded is the value of the code of x under scale s.
func (w *weight) rounded(x, s float32) float32 {
	if w.elem.IsFloat8() {
		return float8Value(w.elem, float8Code(w.elem, x, s), s)
	}
	return float32(code(x, s)) * s
}

// align chooses the scales of float8 codes.
func (w *weight) align(x []float32, g channels, most []float32, least float32) {
	rows := make([][]float32, g.count)
	g.runs(len(x), func(c, from, to int) { rows[c] = append(rows[c], x[from:to]...) })
	for c, row := range rows {
		w.scale[c] = float8Scale(w.elem, row, max(most[c], least))
	}
}

// quality is the signal to quantization noise ratio of the codes in dB.
func (w *weight) quality(x []float32, g channels) float64 {
	var signal, noise float64
	var stored []int8
	if w.codes != nil {
		stored = w.recoded()
	}
	g.runs(len(x), func(c, from, to int) {
		s := w.scale[c]
		for i, f := range x[from:to] {
			y := float64(w.rounded(f, s))
			if stored != nil {
				y = float64(stored[from+i]) * float64(s)
			}
			d := float64(f) - y
			signal += float64(f) * float64(f)
			noise += d * d
		}
	})
	return 10 * math.Log10(signal/noise)
}

// tensor is the 8-bit initializer; its codes are computed when they are read.
func (w *weight) tensor() *onnx.Tensor {
	t := w.data
	dims := append([]int64(nil), t.Dims...)
	axis, scales, elem := w.axis, w.scale, w.elem
	if w.codes != nil {
		return onnx.From(dims, w.recoded())
	}
	return &onnx.Tensor{Type: elem, Dims: dims, Data: onnx.Lazy(w.floats, func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		out := make([]byte, len(x))
		channelsOf(dims, axis).runs(len(x), func(c, from, to int) {
			for i, f := range x[from:to] {
				if elem.IsFloat8() {
					out[from+i] = float8Code(elem, f, scales[c])
				} else {
					out[from+i] = byte(code(f, scales[c]))
				}
			}
		})
		return out, nil
	})}
}

// recoded are the chosen codes under the present scales.
func (w *weight) recoded() []int8 {
	out := append([]int8(nil), w.codes...)
	channelsOf(w.data.Dims, w.axis).runs(len(out), func(c, from, to int) {
		if w.scale[c] == w.coded[c] {
			return
		}
		for i, q := range out[from:to] {
			out[from+i] = code(float32(q)*w.coded[c], w.scale[c])
		}
	})
	return out
}
