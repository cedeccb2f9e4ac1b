package calib_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// frontierModels are networks of the repository, always there, and of the kit.
func frontierModels(t *testing.T) map[string]*graph.Model {
	out := map[string]*graph.Model{}
	for _, pattern := range []string{"../testdata/models/*.onnx", "../../shared/kit/models/*.onnx"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			proto, err := onnx.Open(f)
			if err != nil {
				continue // the kit has a model that is refused
			}
			t.Cleanup(func() { proto.Close() })
			m, err := graph.Import(proto)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Infer(); err == nil {
				out[filepath.Base(f)] = m
			}
		}
	}
	if len(out) < 3 {
		t.Fatal("the networks of the repository are not there")
	}
	return out
}

// layerOutputs are the outputs of every node with a large weight.
func layerOutputs(m *graph.Model) [][]*graph.Value {
	var out [][]*graph.Value
	for n := range m.Main.Nodes() {
		if n.Is("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM") && n.Out(0) != nil {
			out = append(out, []*graph.Value{n.Out(0), n.In(0)})
		}
	}
	return out
}

// A walk through the layers gives the values of a run of the whole model,
// whether the cut follows or stays, and for samples that join half-way.
func TestFrontierComputesWhatTheModelDoes(t *testing.T) {
	rt := orttest.Runner(t)
	for name, m := range frontierModels(t) {
		t.Run(name, func(t *testing.T) {
			steps := layerOutputs(m)
			set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(m), sample.Options{Max: 2})
			if err != nil || len(steps) == 0 {
				t.Skipf("%s: no layers in the main graph, or no random samples: %v", name, err)
			}
			c := &calib.Calibration{Runner: rt, Samples: set, Threads: 1}
			want := wholeRun(t, c, m, slices.Concat(steps...))
			first := &calib.Calibration{Runner: rt, Samples: set.Pick([]int{0}), Threads: 1}
			f, err := calib.NewFrontier(context.Background(), first, m, slices.Concat(steps...))
			if err != nil {
				t.Fatal(err)
			}
			for k, values := range steps {
				if k == len(steps)/2 {
					if err := f.Extend(context.Background(), set.Pick([]int{1})); err != nil {
						t.Fatal(err)
					}
				}
				got := oneStep(t, f, values, k%3 != 1 || k == len(steps)-1)
				for i, v := range values {
					for s := range f.Len() {
						same(t, v.Name(), want[v.Name()][s], got[i][s])
					}
				}
			}
			if live := f.Live(); len(live) != 0 {
				t.Errorf("%d values are held after the last step", len(live))
			}
		})
	}
}

func oneStep(t *testing.T, f *calib.Frontier, values []*graph.Value, advance bool) [][]calib.Array {
	t.Helper()
	step, err := f.Open(context.Background(), values, calib.StepOptions{Advance: advance})
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]calib.Array, len(values))
	for i := range f.Len() {
		err := step.Run(context.Background(), i, nil, func(a []calib.Array) error {
			for k := range a {
				out[k] = append(out[k], a[k].Copy())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := step.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// recorder keeps copies of one value.
type recorder struct {
	name   string
	arrays []calib.Array
}

func (r *recorder) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	v, err := calib.Find(clone, r.name)
	return []*graph.Value{v}, err
}

func (r *recorder) Observe(_ int, a []calib.Array) error {
	r.arrays = append(r.arrays, a[0].Copy())
	return nil
}

func wholeRun(t *testing.T, c *calib.Calibration, m *graph.Model, values []*graph.Value) map[string][]calib.Array {
	t.Helper()
	var observers []calib.Observer
	for _, v := range values {
		observers = append(observers, &recorder{name: v.Name()})
	}
	if _, err := c.Observe(context.Background(), m, observers); err != nil {
		t.Fatal(err)
	}
	out := map[string][]calib.Array{}
	for _, o := range observers {
		out[o.(*recorder).name] = o.(*recorder).arrays
	}
	return out
}

// same allows for sums that the runtime adds up in another order when it fuses other nodes.
func same(t *testing.T, name string, want, got calib.Array) {
	t.Helper()
	if !slices.Equal(want.Shape, got.Shape) || want.Type != got.Type {
		t.Fatalf("%s: %v instead of %v", name, got, want)
	}
	var a, b []float64
	x, err := want.Float64s(&a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := got.Float64s(&b)
	if err != nil {
		t.Fatal(err)
	}
	var most, off float64
	for i := range x {
		most, off = max(most, math.Abs(x[i])), max(off, math.Abs(x[i]-y[i]))
	}
	if !(off <= 1e-4*most+1e-7) {
		t.Errorf("%s: off by %g of %g", name, off, most)
	}
}
