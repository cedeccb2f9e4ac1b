package sample

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// layout is how an array becomes samples of one input.
type layout struct {
	rows int64   // samples in the array
	each []int64 // shape of one of them as the model takes it
	part bool    // each is one row of a fixed batch above 1
	note string  // what was assumed; "" when nothing was
}

// lay finds the layout of an array with the given dims; ok is false when it does not fit.
func lay(dims []int64, port calib.Port) (l layout, ok bool) {
	if !port.Shape.Ranked {
		return layout{rows: 1, each: dims}, true
	}
	want := port.Shape.Dims
	switch {
	case len(dims) == len(want) && match(dims, want) && !(countsSamples(want) && dims[0] != 1):
		return layout{rows: 1, each: dims}, true
	case len(dims) == len(want) && len(want) > 0 && match(dims[1:], want[1:]) && hasBatch(want):
		l = layout{rows: dims[0], each: slices.Concat([]int64{1}, dims[1:]), part: want[0].Value > 1}
		l.note = fmt.Sprintf("the leading axis of %d counts samples", dims[0])
		return l, true
	case len(dims)+1 == len(want) && match(dims, want[1:]) && hasBatch(want):
		l = layout{rows: 1, each: slices.Concat([]int64{1}, dims), part: want[0].Value > 1}
		l.note = "a batch axis was added"
		return l, true
	case len(dims) == len(want)+1 && match(dims[1:], want):
		return layout{rows: dims[0], each: dims[1:], note: fmt.Sprintf("the leading axis of %d counts samples", dims[0])}, true
	case len(want) == 0 && volume(dims) == 1:
		return layout{rows: 1, each: []int64{}}, true
	}
	return layout{}, false
}

func match(dims []int64, want []infer.Dim) bool {
	if len(dims) != len(want) {
		return false
	}
	for i, d := range want {
		if d.Value >= 0 && d.Value != dims[i] {
			return false
		}
	}
	return true
}

// hasBatch tells whether the first dimension can be a batch: of any size that
// is known, or symbolic and not named like the length of a sequence. The only
// dimension of a vector is its length.
func hasBatch(want []infer.Dim) bool {
	return len(want) > 1 && (want[0].Value > 0 || countsSamples(want))
}

// countsSamples tells whether the first dimension is a symbolic batch.
func countsSamples(want []infer.Dim) bool {
	if len(want) < 2 || want[0].Value >= 0 {
		return false
	}
	name := strings.ToLower(want[0].Param)
	for _, word := range []string{"seq", "len", "time", "step", "frame"} {
		if strings.Contains(name, word) {
			return false
		}
	}
	return true
}

func volume(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// channelsLast finds out how the model lays out a picture: true for NHWC,
// false for NCHW; known is false when the shape does not tell.
func channelsLast(want []infer.Dim) (last, known bool) {
	n := len(want)
	if n != 3 && n != 4 {
		return false, false
	}
	first, end := isChannels(want[n-3]), isChannels(want[n-1])
	return end, first != end
}

func isChannels(d infer.Dim) bool { return d.Value == 1 || d.Value == 3 || d.Value == 4 }

// moves tells whether arrays lie in another layout than the model takes.
func moves(p Preprocess, port calib.Port) bool {
	last, known := channelsLast(port.Shape.Dims)
	return known && p.Layout != "" && (p.Layout == "nhwc") != last
}

// permutation of the axes of an array of pictures; nil when it has too few.
func permutation(rank int, fromLast bool) []int {
	if rank < 3 {
		return nil
	}
	perm := span(rank)
	h, w, c := rank-3, rank-2, rank-1
	if fromLast {
		perm[h], perm[w], perm[c] = c, h, w
	} else {
		perm[h], perm[w], perm[c] = w, c, h
	}
	return perm
}

func span(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func permute(dims []int64, perm []int) []int64 {
	if perm == nil {
		return dims
	}
	moved := make([]int64, len(dims))
	for i, k := range perm {
		moved[i] = dims[k]
	}
	return moved
}

// misfit says what is wrong with an array and what would mend it.
func misfit(b *blob, port calib.Port, p Preprocess) error {
	e := diag.New("OP6012", fmt.Sprintf("calibration data does not fit input %q", port.Name),
		"data", b.name+"  "+calib.Array{Type: b.typ, Shape: b.dims}.String(), "wanted", port.TypeString())
	if hint := shapeHint(b, port, p); hint != "" {
		return e.Hinted("%s", hint)
	}
	if hint := typeHint(b.typ, port.Elem, p); hint != "" {
		return e.Hinted("%s", hint)
	}
	return e.Hinted("save arrays of the shape that the model takes, with or without a leading sample axis")
}

// shapeHint is what to do about a shape that does not fit; "" when it does.
func shapeHint(b *blob, port calib.Port, p Preprocess) string {
	if _, ok := lay(b.dims, port); ok && !moves(p, port) {
		return ""
	}
	also := ""
	if hint := typeHint(b.typ, port.Elem, p); hint != "" {
		also = ", and --scale 1/255 for bytes"
	}
	for _, last := range []bool{true, false} {
		perm := permutation(len(b.dims), last)
		_, ok := lay(permute(b.dims, perm), port)
		if perm == nil || !ok {
			continue
		}
		if last {
			return "this looks like height x width x channel: add --layout nhwc" + also
		}
		return "this looks like channel x height x width: add --layout nchw" + also
	}
	want := port.Shape.Dims
	switch n := len(want); {
	case len(b.dims) == n && n > 0:
		return "the sizes differ: bring the data to the size of the model's input before saving it, or give pictures, which are resized"
	default:
		return fmt.Sprintf("the model takes %d dimensions: add or remove axes, or split the file into one array a sample", n)
	}
}
