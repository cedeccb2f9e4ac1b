package weights

import (
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// visit measures one layer and rounds its weight.
func (w *walk) visit(s *stop) error {
	src, err := s.source(nil, 1)
	if err != nil {
		return err
	}
	m, err := w.measure(s, src.X)
	if err != nil {
		return err
	}
	if s.shared {
		return w.shift(s, m)
	}
	if err := s.fit(src); err != nil || s.Why != "" {
		return err
	}
	best := &candidate{coding: s.Coding, how: HowNearest, x: s.nearest(src.X)}
	if m.check.XX != nil && m.fit.N > 0 && m.check.N > 0 {
		if best, err = w.best(s, m, src, best); err != nil {
			return err
		}
	} else if err := w.judge(s, m, best); err != nil {
		return err
	}
	s.Coding = best.coding
	s.set(best.x, src.X, best.how)
	s.Shifts[s.reader] = best.shift
	if !w.o.Alone {
		w.replace(s.Item)
		best.shift.apply(s.node)
	}
	return nil
}

// shift corrects the bias of a layer whose weight is rounded already.
func (w *walk) shift(s *stop, m *measured) error {
	if s.Stored == nil {
		return nil
	}
	x, err := s.Stored.Float32s()
	if err != nil {
		return err
	}
	c := &candidate{x: Matrix(s.Layout, x)}
	if err := w.judge(s, m, c); err != nil {
		return err
	}
	s.Shifts[s.reader] = c.shift
	if !w.o.Alone {
		c.shift.apply(s.node)
	}
	return nil
}

// candidate is a way to store a layer's weight.
type candidate struct {
	coding Coding
	how    string
	x      []float32 // rounded, in the order of the matrix
	shift  Shift
	loss   float64
}

// judge corrects the bias and measures the error on the samples put aside, where products were taken.
func (w *walk) judge(s *stop, m *measured, c *candidate) error {
	delta := make([]float32, len(c.x))
	for i, v := range c.x {
		delta[i] = v - m.base[i]
	}
	c.shift = make(Shift, s.Channels)
	if s.biased && w.o.Bias && m.fit.N+m.check.N > 0 {
		c.shift = m.scatter.Shift(delta)
	}
	if m.check.XX == nil {
		return nil
	}
	var err error
	c.loss, err = m.check.Error(delta, c.shift, w.tools())
	return err
}

func (w *walk) tools() layerwise.Tools {
	return layerwise.Tools{Threads: w.threads(), Multiply: func(a, b []float32, rows, inner, cols int) ([]float32, error) {
		return w.product.Of(w.ctx, a, b, rows, inner, cols)
	}}
}

// best tries the ways to round and takes the one of least error.
func (w *walk) best(s *stop, m *measured, src *Source, best *candidate) (*candidate, error) {
	if err := w.judge(s, m, best); err != nil {
		return nil, err
	}
	s.Judged, s.Before = true, best.loss/float64(s.Channels)
	keep := func(list []*candidate, err error) error {
		for _, c := range list {
			if err := w.judge(s, m, c); err != nil {
				return err
			}
			if c.loss < best.loss {
				best = c
			}
		}
		return err
	}
	for i, ridge := range w.o.Ridges {
		d := layerwise.Damping{Ridge: ridge, Unit: best.coding.Unit()}
		if k := float64(s.Cols); m.fit.N < 4*k {
			d.Shrink = k / (k + m.fit.N)
		}
		r := &refitting{walk: w, stop: s, m: m, fit: layerwise.NewDampedFit(m.fit, d, s.biased && w.o.Bias, w.tools()), ridge: ridge}
		if i == 0 && w.o.Feedback {
			if err := keep(r.make(src, HowFeedback)); err != nil {
				return nil, err
			}
		}
		if w.o.Refit {
			if err := keep(r.make(src, HowRefit)); err != nil {
				return nil, err
			}
		}
	}
	s.After = best.loss / float64(s.Channels)
	return best, nil
}

// refitting makes candidates with one fit.
type refitting struct {
	*walk
	*stop
	m     *measured
	fit   *layerwise.Fit
	ridge float64
}

// make rounds the weight in one of the ways: as it comes, and with tables and
// scales moved behind it. There is none when the format does not take the weight.
func (r *refitting) make(src *Source, how string) ([]*candidate, error) {
	own := *src
	own.Importance, own.Groups = r.importance(), r.matrix.Groups
	if how == HowRefit {
		change, err := r.fit.Refit()
		if err != nil {
			return nil, err
		}
		for i, v := range src.X {
			change[i] += v
		}
		own.X = change
	}
	coding, why, err := r.Format.Fit(&own)
	if err != nil || why != "" {
		return nil, err
	}
	c := &candidate{coding: coding, how: how, x: append([]float32(nil), own.X...)}
	if err := r.round(c); err != nil {
		return nil, err
	}
	moved, err := r.moved(*c)
	return []*candidate{c, moved}, err
}

// moved is the candidate with the best tables and scales for its codes, as far as they may move.
func (r *refitting) moved(c candidate) (*candidate, error) {
	c.x = append([]float32(nil), c.x...)
	if r.o.Retable {
		if err := r.retable(&c); err != nil {
			return nil, err
		}
	}
	if r.o.Rescale {
		if err := r.rescale(&c); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// retable keeps the codes and moves the entries of the table to where they come closest to the target.
func (r *refitting) retable(c *candidate) error {
	coding, ok := c.coding.(Tabled)
	if !ok {
		return nil
	}
	t := coding.Table(c.x)
	if t == nil {
		return nil
	}
	value, err := r.fit.Refine(r.m.base, t)
	if err != nil {
		return err
	}
	c.coding = coding.Retabled(value)
	for i, at := range t.Index {
		c.x[i] = value[at] * t.Factor[i/r.Cols]
	}
	layerwise.Nearest(c.x, r.Cols, c.coding.Unit(), c.coding.Round)
	return nil
}

// importance are the variances of the inputs with the ridge of the fit: what
// hardly varied on the samples may do so elsewhere.
func (r *refitting) importance() []float32 {
	v := r.m.fit.Variance(r.fit.Centred)
	for g := range r.matrix.Groups {
		own, sum := v[g*r.Cols:(g+1)*r.Cols], 0.0
		for _, x := range own {
			sum += float64(x)
		}
		for i := range own {
			own[i] += float32(r.ridge * sum / float64(r.Cols))
		}
	}
	return v
}

// round rounds the candidate's matrix, with feedback where that is asked for.
func (r *refitting) round(c *candidate) error {
	if r.o.Feedback {
		return r.fit.RoundUnits(c.x, c.coding.Round)
	}
	layerwise.Nearest(c.x, r.Cols, c.coding.Unit(), c.coding.Round)
	return nil
}

// The factors that rescaling may use: more would mean that the fit is not to be trusted.
const (
	leastFactor = 0.5
	mostFactor  = 2
)

// rescale keeps the codes and multiplies the scales of each channel by what brings it closest to the target.
func (r *refitting) rescale(c *candidate) error {
	factors, err := r.fit.Scales(r.m.base, c.x)
	if err != nil {
		return err
	}
	by := make([]float32, len(factors))
	for i, f := range factors {
		by[i] = float32(min(max(f, leastFactor), mostFactor))
	}
	scaled := c.coding.Scaled(by)
	if scaled == nil {
		return nil
	}
	x := append([]float32(nil), c.x...)
	for i := range x {
		x[i] *= by[i/r.Cols]
	}
	layerwise.Nearest(x, r.Cols, scaled.Unit(), scaled.Round)
	c.coding, c.x = scaled, x
	return nil
}
