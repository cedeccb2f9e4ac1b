package prune

import (
	"math"

	"github.com/onnxpass/onnxpass/graph/axes"
)

// trusted is how many layers behind a normalization means are believed. Further
// away, and in models without, correcting by them lost more than it brought.
const trusted = 1

// expected is what the biases of the readers must take over when classes are
// removed and there are no samples: their channels are put at their expected values.
func (p *pruner) expected() *folding {
	f := &folding{analysis: p.analysis, possible: make([]bool, p.analysis.NumClasses())}
	m := p.distribution()
	for _, s := range p.analysis.Sinks {
		l, ok := layerOf(s)
		if !ok || !l.biased() {
			continue
		}
		data := axes.Axis{Value: s.Node.In(s.Data), Axis: s.DataAxis}
		cells := make([]cell, 0, l.cin)
		for _, e := range m.of(data, l.cin) {
			cells = append(cells, cell{e.layers <= trusted, e.mean})
		}
		f.constants(l, data, cells, nil)
	}
	return f
}

// distribution is what is taken for the distributions of channels without samples.
func (p *pruner) distribution() *moments { return findMoments(p.analysis, p.env.Norms) }

// expectedShares is, for every class, the part of the variance of its readers' outputs
// that it brings, summed over the readers; NaN for classes with a reader that is not followed.
func (p *pruner) expectedShares() []float64 {
	m := p.distribution()
	share := make([]float64, p.analysis.NumClasses())
	for _, s := range p.analysis.Sinks {
		at := axes.Axis{Value: s.Node.In(s.Weight), Axis: s.WeightAxis}
		if s.Data >= 0 {
			at = axes.Axis{Value: s.Node.In(s.Data), Axis: s.DataAxis}
		}
		classes := p.analysis.ClassesOf(at)
		l, ok := layerOf(s)
		if !ok || l.cin != len(classes) {
			for _, k := range classes {
				if k >= 0 {
					share[k] = math.NaN()
				}
			}
			continue
		}
		each, whole := l.brought(m.of(at, l.cin))
		for u, k := range classes {
			if k >= 0 && whole > 0 {
				share[k] += each[u] / whole
			}
		}
	}
	return share
}

// brought is the variance that each input brings to the outputs of a layer, and all of it.
func (l *layer) brought(in []moment) (each []float64, whole float64) {
	each = make([]float64, l.cin)
	l.each(func(_, u, at int) {
		x := l.w.at[at] * l.w.at[at] * in[u].variance
		each[u] += x
		whole += x
	})
	return each, whole
}
