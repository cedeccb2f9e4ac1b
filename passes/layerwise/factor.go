package layerwise

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Multiply is the product of matrices a [rows, inner] and b [inner, cols],
// row-major, such as calib.Product.Of. Its precision is that of float32.
type Multiply func(a, b []float32, rows, inner, cols int) ([]float32, error)

// block is how many columns are solved or rounded one by one before what they
// mean for the others is worked out in one product.
const block = 64

// factor is the Cholesky factor of the covariance of one group's windows with
// a ridge: H = R^T R, R upper triangular, the columns ordered from the least
// to the largest variance. It serves both least squares and rounding.
type factor struct {
	order []int
	n     int
	r     []float32 // row-major; zero below the diagonal
}

// newFactor factors h, a covariance of n windows, damped. It is nil when h is not a covariance at all.
func newFactor(h []float64, n int, d Damping) *factor {
	f := &factor{n: n, order: byVariance(h, n, max(d.Unit, 1))}
	var trace float64
	for i := range n {
		trace += h[i*n+i]
	}
	if !(trace > 0) || math.IsInf(trace, 0) {
		return nil
	}
	s := make([]float64, n*n)
	for i, a := range f.order {
		s[i*n+i] = h[a*n+a] + d.Ridge*trace/float64(n)
		for j := i + 1; j < n; j++ {
			s[i*n+j] = (1 - d.Shrink) * h[a*n+f.order[j]]
		}
	}
	if _, ok := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Data: s, Uplo: blas.Upper}); !ok {
		return nil
	}
	f.r = make([]float32, n*n)
	for i, v := range s {
		f.r[i] = float32(v)
	}
	return f
}

// byVariance lists the columns of h from the least to the largest sum of
// diagonal elements of their unit, the columns of a unit together. A last unit
// that is shorter comes last, so that all others begin at a multiple of their size.
func byVariance(h []float64, n, unit int) []int {
	whole := n / unit
	sums, units := make([]float64, whole), make([]int, whole)
	for u := range whole {
		units[u] = u
		for k := u * unit; k < (u+1)*unit; k++ {
			sums[u] += h[k*n+k]
		}
	}
	slices.SortStableFunc(units, func(a, b int) int { return cmp.Compare(sums[a], sums[b]) })
	order := make([]int, 0, n)
	for _, u := range units {
		for k := u * unit; k < (u+1)*unit; k++ {
			order = append(order, k)
		}
	}
	for k := whole * unit; k < n; k++ {
		order = append(order, k)
	}
	return order
}

// permuted copies rows of n elements into the factor's order.
func (f *factor) permuted(w []float32) []float32 {
	out := make([]float32, len(w))
	for from := 0; from < len(w); from += f.n {
		for i, at := range f.order {
			out[from+i] = w[from+at]
		}
	}
	return out
}

// restore is the inverse of permuted, into w.
func (f *factor) restore(w, ordered []float32) {
	for from := 0; from < len(w); from += f.n {
		for i, at := range f.order {
			w[from+at] = ordered[from+i]
		}
	}
}

// turned is the transpose of the block of R of the rows [0, rows) and the columns [lo, hi).
func (f *factor) turned(rows, lo, hi int) []float32 {
	out := make([]float32, (hi-lo)*rows)
	for i := range rows {
		for j, v := range f.r[i*f.n+lo : i*f.n+hi] {
			out[j*rows+i] = v
		}
	}
	return out
}

// accumulate adds sign times the rows of d, cols elements each, to the columns from lo of rows of n elements.
func accumulate(w, d []float32, n, lo, cols int, sign float32) {
	for k := 0; k*n < len(w); k++ {
		to := w[k*n+lo : k*n+lo+cols]
		for j, v := range d[k*cols : (k+1)*cols] {
			to[j] += sign * v
		}
	}
}

// plain multiplies in Go, for small matrices.
func plain(a, b []float32, rows, inner, cols int) ([]float32, error) {
	out := make([]float32, rows*cols)
	for i := range rows {
		for k := range inner {
			v := a[i*inner+k]
			for j, w := range b[k*cols : (k+1)*cols] {
				out[i*cols+j] += v * w
			}
		}
	}
	return out, nil
}
