package text_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx/text"
)

// chain is a model of n nodes in a row, each with a weight of its own.
func chain(n int) string {
	var b strings.Builder
	b.WriteString("<ir_version: 8, opset_import: [\"\" : 17]>\ng (float[8, 8] x0) => (float[8, 8] y)\n<\n")
	for i := range n {
		fmt.Fprintf(&b, "   float[8, 8] w%d = random(%d),\n", i, i)
	}
	b.WriteString(">\n{\n")
	for i := range n {
		fmt.Fprintf(&b, "   [node%d] x%d = MatMul <a = 1> (x%d, w%d)\n", i, i+1, i, i)
	}
	b.WriteString("}\n")
	return b.String()
}

// BenchmarkParse and BenchmarkPrint show that the time per node does not depend on the number of nodes.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		src := chain(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := text.Parse(src); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
		})
	}
}

func BenchmarkPrint(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		m, err := text.Parse(chain(n))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if err := text.Print(io.Discard, m, text.Options{Elide: 16}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
		})
	}
}
