package prune

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// elimination removes channels of a site one after another, always making up
// for what goes by what is left (optimal brain surgeon). With the covariance S
// of the channels and M = sum of W^T W over the layers and taps that read
// them, the output error of removing channel p is M_pp / H_pp, where H is the
// inverse of S with a ridge. Both matrices are then brought to what is left.
type elimination struct {
	n     int
	ridge float64
	m, h  []float64 // [n, n], upper triangles
	from  []int     // number of each channel in the matrices, -1 when gone
}

// newElimination begins with all channels of a site; nil when the covariance tells nothing.
func newElimination(s *site, ridge float64) *elimination {
	n := s.width
	e := &elimination{n: n, m: s.importance(), h: make([]float64, n*n), from: make([]int, n)}
	copy(e.h, s.gram.cov)
	e.ridge = ridgeOf(s.gram.cov, n, ridge)
	for i := range n {
		e.h[i*n+i] += e.ridge
		e.from[i] = i
	}
	t, ok := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Data: e.h, Uplo: blas.Upper})
	if ok {
		_, ok = lapack64.Potri(t)
	}
	if !ok {
		return nil
	}
	return e
}

// ridgeOf is a share of the mean of a covariance's diagonal.
func ridgeOf(cov []float64, n int, share float64) float64 {
	var trace float64
	for i := range n {
		trace += cov[i*n+i]
	}
	return max(share*trace/float64(n), 1e-30)
}

// at is element i, j of a symmetric matrix that is stored as an upper triangle.
func (e *elimination) at(m []float64, i, j int) float64 {
	if i > j {
		i, j = j, i
	}
	return m[i*e.n+j]
}

// cost is the error of removing channels together. What the ridge adds to the variance is no error.
func (e *elimination) cost(channels []int) float64 {
	if len(channels) == 1 {
		p := e.from[channels[0]]
		return e.single(p)
	}
	k := len(channels)
	block := make([]float64, k*k)
	for a, i := range channels {
		for b, j := range channels {
			block[a*k+b] = e.at(e.h, e.from[i], e.from[j])
		}
	}
	t, ok := lapack64.Potrf(blas64.Symmetric{N: k, Stride: k, Data: block, Uplo: blas.Upper})
	if ok {
		_, ok = lapack64.Potri(t)
	}
	if !ok {
		return math.Inf(1)
	}
	sum := 0.0
	for a, i := range channels {
		for b, j := range channels {
			left := block[min(a, b)*k+max(a, b)]
			if a == b {
				left = max(0, left-e.ridge)
			}
			sum += e.at(e.m, e.from[i], e.from[j]) * left
		}
	}
	return max(0, sum)
}

func (e *elimination) single(p int) float64 {
	h := e.h[p*e.n+p]
	if h <= 0 {
		return math.Inf(1)
	}
	return e.m[p*e.n+p] * max(0, 1/h-e.ridge)
}

// remove takes channels out of both matrices.
func (e *elimination) remove(channels []int) {
	for _, c := range channels {
		e.drop(e.from[c])
	}
}

func (e *elimination) drop(p int) {
	n := e.n
	h, m := make([]float64, n), make([]float64, n)
	hpp, mpp := e.h[p*n+p], e.m[p*n+p]
	if hpp <= 0 {
		return
	}
	for i := range n {
		h[i], m[i] = e.at(e.h, p, i)/hpp, e.at(e.m, p, i)
	}
	mSym := blas64.Symmetric{N: n, Stride: n, Data: e.m, Uplo: blas.Upper}
	hVec := blas64.Vector{N: n, Inc: 1, Data: h}
	blas64.Syr2(-1, hVec, blas64.Vector{N: n, Inc: 1, Data: m}, mSym)
	blas64.Syr(mpp, hVec, mSym)
	blas64.Syr(-hpp, hVec, blas64.Symmetric{N: n, Stride: n, Data: e.h, Uplo: blas.Upper})
	for i := range n { // exactly zero, so that rounding does not bring it back
		e.h[min(i, p)*n+max(i, p)], e.m[min(i, p)*n+max(i, p)] = 0, 0
	}
}
