package prune

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// analysisOptions are what the options of the pass ask of the analysis.
func (p *pruner) analysisOptions() (axes.Options, error) {
	keep, err := p.keep()
	if err != nil {
		return axes.Options{}, err
	}
	if err := p.checkStates(p.env.Model); err != nil {
		return axes.Options{}, err
	}
	state := func(name string) bool { return slices.Contains(p.o.States, name) }
	return axes.Options{Heads: axes.Heads(p.o.Heads), Keep: keep, State: state}, nil
}

// checkStates refuses names that neither an input nor an output of the model has.
func (p *pruner) checkStates(m *graph.Model) error {
	var names []string
	for _, v := range m.Main.Inputs() {
		names = append(names, v.Name())
	}
	for i := range m.Main.Outputs() {
		names = append(names, m.Main.OutputName(i))
	}
	for _, s := range p.o.States {
		if !slices.Contains(names, s) {
			return diag.New("OP2007", "states "+s+" matches no input or output of the model").Hinted("%s", diag.DidYouMean(s, names))
		}
	}
	return nil
}
