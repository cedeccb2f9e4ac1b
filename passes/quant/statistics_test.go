package quant

import (
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/cost"
	"github.com/onnxpass/onnxpass/passes"
)

// Statistics of a large model come from a part of the samples, at least 48;
// from all where that takes little time, was asked for, or where a branch may need a rare one.
func TestSamplesOfStatistics(t *testing.T) {
	all := calib.NewSet(make(memory, 100))
	for name, c := range map[string]struct {
		macs   int64
		change func(*planner)
		want   int
	}{
		"small":          {1e6, func(*planner) {}, 100},
		"middling":       {250e6, func(*planner) {}, 80},
		"large":          {10e9, func(*planner) {}, 48},
		"large, high":    {10e9, func(p *planner) { p.opt.Effort = EffortHigh }, 100},
		"large, minmax":  {10e9, func(p *planner) { p.opt.Range = MinMax }, 100},
		"large, with If": {10e9, func(p *planner) { p.ifs = []*graph.Node{nil} }, 100},
		"small, fast":    {1e6, func(p *planner) { p.opt.Effort = EffortFast }, 48},
	} {
		p := &planner{env: &passes.Env{Calib: &calib.Calibration{Samples: all}}, opt: defaults, cost: &cost.Cost{MACs: c.macs}, ifs: []*graph.Node{}}
		c.change(p)
		if got := p.calibration().Samples.Len(); got != c.want {
			t.Errorf("%s: %d samples, not %d", name, got, c.want)
		}
	}
}
