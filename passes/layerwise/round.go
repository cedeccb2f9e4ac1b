package layerwise

// Grid replaces v, neighbouring elements of an output channel from column col
// on, by the values that are to be stored. Metric, row-major [len(v), len(v)],
// weighs their errors against each other.
type Grid func(channel, col int, v, metric []float32)

// round replaces every row of w, n elements each, by values of a grid, one unit
// after another from the inputs of largest variance to those of the least; each
// takes over, as far as it can, the error that those before it made in the
// output. What is left is that of Babai's nearest plane, which GPTQ reaches
// by way of the inverse.
func (f *factor) round(w []float32, unit int, grid Grid, multiply Multiply, each func(n int, fn func(i int))) error {
	n, rows := f.n, len(w)/f.n
	x := f.permuted(w)
	carried := make([]float32, len(w)) // R e, of the columns that are rounded
	for hi := n; hi > 0; {
		lo := (hi - 1) / block * block
		errors := make([]float32, rows*(hi-lo))
		each(rows, func(k int) {
			b := rounding{f, k, x[k*n : (k+1)*n], carried[k*n : (k+1)*n], errors[k*(hi-lo) : (k+1)*(hi-lo)], lo, hi}
			b.round(unit, grid)
		})
		if lo > 0 {
			d, err := multiply(errors, f.turned(lo, lo, hi), rows, hi-lo, lo)
			if err != nil {
				return err
			}
			accumulate(carried, d, n, 0, lo, 1)
		}
		hi = lo
	}
	f.restore(w, x)
	return nil
}

// rounding is one row within one block of columns [lo, hi), in the factor's order.
type rounding struct {
	*factor
	row                int
	x, carried, errors []float32
	lo, hi             int
}

// round goes through the units of the block. Units begin at multiples of their size.
func (b *rounding) round(unit int, grid Grid) {
	values, metric := make([]float32, unit), make([]float32, unit*unit)
	for hi := b.hi; hi > b.lo; {
		lo := max(b.lo, (hi-1)/unit*unit)
		v := values[:hi-lo]
		for i := hi - 1; i >= lo; i-- { // where the output would be met exactly
			s := b.open(i, hi)
			for j := i + 1; j < hi; j++ {
				s += b.r[i*b.n+j] * (b.x[j] - v[j-lo])
			}
			v[i-lo] = b.x[i] + s/b.r[i*b.n+i]
		}
		grid(b.row, b.order[lo], v, b.metric(metric, lo, hi))
		for i := lo; i < hi; i++ {
			b.errors[i-b.lo], b.x[i] = b.x[i]-v[i-lo], v[i-lo]
		}
		hi = lo
	}
}

// open is what the columns from hi on have left of row i of R e.
func (b *rounding) open(i, hi int) float32 {
	s := b.carried[i]
	row := b.r[i*b.n : (i+1)*b.n]
	for j := hi; j < b.hi; j++ {
		s += row[j] * b.errors[j-b.lo]
	}
	return s
}

// metric is R^T R of the columns [lo, hi).
func (b *rounding) metric(out []float32, lo, hi int) []float32 {
	n := hi - lo
	out = out[:n*n]
	for i := range n {
		for j := range n {
			var s float32
			for k := range min(i, j) + 1 {
				s += b.r[(lo+k)*b.n+lo+i] * b.r[(lo+k)*b.n+lo+j]
			}
			out[i*n+j] = s
		}
	}
	return out
}
