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
