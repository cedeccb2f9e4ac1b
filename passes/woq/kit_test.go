package woq_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
)

// networks are the trained models of the repository and, where it is there, of the evaluation kit.
func networks(t *testing.T) []string {
	t.Helper()
	own, _ := filepath.Glob("../../testdata/models/*.onnx")
	kit, _ := filepath.Glob("../../shared/kit/models/*.onnx")
	if len(kit) == 0 {
		kit, _ = filepath.Glob("../../../shared/kit/models/*.onnx")
	}
	if len(kit) == 0 {
		t.Log("no evaluation kit in shared/kit: the networks of the repository alone")
	}
	if len(own) == 0 {
		t.Fatal("the networks of the repository are not there")
	}
	return append(own, kit...)
}

// run takes a file through a list of passes.
func run(t *testing.T, rt calib.Runner, proto *onnx.Model, list, name string, set *calib.Set) (*graph.Model, *passes.StepReport, error) {
	t.Helper()
	m, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := passes.Parse(all.Passes, list)
	if err != nil {
		t.Fatal(err)
	}
	env := &passes.Env{Model: m, Target: target.Lookup(name), Runner: rt}
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{Target: env.Target})
	if err != nil {
		t.Fatal(err)
	}
	pipe.Check = verify.Model
	if set != nil {
		env.Calib = &calib.Calibration{Runner: rt, Samples: set, Threads: 1}
	}
	reports, err := pipe.Run(context.Background(), env)
	return m, reports[len(reports)-1], err
}

func written(t *testing.T, m *graph.Model) (*onnx.Model, int) {
	t.Helper()
	p, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := onnx.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return p, b.Len()
}

// Every trained network in every type that its target takes: the file is valid
// and smaller, breaks no rule that the original keeps, and computes nearly what
// the original does: the small networks of the repository keep 35 dB in 8 bits
// and 14 in 4 on random inputs. Those of the kit are deeper and do not know such
// inputs; that they load and run is all that these tell.
func TestNetworks(t *testing.T) {
	rt := orttest.Runner(t)
	for _, path := range networks(t) {
		proto, err := onnx.Open(path)
		if err != nil {
			continue // the kit has a model that is refused
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			defer proto.Close()
			clean, _, err := run(t, rt, proto, "opset:to=21,cleanup", "ort", nil)
			if err != nil {
				t.Fatal(err)
			}
			reference, before := written(t, clean)
			set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(clean), sample.Options{Max: 2})
			if err != nil {
				t.Log("no random samples:", err)
			}
			for _, c := range []struct {
				list, name string
				least      float64
			}{{"woq", "portable", 35}, {"woq:type=int4", "ort", 20}, {"woq:type=int4,conv=int4,last=same", "openvino", 14}, {"woq:type=e4m3", "tensorrt", 25}} {
				m, r, err := run(t, rt, proto, c.list, c.name, nil)
				if err != nil {
					t.Errorf("%s for %s: %v", c.list, c.name, err)
					continue
				}
				out, after := written(t, m)
				stored := 0
				for _, l := range r.Layers {
					if l.Reason == "" {
						stored++
					}
				}
				if after > before || stored > 0 && after == before {
					t.Errorf("%s for %s: %d bytes became %d", c.list, c.name, before, after)
				}
				lint(t, proto, m, c.name)
				if set == nil {
					continue
				}
				agree, err := calib.Compare(context.Background(), rt, reference, out, set, calib.CompareOptions{Threads: 1})
				if err != nil || strings.Contains(path, "testdata") && agree.All.SQNR < c.least {
					t.Errorf("%s for %s: %+v, %v", c.list, c.name, agree, err)
				} else {
					t.Logf("%s for %s: %d weights, %d -> %d bytes, %.1f dB", c.list, c.name, stored, before, after, agree.All.SQNR)
				}
			}
		})
	}
}

// lint requires that the result breaks no rule that the original keeps.
func lint(t *testing.T, proto *onnx.Model, m *graph.Model, name string) {
	t.Helper()
	original, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	_ = original.Infer()
	broken := map[string]bool{}
	for _, f := range target.Lookup(name).Lint(original) {
		broken[f.Rule] = true
	}
	for _, f := range target.Lookup(name).Lint(m) {
		if f.Severity.Failing() && !broken[f.Rule] {
			t.Errorf("%s: %v", name, f)
		}
	}
}
