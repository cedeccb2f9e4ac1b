package layerwise

// Table is a weight [Groups, Rows, Cols] whose elements are numbers of one
// list, multiplied by the factor of their channel.
type Table struct {
	Value  []float32 // the list
	Index  []int32   // of each element's number
	Factor []float32 // by channel
}

// weight is the weight that the numbers v make.
func (t *Table) weight(v []float64, cols int) []float32 {
	out := make([]float32, len(t.Index))
	for i, at := range t.Index {
		out[i] = float32(v[at]) * t.Factor[i/cols]
	}
	return out
}

// gather adds up, for each number, what its elements have in w times their factors.
func (t *Table) gather(w []float32, cols int) []float64 {
	out := make([]float64, len(t.Value))
	for i, at := range t.Index {
		out[at] += float64(w[i]) * float64(t.Factor[i/cols])
	}
	return out
}

// The bounds of the search for the best table.
const (
	tableRounds = 12   // of conjugate gradients
	tableRidge  = 1e-3 // pull towards the numbers as they are, as a share of what each weighs
)

// Refine moves the numbers of the table so that the layer comes closest to the
// target, of the base plus what Refit would add, while every element keeps
// its number: least squares by conjugate gradients.
func (f *Fit) Refine(base []float32, t *Table) ([]float32, error) {
	c := &tableFit{Fit: f, table: t}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	start := make([]float64, len(t.Value))
	for i, v := range t.Value {
		start[i] = float64(v)
	}
	wanted := t.weight(start, f.Moments.Layer.Cols)
	for i, v := range base {
		wanted[i] = v - wanted[i]
	}
	left, err := c.spread(wanted)
	if err != nil {
		return nil, err
	}
	l := f.Moments.Layer
	for g := range l.Groups {
		for i, v := range f.Moments.cross(g, f.Centred) {
			left[g*l.Rows*l.Cols+i] += v
		}
	}
	move, err := c.solve(t.gather(left, l.Cols))
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(start))
	for i, v := range start {
		out[i] = float32(v + move[i])
	}
	return out, nil
}

// tableFit is one search for a table.
type tableFit struct {
	*Fit
	table *Table
	cov   [][]float32 // by group
	ridge []float64
}

func (c *tableFit) prepare() error {
	l := c.Moments.Layer
	c.ridge = make([]float64, len(c.table.Value))
	for g := range l.Groups {
		wide := c.Moments.covariance(g, c.Centred)
		cov := make([]float32, len(wide))
		for i, v := range wide {
			cov[i] = float32(v)
		}
		c.cov = append(c.cov, cov)
		for r := range l.Rows {
			factor := float64(c.table.Factor[g*l.Rows+r])
			from := (g*l.Rows + r) * l.Cols
			for k, at := range c.table.Index[from : from+l.Cols] {
				c.ridge[at] += tableRidge * factor * factor * wide[k*l.Cols+k]
			}
		}
	}
	return nil
}

// spread is w times the covariances.
func (c *tableFit) spread(w []float32) ([]float32, error) {
	l := c.Moments.Layer
	out := make([]float32, 0, len(w))
	for g := range l.Groups {
		part, err := c.tools.multiply(w[g*l.Rows*l.Cols:(g+1)*l.Rows*l.Cols], c.cov[g], l.Rows, l.Cols, l.Cols)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// solve finds d with A d = b, where A d is what moving the numbers by d does to the sums that gather takes.
func (c *tableFit) solve(b []float64) ([]float64, error) {
	cols := c.Moments.Layer.Cols
	d := make([]float64, len(b))
	r := append([]float64(nil), b...)
	p := append([]float64(nil), b...)
	rr := dot(r, r)
	least := 1e-8 * rr
	for range tableRounds {
		if !(rr > least) {
			break
		}
		spread, err := c.spread(c.table.weight(p, cols))
		if err != nil {
			return nil, err
		}
		q := c.table.gather(spread, cols)
		for i := range q {
			q[i] += c.ridge[i] * p[i]
		}
		curve := dot(p, q)
		if !(curve > 0) {
			break
		}
		step := rr / curve
		for i := range d {
			d[i] += step * p[i]
			r[i] -= step * q[i]
		}
		next := dot(r, r)
		for i := range p {
			p[i] = r[i] + next/rr*p[i]
		}
		rr = next
	}
	return d, nil
}

func dot(a, b []float64) float64 {
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
