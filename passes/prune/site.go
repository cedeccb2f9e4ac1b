package prune

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
)

// maxWidth is the most channels of a site: two matrices of its square are held in float64.
const maxWidth = 4096

// site is a tensor whose channels are summed over by layers with constant
// weights. Removing a channel changes numbers only there, and only there it can be made up for.
type site struct {
	data    axes.Axis
	tap     axes.Axis // where its statistics are taken: before an average over positions, if there is one
	width   int
	classes []int         // of each channel, -1 where it must stay
	atoms   map[int][]int // the channels of each class, ascending
	readers []*layer
	groups  int // of the readers; only channels of one group can stand in for each other
	gram    *gram
}

// findSites lists the sites in the order of the model. A class is blind when
// something reads it whose weights are not known here: its statistics do not tell all.
func (p *pruner) findSites() (sites []*site, blind []bool) {
	blind = make([]bool, p.analysis.NumClasses())
	at := map[axes.Axis]*site{}
	for _, s := range p.analysis.Sinks {
		if s.Data < 0 {
			mark(blind, p.analysis.ClassesOf(axes.Axis{Value: s.Node.In(s.Weight), Axis: s.WeightAxis}))
			continue
		}
		data := axes.Axis{Value: s.Node.In(s.Data), Axis: s.DataAxis}
		classes := p.analysis.ClassesOf(data)
		l, ok := layerOf(s)
		inBranch := s.Node.Graph() != p.env.Model.Main // may not run at all
		if !ok || inBranch || len(classes) > maxWidth || l.cin != len(classes) {
			mark(blind, classes)
			continue
		}
		if !slices.ContainsFunc(classes, func(k int) bool { return k >= 0 }) {
			continue
		}
		if at[data] == nil {
			at[data] = newSite(data, p.tap(data, classes), classes)
			sites = append(sites, at[data])
		}
		at[data].readers = append(at[data].readers, l)
		at[data].groups = max(at[data].groups, l.groups)
	}
	return sites, blind
}

func mark(blind []bool, classes []int) {
	for _, k := range classes {
		if k >= 0 {
			blind[k] = true
		}
	}
}

func newSite(data, tap axes.Axis, classes []int) *site {
	s := &site{data: data, tap: tap, width: len(classes), classes: classes, atoms: map[int][]int{}}
	for c, k := range classes {
		if k >= 0 {
			s.atoms[k] = append(s.atoms[k], c)
		}
	}
	return s
}

// tap goes back from a site through averages over positions, which leave one
// row of statistics for each sample, to where there is one for each position.
// What holds for every position holds for the mean of them.
func (p *pruner) tap(at axes.Axis, classes []int) axes.Axis {
	best := at
	for {
		n := at.Value.Def()
		if n == nil || !n.Is("GlobalAveragePool", "ReduceMean", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout") {
			return best
		}
		from, ok := p.alike(n.In(0), classes)
		if !ok {
			return best
		}
		if at = from; n.Is("GlobalAveragePool", "ReduceMean") {
			best = at
		}
	}
}

// alike is the axis of v whose indices have the given classes.
func (p *pruner) alike(v *graph.Value, classes []int) (axes.Axis, bool) {
	for i := range rankOf(v) {
		at := axes.Axis{Value: v, Axis: i}
		if slices.Equal(p.analysis.ClassesOf(at), classes) {
			return at, true
		}
	}
	return axes.Axis{}, false
}

// split divides the channels into those that stay and those whose class is gone.
func (s *site) split(gone []bool) (kept, removed []int) {
	for c, k := range s.classes {
		if k >= 0 && gone[k] {
			removed = append(removed, c)
		} else {
			kept = append(kept, c)
		}
	}
	return kept, removed
}

// together tells whether two channels are read by the same groups.
func (s *site) together(a, b int) bool {
	per := s.width / s.groups
	return a/per == b/per
}
