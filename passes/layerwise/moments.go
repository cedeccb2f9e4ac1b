package layerwise

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/calib"
)

// Moments are sums over positions of a layer's input windows x (Cols of them in
// each group) and of d, the distance of the target from what the base weight
// computes (Rows in each group).
type Moments struct {
	Layer *Layer
	N     float64   // positions
	X     []float64 // [Groups, Cols]
	D     []float64 // [Groups, Rows]
	DD    []float64 // [Groups, Rows]
	XX    []float32 // [Groups, Cols, Cols]; nil where only means are taken
	DX    []float32 // [Groups, Rows, Cols]; likewise
}

// The outputs of Probe.Attach.
const (
	indexX = iota
	indexD
	indexDD
	indexShape
	indexXX
	indexDX
)

// NewMoments are empty sums, of products too or of means alone.
func NewMoments(l *Layer, products bool) *Moments {
	g := l.Groups
	m := &Moments{Layer: l, X: make([]float64, g*l.Cols), D: make([]float64, g*l.Rows), DD: make([]float64, g*l.Rows)}
	if products {
		m.XX, m.DX = make([]float32, g*l.Cols*l.Cols), make([]float32, g*l.Rows*l.Cols)
	}
	return m
}

// Add takes in what the outputs of Probe.Attach are for one sample. A sample
// with NaN or infinity tells nothing and is left out; ok says whether it was taken.
func (m *Moments) Add(arrays []calib.Array) (ok bool, err error) {
	values := make([][]float32, len(arrays))
	for i, a := range arrays {
		if i == indexShape {
			continue
		}
		if values[i], err = a.Float32s(new([]float32)); err != nil {
			return false, err
		}
		if i < indexShape && !finite(values[i]) {
			return false, nil
		}
	}
	err = errorsOf(
		addTo(m.X, values[indexX]), addTo(m.D, values[indexD]), addTo(m.DD, values[indexDD]))
	if err == nil && m.XX != nil {
		err = errorsOf(addTo(m.XX, values[indexXX]), addTo(m.DX, values[indexDX]))
	}
	m.N += positions(arrays[indexShape])
	return true, err
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// addTo adds the items of a batch one after another.
func addTo[T float32 | float64](sum []T, v []float32) error {
	if len(sum) == 0 || len(v)%len(sum) != 0 {
		return fmt.Errorf("%d elements instead of a multiple of %d", len(v), len(sum))
	}
	for ; len(v) > 0; v = v[len(sum):] {
		for k, x := range v[:len(sum)] {
			sum[k] += T(x)
		}
	}
	return nil
}

func finite(x []float32) bool {
	for _, v := range x {
		if d := v - v; d != 0 {
			return false
		}
	}
	return true
}

// positions is the number of columns of all items of a batch, from the shape [N, groups, rows, columns] of d.
func positions(shape calib.Array) float64 {
	dims, err := shape.Float64s(new([]float64))
	if err != nil || len(dims) != 4 {
		return math.NaN()
	}
	return dims[0] * dims[3]
}

// covariance is the centred second moment of the windows of group g, or the
// plain one where no bias absorbs the mean.
func (m *Moments) covariance(g int, centred bool) []float64 {
	k := m.Layer.Cols
	out := make([]float64, k*k)
	xx, x := m.XX[g*k*k:(g+1)*k*k], m.X[g*k:(g+1)*k]
	for i := range k {
		var mean float64
		if centred {
			mean = x[i] / m.N
		}
		for j := range k {
			out[i*k+j] = (float64(xx[i*k+j]) - mean*x[j]) / m.N
		}
	}
	return out
}

// Variance are the diagonals of the covariances, [Groups, Cols]. It needs the products.
func (m *Moments) Variance(centred bool) []float32 {
	k := m.Layer.Cols
	out := make([]float32, m.Layer.Groups*k)
	for i := range out {
		g, c := i/k, i%k
		v := float64(m.XX[(g*k+c)*k+c])
		if centred {
			v -= m.X[i] * m.X[i] / m.N
		}
		out[i] = float32(max(0, v/m.N))
	}
	return out
}

// cross is the covariance of d and the windows of group g: [Rows, Cols].
func (m *Moments) cross(g int, centred bool) []float32 {
	l := m.Layer
	out := make([]float32, l.Rows*l.Cols)
	for r := range l.Rows {
		c := g*l.Rows + r
		var mean float64
		if centred {
			mean = m.D[c] / m.N
		}
		for j := range l.Cols {
			out[r*l.Cols+j] = float32((float64(m.DX[c*l.Cols+j]) - mean*m.X[g*l.Cols+j]) / m.N)
		}
	}
	return out
}

// Error is the mean over positions of the squared distance of the target from
// a layer whose weight differs from the base by delta [Groups, Rows, Cols] and
// whose bias by shift [Groups, Rows], added up over the output channels. It needs the products.
func (m *Moments) Error(delta []float32, shift []float64, tools Tools) (float64, error) {
	l := m.Layer
	var sum float64
	for g := range l.Groups {
		d := delta[g*l.Rows*l.Cols : (g+1)*l.Rows*l.Cols]
		xx := m.XX[g*l.Cols*l.Cols : (g+1)*l.Cols*l.Cols]
		spread, err := tools.multiply(d, xx, l.Rows, l.Cols, l.Cols)
		if err != nil {
			return 0, err
		}
		for r := range l.Rows {
			row, from := g*l.Rows+r, r*l.Cols
			sum += m.channelError(row, g, d[from:from+l.Cols], spread[from:from+l.Cols], shift[row])
		}
	}
	return sum / m.N, nil
}

// channelError is E[(d - delta x - shift)^2] N of one output channel, with spread = delta XX.
func (m *Moments) channelError(c, g int, delta, spread []float32, shift float64) float64 {
	l := m.Layer
	dx, x := m.DX[c*l.Cols:(c+1)*l.Cols], m.X[g*l.Cols:(g+1)*l.Cols]
	left := m.D[c]
	e := m.DD[c]
	for k, v := range delta {
		w := float64(v)
		e += w * (float64(spread[k]) - 2*float64(dx[k]))
		left -= w * x[k]
	}
	return max(0, e-2*shift*left+m.N*shift*shift)
}
