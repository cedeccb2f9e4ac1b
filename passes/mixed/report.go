package mixed

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// plan tells what could be done, in a dry run or where there is nothing to do.
func (m *mixer) plan() {
	r := m.env.Report
	var names []string
	for _, f := range m.forms {
		names = append(names, f.name)
	}
	for _, w := range m.found {
		m.env.Plan(w.Node(), "choose a form", strings.Join(names, ", "))
	}
	r.Fact("weights to choose forms for", "%d in %d groups", len(m.found), len(m.groups))
}

// report writes down what becomes of every weight, and what the choice rests on.
func (m *mixer) report(t *trial) {
	r := m.env.Report
	counts := map[string]int{}
	var before int64
	for k, g := range m.groups {
		for _, i := range g.weights {
			e := m.layer(i, t.items[i])
			g.probed(&e)
			counts[m.formName(g, t.pick[k])]++
			before += e.BytesBefore
			r.Layers = append(r.Layers, e)
			m.env.Plan(m.found[i].Node(), "store weight", e.Weight)
		}
	}
	var forms []string
	for _, f := range m.forms {
		if n := counts[f.name]; n > 0 {
			forms = append(forms, fmt.Sprintf("%d %s", n, f.name))
		}
	}
	r.Fact("forms of weights", "%s", strings.Join(forms, ", "))
	r.Fact("bits per weight", "%.2f of %d weights", m.bits(t), m.elements())
	r.Fact("bytes of these weights", "%d -> %d (%.1f %%)", before, t.stored, 100*float64(t.stored)/float64(max(before, 1)))
	if m.opt.RecipeIn != "" {
		r.Fact("recipe", "%s", m.opt.RecipeIn)
		return
	}
	m.grounds(t)
}

// grounds says what the choice rests on.
func (m *mixer) grounds(t *trial) {
	r := m.env.Report
	if m.probes != nil {
		unmeasured := 0
		for _, g := range m.groups {
			if !g.measured() {
				unmeasured++
			}
		}
		text := fmt.Sprintf("%d groups on %d samples, %.0f s", len(m.groups)-unmeasured, m.probes.Samples, m.probes.Time.Seconds())
		if unmeasured > 0 {
			text += fmt.Sprintf("; %d not measured are stored with care", unmeasured)
		}
		r.Fact("tried alone", "%s", text)
	}
	if m.weak != "" {
		m.env.Note("OP8085", "the choice of forms rests on little", "why", m.weak).Hinted("give real inputs with -d")
	}
	if len(t.found) == 0 {
		return
	}
	r.Fact(passes.BudgetFact+" "+m.opt.text(), "%s", m.quality(t))
	switch {
	case m.uniform == t:
		r.Fact("against the mixture", "%s in all layers is better by measurement", t.name)
	case m.uniform != nil:
		less, word := 10*(m.uniform.score-t.score), "less"
		if less < 0 {
			less, word = -less, "more"
		}
		r.Fact("against "+m.uniform.name+" in all layers", "%.1f dB %s loss at %.2f instead of %.2f bits per weight", less, word, m.bits(t), m.bits(m.uniform))
	}
	r.Fact("assignments judged", "%d", len(m.trials))
}

// layer is the entry of a weight.
func (m *mixer) layer(i int, it *weights.Item) passes.Layer {
	w := m.found[i]
	float := w.Const.Type.String()
	e := passes.Layer{
		Name: nodeName(w), Op: w.Node().Op(), Output: output(w), Dtype: float, DtypeBefore: float, Activation: float, Weight: float,
		Params: int64(w.Elements()), BytesBefore: w.Bytes(), BytesAfter: w.Bytes(),
	}
	switch {
	case it == nil:
		e.Reason = "worth its bytes"
	case it.Why != "":
		e.Reason = it.Why
	default:
		e.Weight, e.BytesAfter, e.WeightSQNR = it.Format.Name(), it.Coding.Bytes(), &it.SQNR
		if it.Judged {
			e.Rebuilt = &passes.Rebuilt{How: it.How, Before: &it.Before, After: &it.After}
		}
	}
	return e
}

// probed adds what the form that was tried did to the outputs.
func (g *group) probed(e *passes.Layer) {
	if !g.measured() {
		return
	}
	var worst float64
	for _, n := range g.tried[0].noise {
		worst = max(worst, n)
	}
	db := 200.0
	if worst > 0 {
		db = min(db, -10*math.Log10(worst))
	}
	e.OwnSQNR = &db
}

func nodeName(w *weights.Weight) string {
	if n := w.Node().Name(); n != "" {
		return n
	}
	return output(w)
}

func output(w *weights.Weight) string {
	for _, v := range w.Node().Outs() {
		if v != nil {
			return v.Name()
		}
	}
	return ""
}
