package probe_test

import (
	"context"
	"testing"

	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// A judge finds of a changed model what a measurement of the change finds.
func TestJudgeAgreesWithMeasure(t *testing.T) {
	rt := orttest.Runner(t)
	ctx := context.Background()
	for _, path := range []string{"../../testdata/models/fashion_resnet.onnx", "../../../shared/kit/models/yolox_nano.onnx"} {
		m := network(t, path)
		set := randomSet(t, m, 2)
		list := candidates(m)[:1]
		r, err := probe.Measure(ctx, rt, m, list, set, probe.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		j, err := probe.NewJudge(ctx, rt, m, set)
		if err != nil {
			t.Fatal(err)
		}
		changed := m.Clone()
		if err := list[0].Edit(changed); err != nil {
			t.Fatal(err)
		}
		d, err := j.Measure(ctx, changed)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Measured || len(d.Outputs) != len(r.Damages[0].Outputs) || j.Samples != 2 {
			t.Fatalf("%s: %+v", path, d)
		}
		closeTo(t, path, d.Outputs, r.Damages[0].Outputs)
	}
}

// A judge needs samples.
func TestJudgeNeedsSamples(t *testing.T) {
	rt := orttest.Runner(t)
	m := network(t, "../../testdata/models/fashion_resnet.onnx")
	_, err := probe.NewJudge(context.Background(), rt, m, nil)
	if e, ok := err.(*diag.Error); !ok || e.Code != "OP6001" {
		t.Error(err)
	}
}
