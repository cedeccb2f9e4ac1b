package prune

import (
	"testing"

	"github.com/onnxpass/onnxpass/graph/axes"
)

// pooled is a pruner with one pool of n classes, and its curve.
func pooled(n int, o Options, informed bool) (*pruner, []curve) {
	pool := axes.Pool{Touches: []axes.Touch{{Each: 1}}}
	for k := range n {
		pool.Classes = append(pool.Classes, k)
	}
	p := &pruner{o: o, analysis: &axes.Analysis{Pools: []axes.Pool{pool}}, bill: &bill{byPool: make([][]int, 1)}}
	if informed {
		p.state = &state{}
	}
	return p, []curve{p.normCurve(0, make([]float64, n))}
}

// How much of a pool may go in a bold and in a cautious choice: without samples both stop at half,
// and a limit that the user gave holds for both.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		ratio        float64
		informed     bool
		bold, narrow int
	}{{0, true, 240, 128}, {0, false, 128, 128}, {0.75, true, 192, 192}, {0.25, false, 64, 64}} {
		o := defaults()
		o.MaxRatio = c.ratio
		p, curves := pooled(256, o, c.informed)
		if got := curves[0].limit; got != c.bold {
			t.Errorf("ratio %g, samples %t: limit %d, want %d", c.ratio, c.informed, got, c.bold)
		}
		if got := p.narrowed(curves)[0].limit; got != c.narrow {
			t.Errorf("ratio %g, samples %t: cautious limit %d, want %d", c.ratio, c.informed, got, c.narrow)
		}
	}
}

// A choice that takes more than half of a pool has to be clearly better, unless the user allowed as much.
func TestHandicap(t *testing.T) {
	p, _ := pooled(16, defaults(), true)
	if half, more := p.handicap([][]int{make([]int, 8)}), p.handicap([][]int{make([]int, 9)}); half != 1 || more <= 1 {
		t.Errorf("half counts %g, more than half %g", half, more)
	}
	if p.o.MaxRatio = 0.9; p.handicap([][]int{make([]int, 9)}) != 1 {
		t.Error("a handicap for what the user allowed")
	}
}
