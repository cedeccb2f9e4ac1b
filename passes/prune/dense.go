package prune

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// dense are the weights of a layer as rows over all its input channels: row
// m*taps+t holds output channel m at tap t, with zeros where groups do not reach.
type dense struct {
	taps, cols int
	at         []float64
}

// dense copies the weights.
func (l *layer) dense() dense {
	d := dense{taps: l.taps(), cols: l.cin}
	d.at = make([]float64, l.cout*d.taps*d.cols)
	l.each(func(m, u, at int) { d.at[d.index(m, u, at)] = l.w.at[at] })
	return d
}

// index is where the weight that each numbers at, of output m and input u, lies.
func (d dense) index(m, u, at int) int { return (m*d.taps+at%d.taps)*d.cols + u }

// taps is the number of weights between one input and one output channel.
func (l *layer) taps() int {
	n := 1
	for _, d := range l.w.dims[2:] {
		n *= int(d)
	}
	return n
}

// importance is sum W^T W over the readers of the site and their taps, each in
// units of the variance of what the reader computes, so that errors of different layers can be added.
func (s *site) importance() []float64 {
	n := s.width
	sum := make([]float64, n*n)
	for _, l := range s.readers {
		w := l.dense()
		one := make([]float64, n*n)
		g := blas64.General{Rows: len(w.at) / n, Cols: n, Stride: n, Data: w.at}
		blas64.Syrk(blas.Trans, 1, g, 0, blas64.Symmetric{N: n, Stride: n, Data: one, Uplo: blas.Upper})
		variance := 0.0
		for i := range n {
			variance += one[i*n+i] * s.gram.cov[i*n+i]
			for j := i + 1; j < n; j++ {
				variance += 2 * one[i*n+j] * s.gram.cov[i*n+j]
			}
		}
		if variance > 0 {
			blas64.Axpy(1/variance, blas64.Vector{N: n * n, Inc: 1, Data: one}, blas64.Vector{N: n * n, Inc: 1, Data: sum})
		}
	}
	return sum
}
