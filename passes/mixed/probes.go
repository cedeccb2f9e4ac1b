package mixed

import (
	"context"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// middle is the number of bits for each element that a form to try should have: less
// would be dominated by saturation, more drowns in the noise of sums.
const middle = 4

// measure tries one form in every group alone and finds what it does to the outputs.
func (m *mixer) measure(ctx context.Context) error {
	for _, g := range m.groups {
		g.probe = g.middle()
	}
	if err := m.provide(ctx); err != nil {
		return err
	}
	if m.calib != nil {
		err := m.tryAlone(ctx)
		if err == nil || m.env.Calib != nil || ctx.Err() != nil {
			return err
		}
		m.probes, m.weak = nil, "the model does not run on random inputs: forms are chosen by the error of the weights alone"
	}
	m.guess()
	return nil
}

// tryAlone runs the model with one group changed at a time.
func (m *mixer) tryAlone(ctx context.Context) error {
	items, err := m.probing(ctx)
	if err != nil {
		return err
	}
	var list []probe.Candidate
	var tried []*group
	for _, g := range m.groups {
		if c, ok := m.candidate(g, items); ok {
			list, tried = append(list, c), append(tried, g)
		}
	}
	o := probe.Options{Threads: m.calib.Threads, Limit: m.opt.TimeLimit / 3,
		Progress: func(done, total int) { m.env.Advance("try layers", done, total) }}
	if m.probes, err = probe.Measure(ctx, m.calib.Runner, m.env.Model, list, m.calib.Samples.Spread(m.opt.ProbeSamples), o); err != nil {
		return err
	}
	m.read(tried)
	return nil
}

// randoms is how many random samples stand in for real ones.
const randoms = 8

// provide finds samples to try forms on, random ones when there are no others.
func (m *mixer) provide(ctx context.Context) error {
	switch {
	case m.env.Calib != nil:
		m.calib = m.env.Calib
		if m.calib.Samples.Random {
			m.weak = "the samples are random numbers"
		}
		return nil
	case m.env.Runner == nil:
		m.weak = "nothing was run: forms are chosen by the error of the weights alone"
		return nil
	}
	set, err := sample.Load(ctx, []string{"random"}, calib.InputPorts(m.env.Model), sample.Options{Max: randoms})
	if err != nil {
		m.weak = "random inputs do not fit the model: forms are chosen by the error of the weights alone"
		return ctx.Err()
	}
	m.weak = "forms are chosen on random inputs"
	m.calib = &calib.Calibration{Runner: m.env.Runner, Samples: set}
	return nil
}

// middle is the choice to try: the one that is nearest to four bits for an element, and not exact.
func (g *group) middle() int {
	best, least := 0, math.Inf(1)
	for i, b := range g.bytes {
		off := math.Abs(math.Log2(8 * float64(b) / float64(g.elements) / middle))
		if g.errors[i] > 0 && off < least {
			best, least = i, off
		}
	}
	return best
}

// probing rounds all weights to the forms that are tried as the final ones will
// be, but each as if the others stayed as they are.
func (m *mixer) probing(ctx context.Context) ([]*weights.Item, error) {
	items := make([]*weights.Item, len(m.found))
	var list []*weights.Item
	for _, g := range m.groups {
		f := m.forms[g.form(g.probe)].format
		if f == nil {
			continue
		}
		for _, i := range g.weights {
			items[i] = &weights.Item{Weight: m.found[i], Format: f}
			list = append(list, items[i])
		}
	}
	_, err := weights.Walk(ctx, m.env.Model, m.calib, list, weights.WalkOptions{Feedback: true, Refit: true, Rescale: true, Bias: true, Alone: true,
		Progress: func(done, total int) { m.env.Advance("round layers", done, total) }})
	return items, err
}

// candidate is the group in the form that is tried.
func (m *mixer) candidate(g *group, items []*weights.Item) (probe.Candidate, bool) {
	var own []*weights.Item
	for _, i := range g.weights {
		if it := items[i]; it != nil && it.Stored != nil {
			own = append(own, it)
		}
	}
	if len(own) == 0 {
		return probe.Candidate{}, false
	}
	at := m.first(g)
	if at == "" {
		g.problem = "nothing in the main graph reads it"
		return probe.Candidate{}, false
	}
	return probe.Candidate{Name: m.found[g.weights[0]].Value.Name(), At: at, Edit: func(piece *graph.Model) error {
		for _, it := range own {
			it.Substitute(piece)
		}
		return nil
	}}, true
}

// first is the first value, in graph order, that depends on a weight of the group.
func (m *mixer) first(g *group) string {
	reads := map[*graph.Node]bool{}
	for _, i := range g.weights {
		for _, u := range m.found[i].Value.Uses() {
			if !u.IsReturn() {
				reads[lifted(u.Node)] = true
			}
		}
	}
	for n := range m.env.Model.Main.Nodes() {
		if reads[n] {
			for _, v := range n.Outs() {
				if v != nil {
					return v.Name()
				}
			}
		}
	}
	return ""
}

// read takes the damage of each group from the probes. Outputs weigh the same, whatever their noise.
func (m *mixer) read(tried []*group) {
	r := m.probes
	sum := make([]float64, r.Outputs)
	for k, g := range tried {
		d := r.Damages[k]
		if !d.Measured {
			if g.problem = "the time was over"; d.Err != nil {
				g.problem = d.Err.Error()
			}
			continue
		}
		g.measured = true
		for o := range r.Outputs {
			g.noise = append(g.noise, d.Noise(o))
			sum[o] += loss(d, r.Rank[o], r.Logits)
		}
	}
	for k, g := range tried {
		for o := range r.Outputs {
			if g.measured && sum[o] > 0 {
				g.damage += loss(r.Damages[k], r.Rank[o], r.Logits) / sum[o] / float64(r.Outputs)
			}
		}
	}
	m.fillIn()
}

// loss is what value i of a damage lost: the divergence of class scores, which
// weighs errors as the predictions do, else the relative power of the error.
func loss(d probe.Damage, i int, logits []bool) float64 {
	if logits[i] && d.Outputs[i].Positions > 0 {
		return d.Outputs[i].Divergence
	}
	return d.Noise(i)
}

// fillIn gives groups that were not measured the highest damage for an error
// that any has: they are stored with care.
func (m *mixer) fillIn() {
	var most float64
	for _, g := range m.groups {
		if g.measured && g.errors[g.probe] > 0 {
			most = max(most, g.damage/g.errors[g.probe])
		}
	}
	for _, g := range m.groups {
		if !g.measured {
			g.damage = most * g.errors[g.probe]
		}
	}
}

// wide is the number of bits for an element below which first and last layers are not stored where nothing is measured.
const wide = 7.5

// guess takes the relative error of the weights for the damage, and keeps the first and last layers wide.
func (m *mixer) guess() {
	for _, g := range m.groups {
		g.damage = g.errors[g.probe]
		if g.outer {
			g.keepWide()
		}
	}
}

// keepWide drops the choices of fewer than 8 bits, as far as there are others.
func (g *group) keepWide() {
	narrow := func(i int) bool { return 8*float64(g.bytes[i]) < wide*float64(g.elements) }
	tried := g.errors[g.probe]
	var forms []int
	var errors []float64
	var bytes []int64
	for i := range g.forms {
		if !narrow(i) {
			forms, errors, bytes = append(forms, g.forms[i]), append(errors, g.errors[i]), append(bytes, g.bytes[i])
		}
	}
	if len(forms) == 0 {
		return
	}
	g.forms, g.errors, g.bytes = forms, errors, bytes
	g.probe = max(slices.Index(g.errors, slices.Max(g.errors)), 0)
	if tried > 0 {
		g.damage *= g.errors[g.probe] / tried
	}
}

// form is the form of choice i, an index in mixer.forms; -1: as it is, though not among the forms.
func (g *group) form(i int) int { return g.forms[i] }

// expected is the damage of choice i: that of the tried one, in proportion to the error of the weights.
func (g *group) expected(i int) float64 { return g.damage * g.ratio(i) }

func (g *group) ratio(i int) float64 {
	if e := g.errors[g.probe]; e > 0 {
		return g.errors[i] / e
	}
	return 0
}
