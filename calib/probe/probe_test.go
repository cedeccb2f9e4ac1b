package probe_test

import (
	"context"
	"errors"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// network reads a model; one of the kit is skipped when the kit is absent.
func network(t testing.TB, path string) *graph.Model {
	t.Helper()
	proto, err := onnx.Open(path)
	if os.IsNotExist(err) {
		t.Skipf("%s is not there", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proto.Close() })
	m, err := graph.Import(proto)
	if err == nil {
		err = m.Infer()
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomSet(t testing.TB, m *graph.Model, n int) *calib.Set {
	t.Helper()
	set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(m), sample.Options{Max: n})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// louder is a candidate that makes a convolution's output one percent larger.
func louder(v *graph.Value) probe.Candidate {
	name := v.Name()
	return probe.Candidate{Name: name, At: name, Edit: func(m *graph.Model) error {
		v := m.Main.Local(name)
		uses := v.Uses()
		y := v.Def().After().Op("Mul", name+"_louder", v, m.Main.Init("factor", onnx.FromFloat32s(nil, []float32{1.01}))).Out(0)
		for _, u := range uses {
			u.Set(y)
		}
		return nil
	}}
}

// candidates are the convolutions whose outputs are no outputs of the model.
func candidates(m *graph.Model) []probe.Candidate {
	var out []probe.Candidate
	for n := range m.Main.Nodes() {
		if n.Is("Conv") && !n.Out(0).IsOutput() {
			out = append(out, louder(n.Out(0)))
		}
	}
	return out
}

// The figures of a candidate are those of the whole model with the change
// made, whatever the cut holds: with room for all values, for none, and with
// any number of threads.
func TestMeasureAgreesWithWholeRuns(t *testing.T) {
	rt := orttest.Runner(t)
	for _, path := range []string{"../../testdata/models/fashion_resnet.onnx", "../../../shared/kit/models/blazeface_front.onnx", "../../../shared/kit/models/cifar10_resnet20.onnx"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m := network(t, path)
			set := randomSet(t, m, 2)
			list := candidates(m)
			var reports []*probe.Report
			for _, o := range []probe.Options{{Threads: 1}, {Threads: 3}, {Threads: 2, Memory: 1 << 20}} {
				r, err := probe.Measure(context.Background(), rt, m, list, set, o)
				if err != nil {
					t.Fatal(err)
				}
				reports = append(reports, r)
			}
			for i, d := range reports[0].Damages {
				if !d.Measured {
					t.Fatalf("%s: %v", list[i].Name, d.Err)
				}
				for o := range d.Outputs {
					if d.Outputs[o] != reports[1].Damages[i].Outputs[o] {
						t.Errorf("%s: %+v with one thread, %+v with three", list[i].Name, d.Outputs[o], reports[1].Damages[i].Outputs[o])
					}
				}
			}
			for _, k := range []int{0, len(list) / 2, len(list) - 1} {
				want := whole(t, rt, m, list[k], set.Spread(reports[0].Samples))
				for _, r := range reports { // outputs are small: all run on the same samples
					closeTo(t, list[k].Name, r.Damages[k].Outputs[:r.Outputs], want.Outputs)
				}
			}
			if n := float64(len(list)); reports[0].Runs > n || reports[0].Runs < n/20 {
				t.Errorf("%d candidates are said to take %.1f runs", len(list), reports[0].Runs)
			}
		})
	}
}

// whole runs the model and a copy with the change on the samples.
func whole(t *testing.T, rt calib.Runner, m *graph.Model, c probe.Candidate, set *calib.Set) *calib.Comparison {
	t.Helper()
	changed := m.Clone()
	if err := c.Edit(changed); err != nil {
		t.Fatal(err)
	}
	a, errA := m.Export()
	b, errB := changed.Export()
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	out, err := calib.Compare(context.Background(), rt, a, b, set, calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// closeTo allows what the rounding of float32 does to an error of one percent:
// kernels differ with the graph around them by some 1e-6 of the values, which
// is 1e-4 of the error, 0.001 dB; 0.05 dB leaves room for what layers do to it.
// Below an error of 60 dB rounding itself shows.
func closeTo(t *testing.T, name string, got, want []calib.Agreement) {
	t.Helper()
	for o := range want {
		g, w := got[o], want[o]
		if g.Name != w.Name {
			t.Errorf("%s: output %s, want %s", name, g.Name, w.Name)
		}
		if d := math.Abs(g.SQNR - w.SQNR); d > 0.05 && min(g.SQNR, w.SQNR) < 60 {
			t.Errorf("%s: output %s %.3f dB, the whole model gives %.3f dB", name, w.Name, g.SQNR, w.SQNR)
		}
	}
}

// A limit in time thins out the samples and leaves out candidates, and says so.
func TestMeasureLimit(t *testing.T) {
	rt := orttest.Runner(t)
	m := network(t, "../../testdata/models/fashion_resnet.onnx")
	list := candidates(m)
	r, err := probe.Measure(context.Background(), rt, m, list, randomSet(t, m, 50), probe.Options{Limit: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Samples != 2 {
		t.Errorf("%d samples, want 2", r.Samples)
	}
	for i, d := range r.Damages {
		if d.Measured || d.Err != nil {
			t.Errorf("candidate %d: %+v, want nothing measured", i, d)
		}
	}
	for _, s := range r.Shares() {
		if s[0] != 0 {
			t.Errorf("a share of %v without a measurement", s[0])
		}
	}
}

// What is wrong with one candidate is its own affair; a place that is not there ends the measurement.
func TestMeasureFaults(t *testing.T) {
	rt := orttest.Runner(t)
	m := network(t, "../../testdata/models/fashion_resnet.onnx")
	set := randomSet(t, m, 1)
	list := candidates(m)[:2]
	broken := errors.New("broken")
	list[0].Edit = func(*graph.Model) error { return broken }
	r, err := probe.Measure(context.Background(), rt, m, list, set, probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(r.Damages[0].Err, broken) || r.Damages[0].Measured || !r.Damages[1].Measured {
		t.Errorf("%+v", r.Damages)
	}
	if _, err := probe.Measure(context.Background(), rt, m, []probe.Candidate{{Name: "x", At: "nowhere"}}, set, probe.Options{}); err == nil {
		t.Error("a candidate without a place was measured")
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := probe.Measure(ctx, rt, m, list, set, probe.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}

// Progress goes up to its total.
func TestMeasureProgress(t *testing.T) {
	rt := orttest.Runner(t)
	m := network(t, "../../testdata/models/fashion_resnet.onnx")
	last, total := 0, 0
	_, err := probe.Measure(context.Background(), rt, m, candidates(m), randomSet(t, m, 2), probe.Options{Threads: 1, Progress: func(done, all int) {
		if done < last {
			t.Errorf("progress went from %d to %d", last, done)
		}
		last, total = done, all
	}})
	if err != nil {
		t.Fatal(err)
	}
	if total == 0 || last < total-1 {
		t.Errorf("ended at %d of %d", last, total)
	}
}
