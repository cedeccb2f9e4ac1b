package quant

import (
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/cost"
)

// survey is what every layer of a quantization costs alone.
type survey struct {
	layers []*probe.Layer
	report *probe.Report
	shares [][]float64 // of the noise, by layer and output
	macs   []float64   // share of the model's, by layer
	counts []int64     // the same as a number; -1 when it is not known
}

// surveyed measures the damage of every layer of p that --exclude can leave in
// float, on a few samples spread over those of the calibration.
func (p *planner) surveyed(ctx context.Context, o probe.Options, samples int) (*survey, error) {
	s := &survey{}
	var list []probe.Candidate
	for _, l := range probe.Layers(p.before, p.model) {
		if p.revertible(l) {
			s.layers = append(s.layers, l)
			list = append(list, probe.Candidate{Name: l.Name, At: l.Output, Edit: l.Apply})
		}
	}
	var err error
	c := p.env.Calib
	if s.report, err = probe.Measure(ctx, c.Runner, p.before, list, c.Samples.Spread(samples), o); err != nil {
		return nil, err
	}
	s.shares = s.report.Shares()
	s.count(p.cost)
	return s, nil
}

// revertible says whether a layer goes back to float when its name is excluded.
func (p *planner) revertible(l *probe.Layer) bool {
	return slices.Contains(linear, l.Op) || slices.Contains(recurrent, l.Op) || l.Op == "Add" || l.Op == "Gather"
}

// count finds the layers' multiply-accumulates.
func (s *survey) count(c *cost.Cost) {
	byOutput := map[string]int64{}
	var sum float64
	for _, l := range c.Layers {
		if v := l.Node.Out(0); v != nil {
			byOutput[v.Name()] = l.MACs
			sum += max(float64(l.MACs), 0)
		}
	}
	for _, l := range s.layers {
		n, counted := byOutput[l.Output]
		switch {
		case n < 0 || !counted && l.Op != "Add":
			n = -1
		}
		s.counts = append(s.counts, n)
		s.macs = append(s.macs, max(float64(n), 0)/max(sum, 1))
	}
}

// order ranks the layers by the noise that they save in the weighted outputs
// over their price: their share of the multiply-accumulates plus that of one
// layer among all. Without the second term dozens of tiny layers would come
// before the one that matters.
func (s *survey) order(weights []float64) []int {
	saves, prices := make([]float64, len(s.layers)), make([]float64, len(s.layers))
	for i := range s.layers {
		for o, w := range weights {
			saves[i] += w * s.shares[i][o]
		}
		prices[i] = s.macs[i] + 1/float64(len(s.layers))
	}
	return probe.Order(saves, prices)
}

// judged are the weights of outputs that count for an SQNR: 1 for those of
// floating point, or for all where there are no others.
func judged(ports []calib.Port) []float64 {
	out, some := make([]float64, len(ports)), false
	for i, p := range ports {
		if p.Elem.IsFloat() {
			out[i], some = 1, true
		}
	}
	for i := range out {
		if !some {
			out[i] = 1
		}
	}
	return out
}

// outputPorts are the outputs of a model.
func outputPorts(m *graph.Model) []calib.Port {
	var out []calib.Port
	for i, v := range m.Main.Outputs() {
		out = append(out, calib.Port{Name: m.Main.OutputName(i), Type: v.Type()})
	}
	return out
}
