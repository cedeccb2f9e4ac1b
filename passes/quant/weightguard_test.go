package quant_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
)

// A depthwise layer that was excluded stays in float although it reads a
// dequantized tensor: with all its rewriting the runtime computes what the file
// says, but for the rounding of the 8-bit kernels before it (30 dB are ten codes
// of 256). Without the guard the weight gets one scale for all channels.
func TestExcludedLayersStayFloat(t *testing.T) {
	rt := orttest.Runner(t)
	path := filepath.Join("..", "..", "..", "shared", "kit", "models", "vww_mobilenetv1_025.onnx")
	proto, err := onnx.Open(path)
	if err != nil {
		t.Skipf("the kit is not there: %v", err)
	}
	t.Cleanup(func() { proto.Close() })
	g, _, err := passes.Load(proto)
	if err != nil {
		t.Fatal(err)
	}
	set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(g), sample.Options{Max: 4})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := passes.Parse(all.Passes, "quant")
	if err != nil {
		t.Fatal(err)
	}
	job := passes.Job{Model: proto, Set: all.Set(), Steps: steps, Target: target.Lookup("ort"), Runner: rt, Threads: 1, Samples: set, HeldOut: set}
	job.Select.Exclude = []string{"depthwise_conv2d_2_out"}
	done, err := passes.Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	if db := rewritten(t, rt, done.Model, set, "depthwise_conv2d_2_out"); db < 30 {
		t.Errorf("%.1f dB between the file as written and as the runtime rewrites it", db)
	}
}

// rewritten is how far the runtime's rewriting takes a value of the model.
func rewritten(t *testing.T, rt calib.Runner, m *onnx.Model, set *calib.Set, name string) float64 {
	t.Helper()
	g, _, err := passes.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	g.Main.AddOutput(g.Main.Value(name))
	proto, err := g.Export()
	if err != nil {
		t.Fatal(err)
	}
	var s [2]calib.Session
	for i, o := range []calib.Optimization{calib.Exact, calib.Full} {
		if s[i], err = rt.Open(context.Background(), proto, calib.OpenOptions{Optimization: o, Threads: 1}); err != nil {
			t.Fatal(err)
		}
		defer s[i].Close()
	}
	c, err := calib.CompareSessions(context.Background(), s[0], s[1], set, calib.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Outputs[len(c.Outputs)-1].SQNR
}
