package mixed

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// measure tries forms in every group alone and finds what they do to the outputs.
func (m *mixer) measure(ctx context.Context) error {
	for _, g := range m.groups {
		g.plan()
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

// The forms to try have about middle bits for each element: less would be
// dominated by saturation, more drowns in the noise of sums. Forms below low
// bits are tried too, because feedback does not do the same for them.
const (
	middle = 4
	low    = 3
)

// plan settles which choices are tried.
func (g *group) plan() {
	best, least, smallest := 0, math.Inf(1), 0
	for i := range g.forms {
		off := math.Abs(math.Log2(g.bits(i) / middle))
		if g.errors[i] > 0 && off < least {
			best, least = i, off
		}
		if g.bytes[i] < g.bytes[smallest] {
			smallest = i
		}
	}
	g.tried = []attempt{{choice: best}}
	if smallest != best && g.bits(smallest) < low {
		g.tried = append(g.tried, attempt{choice: smallest})
	}
}

// bits are those of an element in choice i, with scales and tables.
func (g *group) bits(i int) float64 { return 8 * float64(g.bytes[i]) / float64(g.elements) }

// tryAlone runs the model with one group changed at a time.
func (m *mixer) tryAlone(ctx context.Context) error {
	var list []probe.Candidate
	var tried []*attempt
	for round := range 2 {
		items, err := m.alone(ctx, round)
		if err != nil {
			return err
		}
		for _, g := range m.groups {
			if c, ok := m.candidate(g, items); ok {
				list, tried = append(list, c), append(tried, &g.tried[round])
			}
		}
	}
	o := probe.Options{Threads: m.calib.Threads, Limit: m.opt.TimeLimit / 3,
		Progress: func(done, total int) { m.env.Advance("try layers", done, total) }}
	var err error
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

// alone rounds the weights to the forms that are tried in one round, as the
// final ones will be, but each as if the others stayed as they are.
func (m *mixer) alone(ctx context.Context, round int) ([]*weights.Item, error) {
	items := make([]*weights.Item, len(m.found))
	var list []*weights.Item
	for _, g := range m.groups {
		if round >= len(g.tried) {
			continue
		}
		f := g.form(g.tried[round].choice)
		if f < 0 || m.forms[f].format == nil {
			continue
		}
		for _, i := range g.weights {
			items[i] = &weights.Item{Weight: m.found[i], Format: m.forms[f].format}
			list = append(list, items[i])
		}
	}
	if len(list) == 0 {
		return items, nil
	}
	o := thorough
	o.Alone, o.Progress = true, func(done, total int) { m.env.Advance("round layers", done, total) }
	_, err := weights.Walk(ctx, m.env.Model, m.calib, list, o)
	return items, err
}

// thorough are the corrections of a walk: all that there are.
var thorough = weights.WalkOptions{Feedback: true, Refit: true, Retable: true, Rescale: true, Bias: true}

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

// read takes the damage of each attempt from the probes. Outputs weigh the
// same, whatever their noise, and so do the measures of one output.
func (m *mixer) read(tried []*attempt) {
	r := m.probes
	first := map[*attempt]bool{}
	for _, g := range m.groups {
		first[&g.tried[0]] = true
	}
	sum := make([][]float64, r.Outputs)
	for k, a := range tried {
		d := r.Damages[k]
		if a.measured = d.Measured; !d.Measured {
			continue
		}
		for o := range r.Outputs {
			a.noise = append(a.noise, d.Noise(o))
			if first[a] {
				sum[o] = added(sum[o], losses(d, r.Rank[o], r.Logits))
			}
		}
	}
	for k, a := range tried {
		for o := range r.Outputs {
			if a.measured && sum[o] != nil {
				a.damage += share(losses(r.Damages[k], r.Rank[o], r.Logits), sum[o]) / float64(r.Outputs)
			}
		}
	}
	m.fillIn()
}

// losses are the measures of what value i of a damage lost. Class scores have
// two: their divergence weighs errors as the predictions do, but few positions make most of it; the power of the error is steadier.
func losses(d probe.Damage, i int, logits []bool) []float64 {
	if logits[i] && d.Outputs[i].Positions > 0 {
		return []float64{d.Outputs[i].Divergence, d.Noise(i)}
	}
	return []float64{d.Noise(i)}
}

// added is the sum of two lists; the first may be nil.
func added(a, b []float64) []float64 {
	if a == nil {
		return b
	}
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// share is the mean ratio of the elements of a list to their sums.
func share(part, sum []float64) (mean float64) {
	for i, s := range sum {
		if s > 0 {
			mean += part[i] / s / float64(len(sum))
		}
	}
	return mean
}

// measured says whether the group's damage is known.
func (g *group) measured() bool { return g.tried[0].measured }

// fillIn gives groups that were not measured the highest damage for an error
// that any has: they are stored with care.
func (m *mixer) fillIn() {
	var most float64
	for _, g := range m.groups {
		if e := g.errors[g.tried[0].choice]; g.measured() && e > 0 {
			most = max(most, g.tried[0].damage/e)
		}
	}
	for _, g := range m.groups {
		if !g.measured() {
			g.tried = g.tried[:1]
			g.tried[0].damage = most * g.errors[g.tried[0].choice]
		}
	}
}

// wide is the number of bits for an element below which first and last layers are not stored where nothing is measured.
const wide = 7.5

// guess takes the relative error of the weights for the damage, and keeps the first and last layers wide.
func (m *mixer) guess() {
	for _, g := range m.groups {
		if g.outer {
			g.keepWide()
			g.plan()
		}
		g.tried = []attempt{{choice: g.tried[0].choice, damage: g.errors[g.tried[0].choice]}}
	}
}

// keepWide drops the choices of fewer than 8 bits, as far as there are others.
func (g *group) keepWide() {
	kept := *g
	kept.forms, kept.errors, kept.bytes = nil, nil, nil
	for i := range g.forms {
		if g.bits(i) >= wide {
			kept.forms, kept.errors, kept.bytes = append(kept.forms, g.forms[i]), append(kept.errors, g.errors[i]), append(kept.bytes, g.bytes[i])
		}
	}
	if len(kept.forms) > 0 {
		*g = kept
	}
}

// form is the form of choice i, an index in mixer.forms; -1: as it is, though not among the forms.
func (g *group) form(i int) int { return g.forms[i] }

// expected is the damage of choice i: that of the tried one next to it, in proportion to the error of the weights.
func (g *group) expected(i int) float64 {
	a := g.near(i)
	return a.damage * g.ratio(a, i)
}

// near is the attempt whose error is nearest to that of choice i.
func (g *group) near(i int) *attempt {
	best := &g.tried[0]
	for k := range g.tried {
		a := &g.tried[k]
		if a.measured && math.Abs(math.Log(g.ratio(a, i))) < math.Abs(math.Log(g.ratio(best, i))) {
			best = a
		}
	}
	return best
}

// ratio is the error of choice i in units of that of an attempt.
func (g *group) ratio(a *attempt, i int) float64 {
	if e := g.errors[a.choice]; e > 0 {
		return g.errors[i] / e
	}
	return 0
}
