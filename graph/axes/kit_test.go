package axes_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
)

// models calls test with every readable model of the kit and of testdata, cleaned up.
func models(t *testing.T, test func(t *testing.T, name string, m *graph.Model)) {
	t.Helper()
	kit, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(kit) == 0 {
		t.Log("no models in ../shared/kit: only those of the repository")
	}
	own, _ := filepath.Glob("../../testdata/models/*.onnx")
	for _, path := range append(own, kit...) {
		proto, err := onnx.Open(path)
		if err != nil {
			continue // the one that must be refused
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			defer proto.Close()
			test(t, filepath.Base(path), clean(t, proto))
		})
	}
}

// clean brings a model into the form in which passes see it.
func clean(t testing.TB, proto *onnx.Model) *graph.Model {
	t.Helper()
	m, _, err := passes.Load(proto)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := passes.Parse(all.Passes, "opset", "cleanup")
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rt, _, err := ort.Discover(runtimelib.Options{})
	env := &passes.Env{Model: m}
	if err == nil {
		env.Runner = rt
		defer rt.Close()
	}
	if _, err := pipe.Run(context.Background(), env); err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	return m
}

// feed makes one sample; unknown sizes are those that the models of the kit need.
func feed(name string, ports []calib.Port, seed uint64) map[string]calib.Array {
	rng := rand.New(rand.NewPCG(seed, 2))
	in := map[string]calib.Array{}
	for _, p := range ports {
		a := calib.Array{Type: p.Elem}
		for i, d := range p.Shape.Dims {
			a.Shape = append(a.Shape, sizeOf(name, p, i, d))
		}
		a.Bytes = contents(name, a, rng)
		in[p.Name] = a
	}
	return in
}

func sizeOf(name string, p calib.Port, i int, d graph.Dim) int64 {
	switch {
	case d.Value >= 0:
		return d.Value
	case name == "silero_vad_v6.onnx" && p.Name == "input" && i == 1:
		return 576
	case name == "nnsplit_en.onnx" && i == 1:
		return 50
	case name == "ppocrv4_rec.onnx" && i == 3, name == "ppocr_cls.onnx" && i == 3:
		return 192
	case name == "ppocr_cls.onnx" && i == 2:
		return 48
	case i >= 2:
		return 64
	}
	return 1
}

func contents(name string, a calib.Array, rng *rand.Rand) []byte {
	n := a.Len()
	switch a.Type {
	case onnx.Float:
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		b, _ := onnx.From(a.Shape, x).Data.Bytes()
		return b
	case onnx.Int64:
		x := make([]int64, n)
		for i := range x {
			x[i] = int64(rng.IntN(50))
			if name == "silero_vad_v6.onnx" {
				x[i] = 16000 // the sample rate, which selects a branch
			}
		}
		b, _ := onnx.From(a.Shape, x).Data.Bytes()
		return b
	}
	b := make([]byte, a.Len())
	for i := range b {
		b[i] = byte(rng.IntN(100))
	}
	return b
}

// outputs runs a model on samples without graph optimisation.
func outputs(t testing.TB, rt calib.Runner, m *graph.Model, samples []map[string]calib.Array, o calib.Optimization) [][]float64 {
	t.Helper()
	proto, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.Open(context.Background(), proto, calib.OpenOptions{Optimization: o, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out [][]float64
	for _, in := range samples {
		err := s.Run(context.Background(), in, func(arrays []calib.Array) error {
			for _, a := range arrays {
				x, err := a.Float64s(new([]float64))
				if err != nil {
					return err
				}
				out = append(out, slices.Clone(x))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// difference is the largest difference of two lists of outputs, each in units of the deviation of its output, or of 1 where that is less.
func difference(t testing.TB, a, b [][]float64) float64 {
	t.Helper()
	worst := 0.0
	for i := range a {
		if len(a[i]) != len(b[i]) {
			t.Fatalf("output %d has %d elements, want %d", i, len(b[i]), len(a[i]))
		}
		scale := math.Max(1, deviation(a[i]))
		for j := range a[i] {
			if d := math.Abs(a[i][j]-b[i][j]) / scale; !(d <= worst) {
				worst = d
			}
		}
	}
	return worst
}

func deviation(x []float64) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += v
		squares += v * v
	}
	n := math.Max(1, float64(len(x)))
	return math.Sqrt(math.Max(0, squares/n-sum/n*sum/n))
}

// draw picks a share of the classes of every pool, one at least and never all.
func draw(a *axes.Analysis, share float64, rng *rand.Rand) []int {
	var out []int
	for _, p := range a.Pools {
		n := min(len(p.Classes)-1, max(1, int(share*float64(len(p.Classes)))))
		for _, i := range rng.Perm(len(p.Classes))[:max(0, n)] {
			out = append(out, p.Classes[i])
		}
	}
	return out
}

// Removing channels gives the same numbers as silencing them where they are summed up.
func TestCutEqualsMask(t *testing.T) {
	rt := orttest.Runner(t)
	models(t, func(t *testing.T, name string, m *graph.Model) {
		samples := []map[string]calib.Array{feed(name, calib.InputPorts(m), 1)}
		for _, share := range []float64{0.1, 0.3, 0.5} {
			rng := rand.New(rand.NewPCG(uint64(share*10), 7))
			work := m.Clone()
			a := axes.Analyze(work, axes.Options{})
			classes := draw(a, share, rng)
			masked, err := a.Mask(classes)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Cut(classes); err != nil {
				t.Fatal(err)
			}
			if err := verify.Model(work); err != nil {
				t.Fatal(err)
			}
			want := outputs(t, rt, masked, samples, calib.Exact)
			got := outputs(t, rt, work, samples, calib.Exact)
			// Some of the models compare numbers for equality; there even another order of sums shows.
			noise := difference(t, want, outputs(t, rt, masked, samples, calib.Full))
			if d := difference(t, want, got); !(d <= max(1e-4, 2*noise)) {
				t.Errorf("%d classes of %d pools at %.0f %%: the outputs differ by %.3g", len(classes), len(a.Pools), 100*share, d)
			}
		}
	})
}

// Every pool alone can be cut: an error of one rule must not hide behind the others.
func TestEveryPoolAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	rt := orttest.Runner(t)
	models(t, func(t *testing.T, name string, m *graph.Model) {
		samples := []map[string]calib.Array{feed(name, calib.InputPorts(m), 1)}
		pools := axes.Analyze(m, axes.Options{}).Pools
		for i := range pools {
			if i%max(1, len(pools)/3) != 0 {
				continue
			}
			work := m.Clone()
			a := axes.Analyze(work, axes.Options{})
			classes := a.Pools[i].Classes[:len(a.Pools[i].Classes)/2]
			masked, err := a.Mask(classes)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Cut(classes); err != nil {
				t.Fatalf("pool %s: %v", a.Pools[i].Name, err)
			}
			want := outputs(t, rt, masked, samples, calib.Exact)
			noise := difference(t, want, outputs(t, rt, masked, samples, calib.Full))
			d := difference(t, want, outputs(t, rt, work, samples, calib.Exact))
			if !(d <= max(1e-4, 2*noise)) {
				t.Errorf("pool %s: the outputs differ by %.3g", a.Pools[i].Name, d)
			}
		}
	})
}
