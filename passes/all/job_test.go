package all

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// chainOf is a model of n nodes, a third of which cleanup removes.
func chainOf(tb testing.TB, n int) *onnx.Model {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "<ir_version: 8, opset_import: [\"\" : 17]> g (float[N, 16] v0) => (float[N, 16] v%d) {\n", n)
	for i := range n {
		fmt.Fprintf(&b, "v%d = %s (v%d)\n", i+1, []string{"Relu", "Identity", "Abs"}[i%3], i)
	}
	b.WriteString("}")
	m, err := text.Parse(b.String())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Time and memory of a whole job grow in line with the number of nodes.
func BenchmarkJob(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := chainOf(b, n)
			steps, err := passes.Parse(Passes, "cleanup")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				out := filepath.Join(b.TempDir(), "out.onnx")
				if _, err := passes.Run(context.Background(), passes.Job{Model: m, Set: Set(), Steps: steps, Target: target.Lookup("openvino"), Output: out}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
