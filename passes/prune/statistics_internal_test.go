package prune

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// correlated is a site of n channels with the covariance of random mixtures;
// the last copies of the first ones, if any, differ from them by a little noise.
func correlated(n, copies int, seed uint64) *site {
	rng := rand.New(rand.NewPCG(seed, 1))
	const rows = 4000
	x := mat.NewDense(rows, n, nil)
	for i := range rows {
		for j := range n {
			v := rng.NormFloat64()
			if j > 0 {
				v += 0.5 * x.At(i, j-1)
			}
			if j >= n-copies {
				v = 2*x.At(i, j-(n-copies)) + 1e-3*v
			}
			x.Set(i, j, v)
		}
	}
	s := &site{width: n, groups: 1, atoms: map[int][]int{}, gram: &gram{rows: rows, mean: make([]float64, n), cov: make([]float64, n*n)}}
	for j := range n {
		s.classes = append(s.classes, j)
		s.atoms[j] = []int{j}
		for i := range rows {
			s.gram.mean[j] += x.At(i, j) / rows
		}
	}
	for a := range n {
		for b := range n {
			for i := range rows {
				s.gram.cov[a*n+b] += (x.At(i, a) - s.gram.mean[a]) * (x.At(i, b) - s.gram.mean[b]) / rows
			}
		}
	}
	return s
}

// reader is a product of matrices over n channels.
func reader(n, outs int, seed uint64) *layer {
	rng := rand.New(rand.NewPCG(seed, 2))
	l := &layer{cout: outs, cin: n, groups: 1, out: 0, in: 1}
	l.w.dims = []int64{int64(outs), int64(n)}
	for range outs * n {
		l.w.at = append(l.w.at, rng.NormFloat64())
	}
	return l
}

// What merging makes of the weights is what least squares on the kept channels would: W S_AS S_SS^-1.
func TestMergeIsLeastSquares(t *testing.T) {
	const n, outs = 9, 4
	s, l := correlated(n, 0, 3), reader(n, outs, 3)
	gone := make([]bool, n)
	gone[1], gone[4], gone[8] = true, true, true
	pr := s.predict(gone, Merge, 1e-12)
	w, shift := pr.absorbed(l)
	k := len(pr.kept)
	all, some, right := mat.NewDense(outs, n, l.w.at), mat.NewDense(k, k, nil), mat.NewDense(n, k, nil)
	for j, y := range pr.kept {
		for i := range n {
			right.Set(i, j, s.gram.cov[i*n+y])
		}
		for i, x := range pr.kept {
			some.Set(i, j, s.gram.cov[x*n+y])
		}
	}
	var inverse, want mat.Dense
	if err := inverse.Inverse(some); err != nil {
		t.Fatal(err)
	}
	want.Product(all, right, &inverse)
	for m := range outs {
		bias := 0.0
		for i := range n {
			bias += l.w.at[m*n+i] * s.gram.mean[i]
		}
		for j, c := range pr.kept {
			if got := w.at[m*n+c]; math.Abs(got-want.At(m, j)) > 1e-8 {
				t.Errorf("weight %d, %d is %g, least squares gives %g", m, c, got, want.At(m, j))
			}
			bias -= want.At(m, j) * s.gram.mean[c]
		}
		if math.Abs(bias-shift[m]) > 1e-8 {
			t.Errorf("bias %d moves by %g, least squares by %g", m, shift[m], bias)
		}
	}
}

// Elimination takes the copies first, for almost nothing, and its costs are the errors that least squares leaves.
func TestEliminationFindsCopies(t *testing.T) {
	const n, outs, copies = 12, 5, 3
	s, l := correlated(n, copies, 7), reader(n, outs, 7)
	s.readers = []*layer{l}
	e := newElimination(s, 1e-9)
	m := s.importance()
	var gone []int
	cost := 0.0
	for range copies {
		best := -1
		for c := range n {
			if e.from[c] >= 0 && e.h[c*n+c] > 0 && (best < 0 || e.cost([]int{c}) < e.cost([]int{best})) {
				best = c
			}
		}
		cost += e.cost([]int{best})
		e.remove([]int{best})
		gone = append(gone, best)
	}
	for _, c := range gone {
		if c >= copies && c < n-copies {
			t.Errorf("channel %d, of which there is no copy, went before one of which there is", c)
		}
	}
	if want := residual(s, m, gone); math.Abs(cost-want) > 1e-3*want+1e-9 {
		t.Errorf("the costs add up to %g, least squares leaves %g", cost, want)
	}
	next := e.cost([]int{copies + 1})
	if next < 100*cost {
		t.Errorf("a channel without a copy costs %g, three copies %g", next, cost)
	}
}

// residual is tr(M_RR (S_RR - S_RS S_SS^-1 S_SR)).
func residual(s *site, m []float64, channels []int) float64 {
	gone := make([]bool, s.width)
	for _, c := range channels {
		gone[c] = true
	}
	pr := s.predict(gone, Merge, 1e-12)
	n, k, sum := s.width, len(pr.kept), 0.0
	for i, a := range pr.gone {
		for _, b := range pr.gone {
			left := s.gram.cov[a*n+b]
			for x, c := range pr.kept {
				left -= pr.a[i*k+x] * s.gram.cov[c*n+b]
			}
			sum += m[min(a, b)*n+max(a, b)] * left
		}
	}
	return sum
}

// A curve meets what was measured at the levels, never falls, and keeps its shape in between.
func TestBendMeetsMeasurements(t *testing.T) {
	c := curve{order: make([]int, 8), cost: []float64{1, 2, 3, 4, 5, 6, 7, 8}, limit: 8, unit: 1}
	c.bend(0, []int{2, 5, 8}, []float64{30, 20, 400}, 0)
	sum := func(k int) (s float64) {
		for _, x := range c.cost[:k] {
			s += x
		}
		return s
	}
	for k, want := range map[int]float64{1: 10, 2: 30, 5: 30, 8: 400} {
		if got := sum(k); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d classes cost %g, want %g", k, got, want)
		}
	}
}
