package axes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/graph/axes"
)

// chain is a network of blocks bottlenecks with shortcuts, 256 channels wide outside and 64 inside.
func chain(blocks int) string {
	var weights, nodes strings.Builder
	fmt.Fprint(&weights, "float[256, 3, 7, 7] w = fill(0.01)")
	fmt.Fprint(&nodes, "x0 = Conv <pads = [3, 3, 3, 3]> (x, w)\n")
	for i := range blocks {
		fmt.Fprintf(&weights, ", float[64, 256, 1, 1] a%d = fill(0.01), float[64, 64, 3, 3] b%d = fill(0.01), float[256, 64, 1, 1] c%d = fill(0.01)", i, i, i)
		fmt.Fprintf(&nodes, "p%d = Conv (x%d, a%d)\nq%d = Relu (p%d)\nr%d = Conv <pads = [1, 1, 1, 1]> (q%d, b%d)\ns%d = Relu (r%d)\nt%d = Conv (s%d, c%d)\nu%d = Add (t%d, x%d)\nx%d = Relu (u%d)\n",
			i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i+1, i)
	}
	return fmt.Sprintf(`<ir_version: 9, opset_import: ["" : 17]> m (float[1, 3, 56, 56] x) => (float[1, 256, 1, 1] y) <%s> { %s y = GlobalAveragePool (x%d) }`, weights.String(), nodes.String(), blocks)
}

// The time of analysis and removal grows with the number of atoms, here ten times as many from one line to the next.
func BenchmarkAnalyzeAndCut(b *testing.B) {
	for _, blocks := range []int{16, 160} {
		m := parse(b, chain(blocks))
		b.Run(fmt.Sprint(blocks), func(b *testing.B) {
			for b.Loop() {
				work := m.Clone()
				a := axes.Analyze(work, axes.Options{})
				var classes []int
				for _, p := range a.Pools {
					classes = append(classes, p.Classes[:len(p.Classes)/4]...)
				}
				if err := a.Cut(classes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A network as large as ResNet-50 takes milliseconds, and ten times as many
// layers take about ten times as long; the bounds leave room for a busy machine.
func TestAnalysisIsFast(t *testing.T) {
	for blocks, limit := range map[int]time.Duration{16: time.Second, 160: 10 * time.Second} {
		m := parse(t, chain(blocks))
		began := time.Now()
		a := axes.Analyze(m, axes.Options{})
		var classes []int
		for _, p := range a.Pools {
			classes = append(classes, p.Classes[:len(p.Classes)/4]...)
		}
		if err := a.Cut(classes); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > limit {
			t.Errorf("%d blocks took %v, want less than %v", blocks, took, limit)
		}
	}
}
