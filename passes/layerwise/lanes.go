package layerwise

import "gonum.org/v1/gonum/blas/blas32"

// lanes are the rows of a weight side by side: column i of all rows, in the
// factor's order, is one vector. What is done for every row is then done with whole vectors.
type lanes struct {
	*factor
	x        []float32 // [n, rows]
	rows     int
	multiply Multiply
	each     func(n int, fn func(i int))
}

// newLanes turns rows of n elements.
func newLanes(f *factor, w []float32, multiply Multiply, each func(n int, fn func(i int))) *lanes {
	l := &lanes{f, make([]float32, len(w)), len(w) / f.n, multiply, each}
	for k := range l.rows {
		row := w[k*f.n : (k+1)*f.n]
		for i, at := range f.order {
			l.x[i*l.rows+k] = row[at]
		}
	}
	return l
}

// restore is the inverse of newLanes, into w.
func (l *lanes) restore(w []float32) {
	for i, at := range l.order {
		for k, v := range l.lane(i) {
			w[k*l.n+at] = v
		}
	}
}

func (l *lanes) lane(i int) []float32 { return l.x[i*l.rows : (i+1)*l.rows] }

// share is how many rows one call works on.
const share = 64

// shares calls fn for parts [a, b) of the rows.
func (l *lanes) shares(fn func(a, b int)) {
	l.each((l.rows+share-1)/share, func(i int) { fn(i*share, min((i+1)*share, l.rows)) })
}

// solve replaces every row b of w, n elements each, by x with x H = b.
func (f *factor) solve(w []float32, multiply Multiply, each func(n int, fn func(i int))) error {
	l := newLanes(f, w, multiply, each)
	for lo := 0; lo < f.n; lo += block { // y R = b
		hi := min(lo+block, f.n)
		l.shares(func(a, b int) { l.forward(lo, hi, a, b) })
		if err := l.subtract(f.right(lo, hi), lo, hi, hi, f.n); err != nil {
			return err
		}
	}
	for hi := f.n; hi > 0; { // x R^T = y
		lo := (hi - 1) / block * block
		l.shares(func(a, b int) { l.backward(lo, hi, a, b) })
		if err := l.subtract(f.above(lo, hi), lo, hi, 0, lo); err != nil {
			return err
		}
		hi = lo
	}
	l.restore(w)
	return nil
}

// subtract takes a times the columns [lo, hi) from those of [from, to).
func (l *lanes) subtract(a []float32, lo, hi, from, to int) error {
	if from == to {
		return nil
	}
	d, err := l.multiply(a, l.x[lo*l.rows:hi*l.rows], to-from, hi-lo, l.rows)
	for i, v := range d {
		l.x[from*l.rows+i] -= v
	}
	return err
}

// above is the block of R of the rows [0, lo) and the columns [lo, hi).
func (f *factor) above(lo, hi int) []float32 {
	out := make([]float32, 0, lo*(hi-lo))
	for i := range lo {
		out = append(out, f.r[i*f.n+lo:i*f.n+hi]...)
	}
	return out
}

// right is the transpose of the block of R of the rows [lo, hi) and the columns behind them.
func (f *factor) right(lo, hi int) []float32 {
	out := make([]float32, (f.n-hi)*(hi-lo))
	for i := lo; i < hi; i++ {
		for j, v := range f.r[i*f.n+hi : (i+1)*f.n] {
			out[j*(hi-lo)+i-lo] = v
		}
	}
	return out
}

func (l *lanes) forward(lo, hi, a, b int) {
	for i := lo; i < hi; i++ {
		y, row := l.lane(i)[a:b], l.r[i*l.n:(i+1)*l.n]
		for k := range y {
			y[k] /= row[i]
		}
		for j := i + 1; j < hi; j++ {
			addTimes(l.lane(j)[a:b], -row[j], y)
		}
	}
}

func (l *lanes) backward(lo, hi, a, b int) {
	for i := hi - 1; i >= lo; i-- {
		y, row := l.lane(i)[a:b], l.r[i*l.n:(i+1)*l.n]
		for j := i + 1; j < hi; j++ {
			addTimes(y, -row[j], l.lane(j)[a:b])
		}
		for k := range y {
			y[k] /= row[i]
		}
	}
}

// roundOne is round for units of one column and a grid that depends on the row alone.
func (f *factor) roundOne(w []float32, grid func(row int, v float32) float32, multiply Multiply, each func(n int, fn func(i int))) error {
	l := newLanes(f, w, multiply, each)
	carried := make([]float32, len(w)) // R e, of the columns that are rounded
	for hi := f.n; hi > 0; {
		lo := (hi - 1) / block * block
		errors := make([]float32, (hi-lo)*l.rows)
		l.shares(func(a, b int) { l.roundBlock(carried, errors, lo, hi, a, b, grid) })
		if lo > 0 {
			d, err := multiply(f.above(lo, hi), errors, lo, hi-lo, l.rows)
			if err != nil {
				return err
			}
			for i, v := range d {
				carried[i] += v
			}
		}
		hi = lo
	}
	l.restore(w)
	return nil
}

// roundBlock rounds the columns [lo, hi) of the rows [a, b).
func (l *lanes) roundBlock(carried, errors []float32, lo, hi, a, b int, grid func(int, float32) float32) {
	for i := hi - 1; i >= lo; i-- {
		s, row := carried[i*l.rows+a:i*l.rows+b], l.r[i*l.n:(i+1)*l.n]
		for j := i + 1; j < hi; j++ {
			addTimes(s, row[j], errors[(j-lo)*l.rows+a:(j-lo)*l.rows+b])
		}
		x, e := l.lane(i)[a:b], errors[(i-lo)*l.rows+a:(i-lo)*l.rows+b]
		for k, v := range x {
			q := grid(a+k, v+s[k]/row[i])
			e[k], x[k] = v-q, q
		}
	}
}

// addTimes adds f x to y.
func addTimes(y []float32, f float32, x []float32) {
	if len(y) < 16 {
		for k, v := range x {
			y[k] += f * v
		}
		return
	}
	blas32.Axpy(f, blas32.Vector{N: len(x), Inc: 1, Data: x}, blas32.Vector{N: len(y), Inc: 1, Data: y})
}
