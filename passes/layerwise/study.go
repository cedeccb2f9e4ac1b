package layerwise

import (
	"slices"

	"github.com/onnxpass/onnxpass/calib"
)

// Study takes moments of a layer from what it was seen to read and what it
// should compute: with all positions of many samples in one matrix, products are fast.
type Study struct {
	Layer *Layer
	Base  []float32 // weight in the order of Matrix; moments are of the target's distance from what it computes
	Bias  []float32 // bias of the base, nil for none
	Tools Tools
}

// Sight is one sample of a layer.
type Sight struct {
	input  *Input
	target *Target
	view   *view
	sums   []float64 // of the windows, over all positions

	offsets [][]int32     // of the windows at the target's positions; made for Moments
	table   *[256]float32 // what codes stand for; likewise
}

// Sight joins input and target. It is nil when they are not finite: such a sample tells nothing.
func (s *Study) Sight(in *Input, t *Target) (*Sight, error) {
	v, err := newView(s.Layer, in.Shape, t.shape)
	if err != nil {
		return nil, err
	}
	sums := v.sums(in)
	if !t.finite || slices.ContainsFunc(sums, func(f float64) bool { return f-f != 0 }) {
		return nil, nil
	}
	return &Sight{input: in, target: t, view: v, sums: sums}, nil
}

// mostFloats bounds the matrix of windows that is in memory at a time.
const mostFloats = 1 << 21

// Moments are sums over the positions that the targets hold, with second moments.
func (s *Study) Moments(sights []*Sight) (*Moments, error) {
	m := NewMoments(s.Layer, true)
	s.Tools.each(len(sights), func(i int) {
		if w := sights[i]; w.table == nil {
			w.offsets, w.table = w.view.offsets(w.target.at), w.input.decoded()
		}
	})
	most := max(1, mostFloats/s.Layer.Cols)
	for len(sights) > 0 {
		n, positions := 0, 0
		for n < len(sights) && (n == 0 || positions+len(sights[n].target.at) <= most) {
			positions += len(sights[n].target.at)
			n++
		}
		take := s.together
		if s.Layer.Groups > 1 {
			take = s.apart
		}
		if err := take(m, sights[:n], positions); err != nil {
			return nil, err
		}
		m.N += float64(positions)
		sights = sights[n:]
	}
	m.mirror()
	return m, nil
}

// mirror fills the second moments below the diagonal.
func (m *Moments) mirror() {
	k := m.Layer.Cols
	for g := range m.Layer.Groups {
		xx := m.XX[g*k*k : (g+1)*k*k]
		for i := range k {
			for j := range i {
				xx[i*k+j] = xx[j*k+i]
			}
		}
	}
}

// starts are where the positions of each sight begin in a matrix of all.
func starts(sights []*Sight) []int {
	out, at := make([]int, len(sights)), 0
	for i, s := range sights {
		out[i] = at
		at += len(s.target.at)
	}
	return out
}

// rows is how many rows of a product are computed at once, whatever the number of threads.
const rows = 128

// together adds sights of a layer of one group.
func (s *Study) together(m *Moments, sights []*Sight, positions int) error {
	l := s.Layer
	x := s.Tools.Scratch.take((l.Cols + 1) * positions) // windows, and a row of ones for their sums
	defer s.Tools.Scratch.give(x)
	from := starts(sights)
	s.Tools.each(len(sights), func(i int) {
		sights[i].gather(0, sights[i].view.channels, x, from[i], positions)
	})
	for i := range positions {
		x[l.Cols*positions+i] = 1
	}
	upper := (l.Cols + rows - 1) / rows
	return s.Tools.tasks(upper+(l.Rows+rows-1)/rows, func(i int) error {
		if i < upper {
			return s.squares(m, x, i*rows, positions)
		}
		return s.distances(m, sights, x, (i-upper)*rows, positions)
	})
}

// squares adds the second moments of the windows' rows from lo on, above the diagonal.
func (s *Study) squares(m *Moments, x []float32, lo, positions int) error {
	cols := s.Layer.Cols
	hi := min(lo+rows, cols)
	width := cols + 1 - lo
	return s.Tools.batch(x[lo*positions:hi*positions], x[lo*positions:], 1, hi-lo, positions, width, true, func(c []float32) {
		for i := lo; i < hi; i++ {
			line := c[(i-lo)*width : (i-lo+1)*width]
			to := m.XX[i*cols+lo : (i+1)*cols]
			for j := range to {
				to[j] += line[j]
			}
			m.X[i] += float64(line[width-1])
		}
	})
}

// distances adds the moments of d for the output channels from lo on.
func (s *Study) distances(m *Moments, sights []*Sight, x []float32, lo, positions int) error {
	l := s.Layer
	hi := min(lo+rows, l.Rows)
	d := s.Tools.Scratch.take((hi - lo) * positions)
	defer s.Tools.Scratch.give(d)
	err := s.Tools.batch(s.Base[lo*l.Cols:hi*l.Cols], x[:l.Cols*positions], 1, hi-lo, l.Cols, positions, false, func(c []float32) {
		for r := lo; r < hi; r++ {
			to, computed := d[(r-lo)*positions:(r-lo+1)*positions], c[(r-lo)*positions:]
			s.targets(sights, r, to)
			for j := range to {
				to[j] -= computed[j]
			}
			m.addDistance(r, to)
		}
	})
	if err != nil {
		return err
	}
	return s.Tools.batch(d, x[:l.Cols*positions], 1, hi-lo, positions, l.Cols, true, func(c []float32) {
		for i, v := range c {
			m.DX[lo*l.Cols+i] += v
		}
	})
}

