package mixed

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// trial is one assignment, stored and judged.
type trial struct {
	name   string // of the form, when there is one for all
	pick   []int  // choice by group
	items  []*weights.Item
	walked *weights.Walked // nil: rounded to nearest
	model  *graph.Model
	bytes  int64 // of the file
	stored int64 // of the weights in it

	found    []probe.Damage   // by set of samples; none: not judged
	accuracy *passes.Accuracy // nil without labels
	score    float64          // decades of loss, mean over the outputs; less is better
	took     time.Duration
}

// try stores and judges the assignment.
func (m *mixer) try(ctx context.Context, pick []int, name string) (*trial, error) {
	for _, t := range m.trials {
		if slices.Equal(t.pick, pick) {
			t.name = cmp.Or(t.name, name)
			return t, nil
		}
	}
	began := time.Now()
	t := &trial{name: name, pick: slices.Clone(pick)}
	if err := m.store(ctx, t); err != nil {
		return nil, err
	}
	if err := m.assess(ctx, t); err != nil {
		return nil, err
	}
	t.took = time.Since(began)
	m.trials = append(m.trials, t)
	if m.env.Log != nil {
		m.env.Log.Debug("mixed", "form", name, "bytes", t.bytes, "bits", m.bits(t), "sqnr", m.worst(t), "score", t.score, "seconds", t.took.Seconds())
	}
	return t, nil
}

// store rounds the weights, on samples where there are some, and writes them into a copy of the model.
func (m *mixer) store(ctx context.Context, t *trial) error {
	t.items = make([]*weights.Item, len(m.found))
	var list []*weights.Item
	for k, g := range m.groups {
		f := g.form(t.pick[k])
		for _, i := range g.weights {
			if f >= 0 && m.forms[f].format != nil {
				t.items[i] = &weights.Item{Weight: m.found[i], Format: m.forms[f].format}
				list = append(list, t.items[i])
			}
		}
	}
	if err := m.round(ctx, t, list); err != nil {
		return err
	}
	var err error
	if t.model, err = m.stored(t.items); err != nil {
		return err
	}
	for i, it := range t.items {
		switch {
		case it == nil || it.Why != "":
			t.stored += m.found[i].Bytes()
		default:
			t.stored += it.Coding.Bytes()
			it.Stored = nil // the model has it
		}
	}
	t.bytes, err = fileSize(t.model)
	return err
}

// round is a walk on samples, or without real ones to the nearest.
func (m *mixer) round(ctx context.Context, t *trial, list []*weights.Item) error {
	if m.env.Calib == nil {
		for _, it := range list {
			if err := it.Plain(); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	o := thorough
	o.Progress = func(done, total int) { m.env.Advance("store layers", done, total) }
	var err error
	t.walked, err = weights.Walk(ctx, m.env.Model, m.env.Calib, list, o)
	return err
}

// stored is a copy of the model with the stored forms of the items, which are those of mixer.found; nil ones stay.
func (m *mixer) stored(items []*weights.Item) (*graph.Model, error) {
	clone := m.env.Model.Clone()
	found, _ := weights.Find(clone, m.find())
	for i, it := range items {
		if it == nil || it.Why != "" {
			continue
		}
		if err := it.Store(found[i], passName); err != nil {
			return nil, err
		}
	}
	return clone, clone.Main.Sort()
}

// assess compares the stored model with the original, on samples of the
// calibration and on held-out ones: few of the former were used to fit anything, and
// together they are steadier than the latter alone.
func (m *mixer) assess(ctx context.Context, t *trial) error {
	if m.env.Calib == nil {
		return nil
	}
	if m.judges == nil {
		if err := m.appoint(ctx); err != nil {
			return err
		}
	}
	for _, j := range m.judges {
		d, err := j.Measure(ctx, t.model)
		if err != nil {
			return err
		}
		t.found = append(t.found, d)
		for o := range j.Outputs {
			list := losses(d, j.Rank[o], j.Logits)
			for _, x := range list {
				t.score += math.Log10(max(x, 1e-20)) / float64(len(list)*j.Outputs*len(m.judges))
			}
		}
	}
	return m.labelled(ctx, t)
}

// appoint makes the judges.
func (m *mixer) appoint(ctx context.Context) error {
	c := m.env.Calib
	sets := []*calib.Set{c.Samples}
	if c.HeldOut.Len() > 0 && c.HeldOut != c.Samples {
		sets = append(sets, c.HeldOut)
	}
	for _, set := range sets {
		j, err := probe.NewJudge(ctx, c.Runner, m.env.Model, set.Spread(m.opt.Samples))
		if err != nil {
			return err
		}
		m.judges = append(m.judges, j)
	}
	return nil
}

// judged is the number of samples that assignments are judged on.
func (m *mixer) judged() (n int) {
	for _, j := range m.judges {
		n += j.Samples
	}
	return n
}

// labelled measures the accuracy where the budget speaks of it and there are labels.
func (m *mixer) labelled(ctx context.Context, t *trial) error {
	if m.opt.MaxDrop == 0 || m.env.Labels == nil {
		return nil
	}
	set := m.env.Calib.HeldOut
	if set.Len() == 0 {
		set = m.env.Calib.Samples
	}
	a, err := m.env.Model.Export()
	if err != nil {
		return err
	}
	b, err := t.model.Export()
	if err != nil {
		return err
	}
	v, err := passes.Compare(ctx, m.env.Calib.Runner, a, b, set, passes.CompareOptions{Threads: 1, Labels: m.env.Labels})
	if err == nil {
		t.accuracy = v.Accuracy
	}
	return err
}

// worst is the SQNR of the worst output on any set of samples, in dB.
func (m *mixer) worst(t *trial) float64 {
	w := 200.0
	for i, d := range t.found {
		for _, a := range d.Outputs[:m.judges[i].Outputs] {
			w = min(w, a.SQNR)
		}
	}
	return w
}

// agree is the share of equal predictions of the worst output on any set of
// samples, in percent; ok is false where no output has classes.
func (m *mixer) agree(t *trial) (pct float64, ok bool) {
	pct = 100
	for i, d := range t.found {
		for _, a := range d.Outputs[:m.judges[i].Outputs] {
			if a.Positions > 0 {
				pct, ok = min(pct, 100*a.Top1), true
			}
		}
	}
	return pct, ok
}

// bits is the mean number of bits that a weight takes in the file, with scales and tables.
func (m *mixer) bits(t *trial) float64 { return 8 * float64(t.stored) / float64(m.elements()) }

func (m *mixer) elements() int64 {
	var n int64
	for _, g := range m.groups {
		n += g.elements
	}
	return n
}

// excess is by which factor the noise is above the budget, 1 or less when it is
// kept. Predictions flip in proportion to the size of the noise, so their share counts squared.
func (m *mixer) excess(t *trial) float64 {
	worst := 0.0
	if m.opt.MinSQNR > 0 {
		worst = max(worst, math.Pow(10, (m.opt.MinSQNR-m.worst(t))/10))
	}
	flips := func(found, allowed float64) {
		r := found / max(allowed, 1e-3)
		worst = max(worst, r*r)
	}
	pct, classes := m.agree(t)
	if m.opt.MinAgree > 0 && classes {
		flips(100-pct, 100-m.opt.MinAgree)
	}
	if m.opt.MaxDrop > 0 {
		switch {
		case t.accuracy != nil:
			flips(max(0, t.accuracy.Before-t.accuracy.After), m.opt.MaxDrop)
		case classes:
			flips(100-pct, m.opt.MaxDrop)
		}
	}
	return worst
}
