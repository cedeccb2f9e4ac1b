package layerwise

import (
	"math"

	"github.com/onnxpass/onnxpass/calib"
)

// Scatter holds sums by sample, from which means and their standard errors follow.
type Scatter struct {
	layer *Layer
	tools Tools
	n     []float64
	x, d  [][]float64
}

// NewScatter is empty.
func NewScatter(l *Layer) *Scatter { return &Scatter{layer: l} }

// Add takes in what Moments.Add took in of one sample.
func (s *Scatter) Add(arrays []calib.Array) error {
	x, err := arrays[indexX].Float32s(new([]float32))
	if err != nil {
		return err
	}
	d, err := arrays[indexD].Float32s(new([]float32))
	if err != nil {
		return err
	}
	s.n = append(s.n, positions(arrays[indexShape]))
	s.x = append(s.x, folded(x, s.layer.Groups*s.layer.Cols))
	s.d = append(s.d, folded(d, s.layer.Channels()))
	return nil
}

// folded adds up the items of a batch, of n elements each.
func folded(x []float32, n int) []float64 {
	out := make([]float64, n)
	for i, v := range x {
		out[i%n] += float64(v)
	}
	return out
}

// Shift is the correction of each bias [Groups, Rows] for weights that differ
// from the base by delta: the mean over positions of what is left of d. Each
// is shrunk by the share that its standard error over the samples explains
// (positive part of James and Stein), so that what is noise stays out.
func (s *Scatter) Shift(delta []float32) []float64 { return s.shift(s.summed(delta)) }

// Correct is Shift with the products of a Study's tools.
func (s *Scatter) Correct(delta []float32) ([]float64, error) {
	computed, err := s.computed(delta)
	if err != nil {
		return nil, err
	}
	return s.shift(computed), nil
}

func (s *Scatter) shift(computed [][]float64) []float64 {
	out := make([]float64, s.layer.Channels())
	means := make([]float64, len(s.n))
	for c := range out {
		var sum, weight float64
		for i, n := range s.n {
			total := s.d[i][c] - computed[i][c]
			means[i] = total / n
			sum += total
			weight += n
		}
		out[c] = shrunk(sum/weight, means)
	}
	return out
}

// computed is what a weight [Groups, Rows, Cols] makes of the sums of the windows, by sample and output channel.
func (s *Scatter) computed(w []float32) ([][]float64, error) {
	if s.layer.Groups == 1 && s.tools.Multiply != nil && len(w)*len(s.n) >= small {
		return s.multiplied(w)
	}
	return s.summed(w), nil
}

func (s *Scatter) summed(w []float32) [][]float64 {
	l, out := s.layer, make([][]float64, len(s.n))
	for i, x := range s.x {
		out[i] = make([]float64, l.Channels())
		for c := range out[i] {
			from := c / l.Rows * l.Cols
			var sum float64
			for k, v := range w[c*l.Cols : (c+1)*l.Cols] {
				sum += float64(v) * x[from+k]
			}
			out[i][c] = sum
		}
	}
	return out
}

// multiplied is computed for one group, as one product of the weight and the means.
func (s *Scatter) multiplied(w []float32) ([][]float64, error) {
	l, samples := s.layer, len(s.n)
	means := make([]float32, l.Cols*samples)
	out := make([][]float64, samples)
	for i, x := range s.x {
		out[i] = make([]float64, l.Rows)
		for k, v := range x {
			means[k*samples+i] = float32(v / s.n[i])
		}
	}
	y, err := s.tools.Multiply(w, means, l.Rows, l.Cols, samples)
	for j, v := range y {
		out[j%samples][j/samples] = float64(v) * s.n[j%samples]
	}
	return out, err
}

// shrunk is a mean less its share of chance.
func shrunk(mean float64, samples []float64) float64 {
	n := float64(len(samples))
	if n < 2 || mean == 0 {
		return 0
	}
	var scatter float64
	for _, v := range samples {
		scatter += (v - mean) * (v - mean)
	}
	squaredError := scatter / (n - 1) / n
	return mean * math.Max(0, 1-squaredError/(mean*mean))
}
