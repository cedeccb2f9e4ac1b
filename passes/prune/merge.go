package prune

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// prediction is how the removed channels of a site follow from those that are
// kept: x_R = A x_S + c, the best linear one on the samples.
type prediction struct {
	site       *site
	kept, gone []int
	a          []float64 // [gone, kept]; nil: the mean alone
	c          []float64 // [gone]; nil: nothing
}

// predict solves for A = S_RS (S_SS + ridge)^-1 and c = mean_R - A mean_S.
func (s *site) predict(gone []bool, how Compensation, ridge float64) prediction {
	pr := prediction{site: s}
	pr.kept, pr.gone = s.split(gone)
	if s.gram == nil || how == NoCompensation || len(pr.gone) == 0 {
		return pr
	}
	pr.c = make([]float64, len(pr.gone))
	for i, r := range pr.gone {
		pr.c[i] = s.gram.mean[r]
	}
	if how == BiasOnly || !pr.solve(ridge) {
		return pr
	}
	for i := range pr.gone {
		for j, k := range pr.kept {
			pr.c[i] -= pr.a[i*len(pr.kept)+j] * s.gram.mean[k]
		}
	}
	return pr
}

func (pr *prediction) solve(ridge float64) bool {
	s, k, n := pr.site, len(pr.kept), pr.site.width
	if k == 0 {
		return false
	}
	left := make([]float64, k*k)
	for i, x := range pr.kept {
		for j, y := range pr.kept {
			left[i*k+j] = s.gram.cov[x*n+y]
		}
	}
	lambda := ridgeOf(left, k, ridge)
	for i := range k {
		left[i*k+i] += lambda
	}
	t, ok := lapack64.Potrf(blas64.Symmetric{N: k, Stride: k, Data: left, Uplo: blas.Upper})
	if !ok {
		return false
	}
	right := make([]float64, k*len(pr.gone)) // [kept, gone]
	for i, x := range pr.kept {
		for j, y := range pr.gone {
			right[i*len(pr.gone)+j] = s.gram.cov[x*n+y]
		}
	}
	lapack64.Potrs(t, blas64.General{Rows: k, Cols: len(pr.gone), Stride: len(pr.gone), Data: right})
	pr.a = make([]float64, len(right))
	for i := range k {
		for j := range pr.gone {
			pr.a[j*k+i] = right[i*len(pr.gone)+j]
		}
	}
	return true
}

// absorbed is what becomes of a reader: its weights, zero for the removed
// channels, and what is added to each output channel.
func (pr *prediction) absorbed(l *layer) (dense, []float64) {
	w := l.dense()
	rows, k := len(w.at)/w.cols, len(pr.kept)
	lost := make([]float64, rows*len(pr.gone))
	for r := range rows {
		row := w.at[r*w.cols : (r+1)*w.cols]
		for j, c := range pr.gone {
			lost[r*len(pr.gone)+j], row[c] = row[c], 0
		}
	}
	shift := make([]float64, l.cout)
	if len(pr.gone) == 0 {
		return w, shift
	}
	for i, c := range pr.c {
		for r := range rows {
			shift[r/w.taps] += lost[r*len(pr.gone)+i] * c
		}
	}
	if pr.a != nil {
		more := blas64.General{Rows: rows, Cols: k, Stride: k, Data: make([]float64, rows*k)}
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1,
			blas64.General{Rows: rows, Cols: len(pr.gone), Stride: len(pr.gone), Data: lost},
			blas64.General{Rows: len(pr.gone), Cols: k, Stride: k, Data: pr.a}, 0, more)
		for r := range rows {
			for j, c := range pr.kept {
				w.at[r*w.cols+c] += more.Data[r*k+j]
			}
		}
	}
	return w, shift
}
