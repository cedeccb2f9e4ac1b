package weights

import (
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

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
