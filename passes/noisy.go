package passes

import (
	"fmt"
	"sort"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Noisiest are the layers of the steps that add the most noise of their own,
// the worst first, at most n of them; none when no step measured it.
func Noisiest(steps []*StepReport, n int) []Layer {
	var out []Layer
	for _, s := range steps {
		for _, l := range s.Layers {
			if l.OwnSQNR != nil && *l.OwnSQNR < perfect {
				out = append(out, l)
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return *out[i].OwnSQNR < *out[j].OwnSQNR })
	return out[:min(n, len(out))]
}

// blamed is how many layers the message of a failed gate names.
const blamed = 3

// blame says in the messages of failed numeric gates which layers to look at.
func (w *work) blame() {
	for _, s := range w.result.Passes {
		w.blameBudget(s)
	}
	layers := Noisiest(w.result.Passes, blamed)
	if len(layers) == 0 {
		return
	}
	var text, names []string
	for _, l := range layers {
		names = append(names, l.Name)
		text = append(text, fmt.Sprintf("%s (%s)", l.Name, decibel(*l.OwnSQNR)))
	}
	for _, f := range w.judge.failed {
		if numeric(f) {
			f.With("noisiest layers", strings.Join(text, ", ")).
				Hinted("try them in float: %s; onnxpass sensitivity measures what each layer costs the outputs", strings.Join(ExcludeFlags(names), " "))
		}
	}
}

// blameBudget says in the messages how far a step came that tried to reach the gates.
func (w *work) blameBudget(s *StepReport) {
	for _, fact := range s.Facts {
		if !strings.HasPrefix(fact.Name, BudgetFact) {
			continue
		}
		for _, f := range w.judge.failed {
			if numeric(f) {
				f.With(s.Pass+" "+fact.Name, fact.Value)
			}
		}
	}
}

// BudgetFact begins the name of the fact with which a step says how far it came towards the gates.
const BudgetFact = "budget"

// numeric says whether a failed gate is about how close the outputs are.
func numeric(f *diag.Error) bool {
	switch f.Code {
	case "OP4001", "OP4002", "OP4003", "OP4004", "OP4012":
		return true
	}
	return false
}