// targets writes the targets of output channel r, less the bias.
func (s *Study) targets(sights []*Sight, r int, to []float32) {
	var bias float32
	if s.Bias != nil {
		bias = s.Bias[r]
	}
	at := 0
	for _, w := range sights {
		n := len(w.target.at)
		for j, y := range w.target.y[r*n : (r+1)*n] {
			to[at+j] = y - bias
		}
		at += n
	}
}

func (m *Moments) addDistance(r int, d []float32) {
	var sum, square float64
	for _, v := range d {
		f := float64(v)
		sum += f
		square += f * f
	}
	m.D[r] += sum
	m.DD[r] += square
}

// apart adds sights of a layer of several groups, a few groups at a time.
func (s *Study) apart(m *Moments, sights []*Sight, positions int) error {
	l := s.Layer
	size := (l.Cols + l.Rows + 1) * positions
	each := max(1, mostFloats/2/size)
	return s.Tools.tasks((l.Groups+each-1)/each, func(i int) error {
		return s.some(m, sights, i*each, min((i+1)*each, l.Groups), positions)
	})
}

// some adds the moments of groups [lo, hi). One matrix for each group holds the
// windows, then d, then ones: its product with its transpose has all moments.
func (s *Study) some(m *Moments, sights []*Sight, lo, hi, positions int) error {
	l := s.Layer
	n := l.Cols + l.Rows + 1
	x := s.Tools.Scratch.take((hi - lo) * n * positions)
	defer s.Tools.Scratch.give(x)
	w := make([]float32, (hi-lo)*l.Rows*n)
	channels := l.Cols / l.taps()
	from := starts(sights)
	for g := lo; g < hi; g++ {
		part := x[(g-lo)*n*positions : (g-lo+1)*n*positions]
		for i, v := range sights {
			v.gather(g*channels, (g+1)*channels, part, from[i], positions)
		}
		clear(part[l.Cols*positions : (n-1)*positions])
		for j := range positions {
			part[(n-1)*positions+j] = 1
		}
		for r := range l.Rows {
			copy(w[((g-lo)*l.Rows+r)*n:], s.Base[(g*l.Rows+r)*l.Cols:(g*l.Rows+r+1)*l.Cols])
		}
	}
	err := s.Tools.batch(w, x, hi-lo, l.Rows, n, positions, false, func(c []float32) {
		for g := lo; g < hi; g++ {
			for r := range l.Rows {
				at := ((g-lo)*n + l.Cols + r) * positions
				to, computed := x[at:at+positions], c[((g-lo)*l.Rows+r)*positions:]
				s.targets(sights, g*l.Rows+r, to)
				for j := range to {
					to[j] -= computed[j]
				}
			}
		}
	})
	if err != nil {
		return err
	}
	return s.Tools.batch(x, x, hi-lo, n, positions, n, true, func(c []float32) {
		for g := lo; g < hi; g++ {
			m.addGroup(g, c[(g-lo)*n*n:(g-lo+1)*n*n])
		}
	})
}

// addGroup adds the product of windows, d and ones.
func (m *Moments) addGroup(g int, c []float32) {
	l := m.Layer
	n := l.Cols + l.Rows + 1
	for i := range l.Cols {
		for j, v := range c[i*n : i*n+l.Cols] {
			m.XX[(g*l.Cols+i)*l.Cols+j] += v
		}
		m.X[g*l.Cols+i] += float64(c[i*n+n-1])
	}
	for r := range l.Rows {
		row := c[(l.Cols+r)*n : (l.Cols+r+1)*n]
		for j, v := range row[:l.Cols] {
			m.DX[(g*l.Rows+r)*l.Cols+j] += v
		}
		m.DD[g*l.Rows+r] += float64(row[l.Cols+r])
		m.D[g*l.Rows+r] += float64(row[n-1])
	}
}

// Scatter are the sums by sample, over all positions.
func (s *Study) Scatter(sights []*Sight) (*Scatter, error) {
	l := s.Layer
	c := &Scatter{layer: l, tools: s.Tools}
	for _, w := range sights {
		c.n = append(c.n, float64(w.target.positions))
		c.x = append(c.x, w.sums)
	}
	computed, err := c.computed(s.Base)
	if err != nil {
		return nil, err
	}
	for i, w := range sights {
		d := slices.Clone(w.target.sum)
		for ch := range d {
			d[ch] -= computed[i][ch]
			if s.Bias != nil {
				d[ch] -= c.n[i] * float64(s.Bias[ch])
			}
		}
		c.d = append(c.d, d)
	}
	return c, nil
}

// tasks calls fn for 0 to n-1 on several goroutines.
func (t Tools) tasks(n int, fn func(i int) error) error {
	return calib.InTurn(n, max(1, t.Threads), func(i int, _ func(func() error) error) error { return fn(i) })
}

// batch multiplies n pairs of matrices: see calib.Product.Batch.
func (t Tools) batch(a, b []float32, n, rows, inner, cols int, turned bool, use func(c []float32)) error {
	if t.Batch != nil {
		return t.Batch(a, b, n, rows, inner, cols, turned, use)
	}
	out := make([]float32, 0, n*rows*cols)
	for i := range n {
		right := b[i*inner*cols : (i+1)*inner*cols]
		if turned {
			right = transpose(right, cols, inner)
		}
		c, err := plain(a[i*rows*inner:(i+1)*rows*inner], right, rows, inner, cols)
		if err != nil {
			return err
		}
		out = append(out, c...)
	}
	use(out)
	return nil
}

// transpose turns [rows, cols] round.
func transpose(x []float32, rows, cols int) []float32 {
	out := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = x[i*cols+j]
		}
	}
	return out
}
