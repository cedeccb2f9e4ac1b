package layerwise

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/observe"
	"github.com/onnxpass/onnxpass/onnx"
)

// Target is what a layer should compute in one sample: its output at some
// positions, and the sum over all of them.
type Target struct {
	shape     []int64
	positions int       // all of them
	at        []int32   // those of y, ascending
	y         []float32 // [channels, len(at)]
	sum       []float64 // by channel
	finite    bool
}

// NewTarget takes the output y of the layer in sample i, at no more than about
// want positions. They lie evenly, at others in each sample.
func NewTarget(l *Layer, y calib.Array, i, want int) (*Target, error) {
	x, err := y.Float32s(new([]float32))
	if err != nil {
		return nil, err
	}
	channels := l.Channels()
	if len(x) == 0 || len(x)%channels != 0 || l.conv && (len(y.Shape) != l.Dims()+2 || y.Shape[1] != int64(channels)) {
		return nil, fmt.Errorf("an output of shape %v for a layer of %d channels", y.Shape, channels)
	}
	t := &Target{shape: slices.Clone(y.Shape), positions: len(x) / channels, sum: make([]float64, channels)}
	t.at = evenly(i, t.positions, want)
	t.y = make([]float32, channels*len(t.at))
	if l.conv {
		t.planes(x, channels)
	} else {
		t.rows(x, channels)
	}
	t.finite = !slices.ContainsFunc(t.sum, func(v float64) bool { return v-v != 0 })
	return t, nil
}

// Bytes is the memory that a target at so many positions takes.
func (l *Layer) Bytes(positions int64) int64 { return 4 * positions * int64(l.Channels()) }

// planes reads [N, channels, ...].
func (t *Target) planes(x []float32, channels int) {
	plane := int(product(t.shape[2:]))
	for from, c := 0, 0; from < len(x); from, c = from+plane, (c+1)%channels {
		t.sum[c] += total(observe.Scan(x[from : from+plane]))
	}
	for c := range channels {
		to := t.y[c*len(t.at):]
		for j, p := range t.at {
			to[j] = x[(int(p)/plane*channels+c)*plane+int(p)%plane]
		}
	}
}

// total is a sum; NaN when not all elements are finite.
func total(m observe.Moments) float64 {
	if m.Finite() != m.Count {
		return math.NaN()
	}
	return m.Sum
}

// rows reads [..., channels].
func (t *Target) rows(x []float32, channels int) {
	for from := 0; from < len(x); from += channels {
		for c, v := range x[from : from+channels] {
			t.sum[c] += float64(v)
		}
	}
	for j, p := range t.at {
		for c, v := range x[int(p)*channels : (int(p)+1)*channels] {
			t.y[c*len(t.at)+j] = v
		}
	}
}

// evenly lists about want of n positions in ascending order: multiples of a
// number near the golden section of n, which differ modulo n, from a start that moves from sample to sample.
func evenly(i, n, want int) []int32 {
	out := make([]int32, 0, min(n, max(want, 1)))
	if want >= n {
		for p := range n {
			out = append(out, int32(p))
		}
		return out
	}
	step := max(1, int(golden*float64(n)))
	for gcd(step, n) != 1 {
		step++
	}
	_, part := math.Modf(float64(i+1) * weyl[0])
	for p := int(part * float64(n)); len(out) < cap(out); p = (p + step) % n {
		out = append(out, int32(p))
	}
	slices.Sort(out)
	return out
}

const golden = 0.6180339887498949

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Input is what a layer reads in one sample: numbers, or codes of 8 bits of
// which code q stands for Scale (q - Zero).
type Input struct {
	Shape  []int64
	Scale  float64
	Zero   int
	codes  []byte // from 0 to 255
	floats []float32
}

// NewInput copies the numbers of x, or codes where x has 8 bits.
func NewInput(x calib.Array, scale float64, zero int) (*Input, error) {
	in := &Input{Shape: slices.Clone(x.Shape), Scale: scale, Zero: zero}
	switch x.Type {
	case onnx.Uint8:
		in.codes = slices.Clone(x.Bytes)
	case onnx.Int8:
		in.Zero += 128
		in.codes = make([]byte, len(x.Bytes))
		for i, b := range x.Bytes {
			in.codes[i] = b ^ 0x80
		}
	default:
		f, err := x.Float32s(new([]float32))
		if err != nil {
			return nil, err
		}
		in.Scale, in.floats = 1, slices.Clone(f)
	}
	return in, nil
}

// decoded is the number that each code stands for.
func (in *Input) decoded() *[256]float32 {
	t := new([256]float32)
	for q := range t {
		t[q] = float32(q-in.Zero) * float32(in.Scale)
	}
	return t
}

// gather writes the windows of the input channels [lo, hi) at the positions of
// the target: a row for each channel and tap, width elements apart, of which the elements from a given one on are written.
func (s *Sight) gather(lo, hi int, to []float32, from, width int) {
	in, plane := s.input, s.view.in
	if s.view.axes == nil {
		s.columns(to, from, width)
		return
	}
	for c := lo; c < hi; c++ {
		for t, o := range s.offsets {
			start := ((c-lo)*len(s.offsets)+t)*width + from
			row := to[start : start+len(o)]
			if in.codes != nil {
				decode(row, in.codes[c*plane:], o, s.table)
			} else {
				pick(row, in.floats[c*plane:], o)
			}
		}
	}
}

func decode(row []float32, codes []byte, offsets []int32, table *[256]float32) {
	row = row[:len(offsets)]
	for j, o := range offsets {
		if o < 0 {
			row[j] = 0
		} else {
			row[j] = table[codes[o]]
		}
	}
}

func pick(row, x []float32, offsets []int32) {
	row = row[:len(offsets)]
	for j, o := range offsets {
		if o < 0 {
			row[j] = 0
		} else {
			row[j] = x[o]
		}
	}
}

// columns is gather for rows of a matrix.
func (s *Sight) columns(to []float32, from, width int) {
	n := s.view.channels
	for j, p := range s.target.at {
		start := int(p) * n
		for c := range n {
			if s.input.codes != nil {
				to[c*width+from+j] = s.table[s.input.codes[start+c]]
			} else {
				to[c*width+from+j] = s.input.floats[start+c]
			}
		}
	}
}
