package precision_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
)

// sizes are the open dimensions of kit models; 1 is right for the others.
var sizes = map[string]map[string][]int64{
	"nnsplit_en.onnx": {"input": {1, 60}}, "ppocr_cls.onnx": {"x": {1, 3, 48, 192}}, "ppocrv4_rec.onnx": {"x": {1, 3, 48, 120}},
	"yunet_n_dynamic.onnx": {"input": {1, 3, 96, 128}},
}

// least is the SQNR in dB on random numbers that the models keep, where it is less than 35. These lose as much by
// rounding the weights alone (fp16-storage): random numbers are a hundredth as large as the pictures that they take.
var least = map[string]float64{"mlsd_tiny_320.onnx": 5, "yolox_nano.onnx": 20, "portrait_sinet.onnx": 23, "efficientnet_lite0.onnx": 30, "ppocrv4_rec.onnx": 20}

// Every model of the kit converts for every target, loads and runs in ONNX Runtime, computes about the same, keeps its
// interface and breaks no rule of the target that the original keeps (the job fails otherwise).
func TestKit(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	paths, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	rt := orttest.Runner(t)
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "reject_") || strings.HasPrefix(name, "silero") { // random numbers are no sample rate
			continue
		}
		for _, c := range []struct{ spec, target string }{{"fp16", "tensorrt"}, {"fp16", "openvino"}, {"fp16-storage", "portable"}} {
			t.Run(name+"/"+c.spec+"/"+c.target, func(t *testing.T) { convertKit(t, rt, path, c.spec, c.target) })
		}
	}
}

func convertKit(t *testing.T, rt calib.Runner, path, spec, profile string) {
	in, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	g, _, err := passes.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(g), sample.Options{Max: 2, Seed: 1, Shapes: sizes[name]})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := passes.Parse(all.Passes, spec)
	if err != nil {
		t.Fatal(err)
	}
	done, err := passes.Run(context.Background(), passes.Job{
		Model: in, Path: path, Set: all.Set(), Steps: steps, Target: target.Lookup(profile), Runner: rt, Samples: set, HeldOut: set, CheckSteps: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := done.Result.Contract; len(diff) > 0 {
		t.Error(diff)
	}
	want, ok := least[name]
	if !ok {
		want = 35
	}
	if v := done.Result.Verify; v == nil || v.SQNR < want || v.Broken > 0 {
		t.Errorf("verification %+v", v)
	}
	// Weights are halved; names, shapes and integers of small models are not.
	if b, a := done.Result.Before.ParamBytes, done.Result.After.ParamBytes; float64(a) > 0.56*float64(b) {
		t.Errorf("parameters take %d of %d bytes", a, b)
	}
}
