package cleanup

import (
	"bytes"
	"context"
	"fmt"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// clean runs the umbrella pass on a copy of in.
func clean(t testing.TB, in *onnx.Model, runner calib.Runner) (*onnx.Model, *passes.StepReport) {
	t.Helper()
	m, err := graph.Import(in)
	if err != nil {
		t.Fatal(err)
	}
	env := &passes.Env{Model: m, Runner: runner}
	p := passes.Pipeline{Steps: []passes.Step{Pass.Default()}, Check: verify.Model}
	reports, err := p.Run(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Infer()
	if err := verify.Model(m); err != nil {
		t.Fatal(err)
	}
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return out, reports[0]
}

// feed makes an input for a port whose sizes are known; integers are rate.
func feed(p calib.Port, rate int64, rng *rand.Rand) calib.Array {
	a := calib.Array{Type: p.Elem}
	for _, d := range p.Shape.Dims {
		a.Shape = append(a.Shape, d.Value)
	}
	count := a.Len()
	switch p.Elem {
	case onnx.Float:
		x := make([]float32, count)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		a.Bytes, _ = onnx.From(a.Shape, x).Data.Bytes()
	case onnx.Int64: // the sample rate of silero, which selects a branch
		x := make([]int64, count)
		for i := range x {
			x[i] = rate
		}
		a.Bytes, _ = onnx.From(a.Shape, x).Data.Bytes()
	default:
		a.Bytes = make([]byte, count)
		for i := range a.Bytes {
			a.Bytes[i] = byte(rng.IntN(100))
		}
	}
	return a
}

// inputsFor makes inputs; unknown dimensions are 1 but for those that a model of the kit needs larger.
func inputsFor(name string, ports []calib.Port, rate int64) map[string]calib.Array {
	rng := rand.New(rand.NewPCG(1, 2))
	in := map[string]calib.Array{}
	for _, p := range ports {
		q := p
		q.Shape.Dims = append([]graph.Dim(nil), p.Shape.Dims...)
		for i, d := range q.Shape.Dims {
			if d.Value >= 0 {
				continue
			}
			size := int64(1)
			switch {
			case name == "silero_vad_v6.onnx" && p.Name == "input" && i == 1:
				size = rate / 1000 * 36 // context and frame
			case name == "nnsplit_en.onnx" && i == 1:
				size = 50
			case i >= 2:
				size = 64
				if name == "ppocrv4_rec.onnx" && i == 2 || name == "ppocr_cls.onnx" && i == 2 {
					size = 48
				}
				if i == 3 {
					size = 192
				}
			}
			q.Shape.Dims[i] = graph.Dim{Value: size}
		}
		in[p.Name] = feed(q, rate, rng)
	}
	return in
}

// execute returns the outputs for two sets of inputs.
func execute(t testing.TB, rt calib.Runner, m *onnx.Model, name string) [][]float32 {
	t.Helper()
	s, err := rt.Open(context.Background(), m, calib.OpenOptions{Optimization: calib.Exact})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var result [][]float32
	for _, rate := range []int64{16000, 8000} {
		err = s.Run(context.Background(), inputsFor(name, s.Inputs(), rate), func(out []calib.Array) error {
			for _, a := range out {
				x, err := onnx.NewTensor(a.Type, a.Shape, a.Bytes).Float32s()
				if err != nil {
					return err
				}
				result = append(result, x)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return result
}

// distance is the largest difference, in units of the largest magnitude of the
// reference. A value that is NaN or infinite in one of the two only is infinitely far.
func distance(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	scale, worst := 0.0, 0.0
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		if x == y && math.IsInf(x, 0) || math.IsNaN(x) && math.IsNaN(y) {
			continue
		}
		d := math.Abs(x - y)
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return math.Inf(1)
		}
		scale, worst = max(scale, math.Abs(x)), max(worst, d)
	}
	if worst == 0 {
		return 0
	}
	return worst / scale
}

// TestModelsComputeTheSame runs every real model before and after all passes. 1e-5 of
// the output's scale is about 80 units in the last place of float32: the
// rounding of merged weights, through all layers.
func TestModelsComputeTheSame(t *testing.T) {
	own, _ := filepath.Glob("../../testdata/models/*.onnx")
	paths, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Log("no models in ../shared/kit: only those of testdata are run")
	}
	paths = append(own, paths...)
	rt := orttest.Runner(t)
	for _, path := range paths {
		in, err := onnx.Open(path)
		if err != nil {
			continue // the one that must be refused
		}
		name := filepath.Base(path)
		want := execute(t, rt, in, name)
		for _, runner := range []calib.Runner{rt, nil} {
			out, report := clean(t, in, runner)
			got := execute(t, rt, out, name)
			worst := 0.0
			for i := range want {
				worst = max(worst, distance(want[i], got[i]))
			}
			before, after := written(t, in), written(t, out)
			if after > before+before/100+16<<10 {
				t.Errorf("%s: %d bytes became %d", name, before, after)
			}
			t.Log(name, before, after, runner != nil, len(in.Graph.Node), "->", len(out.Graph.Node), fmt.Sprintf("%.1e", worst), report.Facts, report.Skips)
			if worst > 1e-5 || len(got) != len(want) {
				t.Errorf("%s: outputs differ by %g of their scale", name, worst)
			}
		}
		in.Close()
	}
}

func written(t *testing.T, m *onnx.Model) int {
	t.Helper()
	var b bytes.Buffer
	if err := onnx.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}
