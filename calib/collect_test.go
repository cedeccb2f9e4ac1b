package calib_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// kit is a model of the evaluation kit and its calibration samples, or a skip.
func kit(t testing.TB, model, task string) (*graph.Model, []string) {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "kit", "models", model+".onnx")
	data := filepath.Join(os.Getenv("ONNXPASS_KIT_CALIB"), task)
	if _, err := os.Stat(path); err != nil {
		t.Skip("no evaluation kit beside the repository")
	}
	if _, err := os.Stat(data); err != nil || os.Getenv("ONNXPASS_KIT_CALIB") == "" {
		t.Skip("no dumped calibration samples (set ONNXPASS_KIT_CALIB)")
	}
	proto, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proto.Close() })
	m, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	return m, []string{data}
}

// modelOf is a model with its samples.
type modelOf struct {
	model *graph.Model
	data  []string
}

func kitModel(t testing.TB, model, task string) modelOf {
	t.Helper()
	m, data := kit(t, model, task)
	return modelOf{m, data}
}

// activations are the values that a quantizer of convolutions, products and sums asks for.
func activations(m *graph.Model) []calib.Request {
	var reqs []calib.Request
	seen := map[*graph.Value]bool{}
	for n := range m.Main.Nodes() {
		if !n.Is("Conv", "Gemm", "MatMul", "Add", "Mul", "GlobalAveragePool", "Concat", "ConvTranspose") {
			continue
		}
		for _, v := range n.Ins() {
			if v != nil && v.Const() == nil && v.Elem() == onnx.Float && !seen[v] {
				seen[v] = true
				reqs = append(reqs, calib.Request{Value: v.Name()})
			}
		}
	}
	return reqs
}

func load(t testing.TB, m *graph.Model, data []string, n int) *calib.Set {
	t.Helper()
	set, err := sample.Load(context.Background(), data, calib.InputPorts(m), sample.Options{Max: n})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func BenchmarkCollect(b *testing.B) {
	for _, k := range [][2]string{{"efficientnet_lite0", "imagenet"}, {"yolox_nano", "coco"}, {"cifar10_resnet20", "cifar10"}} {
		b.Run(k[0], func(b *testing.B) {
			rt := orttest.Runner(b)
			m, data := kit(b, k[0], k[1])
			set := load(b, m, data, 40)
			reqs := activations(m)
			b.Run("bare", func(b *testing.B) { bare(b, rt, m, set) })
			b.Run("collect", func(b *testing.B) {
				cpu := usage()
				for b.Loop() {
					c := &calib.Calibration{Runner: rt, Samples: set, Threads: 2}
					table, err := c.Collect(context.Background(), m, reqs)
					if err != nil {
						b.Fatal(err)
					}
					if len(table.Values()) != len(reqs) {
						b.Fatalf("%d of %d values", len(table.Values()), len(reqs))
					}
				}
				report(b, cpu, set.Len())
			})
		})
	}
}

func bare(b *testing.B, rt *ort.Runtime, m *graph.Model, set *calib.Set) {
	proto, err := m.Export()
	if err != nil {
		b.Fatal(err)
	}
	cpu := usage()
	for b.Loop() {
		s, err := rt.Open(context.Background(), proto, calib.OpenOptions{Threads: 2})
		if err != nil {
			b.Fatal(err)
		}
		for i := range set.Len() {
			in, err := set.Read(context.Background(), i)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Run(context.Background(), in.Inputs, func([]calib.Array) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
	report(b, cpu, set.Len())
}
