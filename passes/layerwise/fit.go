package layerwise

import "sync"

// Fit rebuilds one layer from moments: it holds a factor for each group.
type Fit struct {
	Moments *Moments
	// Centred says that a bias takes up the means, so that only what varies has to be met.
	Centred bool

	tools   Tools
	factors []*factor // by group; nil where the windows never vary
}

// Tools are what the arithmetic runs on.
type Tools struct {
	Multiply Multiply // nil: in Go
	Threads  int
}

// small is the number of multiplications from which Multiply is worth its call.
const small = 1 << 16

func (t Tools) multiply(a, b []float32, rows, inner, cols int) ([]float32, error) {
	if t.Multiply == nil || rows*inner*cols < small {
		return plain(a, b, rows, inner, cols)
	}
	return t.Multiply(a, b, rows, inner, cols)
}

// each calls fn for 0 to n-1 on several goroutines, in contiguous shares.
func (t Tools) each(n int, fn func(i int)) {
	threads := max(1, min(t.Threads, n))
	var group sync.WaitGroup
	for k := range threads {
		group.Go(func() {
			for i := k * n / threads; i < (k+1)*n/threads; i++ {
				fn(i)
			}
		})
	}
	group.Wait()
}

// alone calls fn for 0 to n-1 in turn.
func alone(n int, fn func(i int)) {
	for i := range n {
		fn(i)
	}
}

// NewFit factors the covariances with a ridge of the given share of their mean diagonal.
func NewFit(m *Moments, ridge float64, centred bool, tools Tools) *Fit {
	l := m.Layer
	f := &Fit{Moments: m, Centred: centred, tools: tools, factors: make([]*factor, l.Groups)}
	tools.each(l.Groups, func(g int) { f.factors[g] = newFactor(m.covariance(g, centred), l.Cols, ridge) })
	return f
}

// groups calls fn for the rows of each group of w [Groups, Rows, Cols]: one
// group after another with all threads, or, when there are many small ones, side by side.
func (f *Fit) groups(w []float32, fn func(g int, rows []float32, each func(int, func(int))) error) error {
	l := f.Moments.Layer
	size := l.Rows * l.Cols
	if l.Groups == 1 {
		return fn(0, w, f.tools.each)
	}
	errs := make([]error, l.Groups)
	f.tools.each(l.Groups, func(g int) { errs[g] = fn(g, w[g*size:(g+1)*size], alone) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// product multiplies for one group: several run side by side and do not share Multiply.
func (f *Fit) product() Multiply {
	if f.Moments.Layer.Groups > 1 {
		return plain
	}
	return f.tools.multiply
}

// Refit is the change of the weight [Groups, Rows, Cols] that brings the layer
// closest to the target: (E[d x^T]) (E[x x^T] + ridge)^-1, so that the ridge
// pulls towards the base.
func (f *Fit) Refit() ([]float32, error) {
	l := f.Moments.Layer
	out := make([]float32, 0, l.Len())
	for g := range l.Groups {
		out = append(out, f.Moments.cross(g, f.Centred)...)
	}
	err := f.groups(out, func(g int, rows []float32, each func(int, func(int))) error {
		if f.factors[g] == nil {
			clear(rows)
			return nil
		}
		return f.factors[g].solve(rows, f.product(), each)
	})
	return out, err
}

// Round replaces weights [Groups, Rows, Cols] by values of a grid, which may
// depend on the output channel, with error feedback: see factor.round.
func (f *Fit) Round(w []float32, grid func(channel int, v float32) float32) error {
	l := f.Moments.Layer
	return f.groups(w, func(g int, rows []float32, each func(int, func(int))) error {
		own := func(row int, v float32) float32 { return grid(g*l.Rows+row, v) }
		if f.factors[g] == nil {
			for i, v := range rows {
				rows[i] = own(i/l.Cols, v)
			}
			return nil
		}
		return f.factors[g].round(rows, own, f.product(), each)
	})
}
