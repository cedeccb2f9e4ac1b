package layerwise

import "sync"

// Fit rebuilds one layer from moments: it holds a factor for each group.
type Fit struct {
	Moments *Moments
	// Centred says that a bias takes up the means, so that only what varies has to be met.
	Centred bool

	tools   Tools
	unit    int
	factors []*factor // by group; nil where the windows never vary
}

// Tools are what the arithmetic runs on.
type Tools struct {
	Multiply Multiply // nil: in Go
	Batch    Batch    // nil: in Go
	Threads  int
	Scratch  *Scratch // memory for matrices, from one use to the next; may be nil
}

// Scratch keeps the memory of large matrices for the next ones.
type Scratch struct {
	mu   sync.Mutex
	free [][]float32
}

// take is a slice of n elements of any content.
func (s *Scratch) take(n int) []float32 {
	if s == nil {
		return make([]float32, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := len(s.free) - 1; k >= 0 {
		b := s.free[k]
		if s.free = s.free[:k]; cap(b) >= n {
			return b[:n]
		}
	}
	return make([]float32, n, max(n, mostFloats/2))
}

func (s *Scratch) give(b []float32) {
	if s == nil || cap(b) < mostFloats/2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, b)
}

// Batch is n products of matrices at a time, as calib.Product.Batch.
type Batch func(a, b []float32, n, rows, inner, cols int, turned bool, use func(c []float32)) error

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

// Damping makes a covariance of few windows safe to invert.
type Damping struct {
	Ridge  float64 // is added to the diagonal, as a share of its mean
	Shrink float64 // share by which the elements beside the diagonal are made smaller
	Unit   int     // columns that Fit.Round treats together; 0: one
}

// NewFit factors the covariances with a ridge of the given share of their mean diagonal.
func NewFit(m *Moments, ridge float64, centred bool, tools Tools) *Fit {
	return NewDampedFit(m, Damping{Ridge: ridge}, centred, tools)
}

// NewDampedFit factors the damped covariances.
func NewDampedFit(m *Moments, d Damping, centred bool, tools Tools) *Fit {
	l := m.Layer
	f := &Fit{Moments: m, Centred: centred, tools: tools, unit: max(d.Unit, 1), factors: make([]*factor, l.Groups)}
	tools.each(l.Groups, func(g int) { f.factors[g] = newFactor(m.covariance(g, centred), l.Cols, d) })
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
// depend on the output channel, with error feedback: see factor.round. The units of the damping do not count.
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
		return f.factors[g].roundOne(rows, own, f.product(), each)
	})
}

// RoundUnits is Round for a grid that depends on the column too and rounds the
// columns of a unit (see Damping) together. Channels count through the groups.
func (f *Fit) RoundUnits(w []float32, grid Grid) error {
	l := f.Moments.Layer
	return f.groups(w, func(g int, rows []float32, each func(int, func(int))) error {
		own := func(row, col int, v, metric []float32) { grid(g*l.Rows+row, col, v, metric) }
		if f.factors[g] == nil {
			Nearest(rows, l.Cols, f.unit, own)
			return nil
		}
		return f.factors[g].round(rows, f.unit, own, f.product(), each)
	})
}

// Nearest rounds rows of the given number of columns unit by unit, each by itself.
func Nearest(w []float32, cols, unit int, grid Grid) {
	for from := 0; from < len(w); from += cols {
		for col := 0; col < cols; col += unit {
			grid(from/cols, col, w[from+col:from+min(col+unit, cols)], nil)
		}
	}
}

// Scales are the factors by which output channels of a layer whose weight [Groups, Rows,
// Cols] is w have to be multiplied so that they come closest to the target, of the
// base plus what Refit would add: (w^T (C b + c)) / (w^T C w), with c the
// covariance of target and input; 1 where w says nothing.
func (f *Fit) Scales(base, w []float32) ([]float64, error) {
	l := f.Moments.Layer
	out := make([]float64, 0, l.Channels())
	for g := range l.Groups {
		c64 := f.Moments.covariance(g, f.Centred)
		c := make([]float32, len(c64))
		for i, v := range c64 {
			c[i] = float32(v)
		}
		rows := w[g*l.Rows*l.Cols : (g+1)*l.Rows*l.Cols]
		spread, err := f.tools.multiply(rows, c, l.Rows, l.Cols, l.Cols)
		if err != nil {
			return nil, err
		}
		cross := f.Moments.cross(g, f.Centred)
		for r := range l.Rows {
			from := r * l.Cols
			own := base[(g*l.Rows+r)*l.Cols:]
			var num, den float64
			for k, v := range rows[from : from+l.Cols] {
				num += float64(spread[from+k])*float64(own[k]) + float64(v)*float64(cross[from+k])
				den += float64(spread[from+k]) * float64(v)
			}
			if !(den > 0) || !(num > 0) {
				num, den = 1, 1
			}
			out = append(out, num/den)
		}
	}
	return out, nil
}
