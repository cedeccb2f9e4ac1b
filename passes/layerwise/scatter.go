package layerwise

import (
	"math"

	"github.com/onnxpass/onnxpass/calib"
)

// Scatter holds sums by sample, from which means and their standard errors follow.
type Scatter struct {
	layer *Layer
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
func (s *Scatter) Shift(delta []float32) []float64 {
	l := s.layer
	out := make([]float64, l.Channels())
	for c := range out {
		g := c / l.Rows
		row := delta[c*l.Cols : (c+1)*l.Cols]
		var sum, weight float64
		means := make([]float64, len(s.n))
		for i, n := range s.n {
			total := s.d[i][c]
			for k, x := range s.x[i][g*l.Cols : (g+1)*l.Cols] {
				total -= float64(row[k]) * x
			}
			means[i] = total / n
			sum += total
			weight += n
		}
		out[c] = shrunk(sum/weight, means)
	}
	return out
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
