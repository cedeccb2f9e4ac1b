package mixed_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/onnx"
)

// shapes are those of inputs whose sizes are open.
var shapes = map[string]map[string][]int64{
	"ppocrv4_rec.onnx":     {"x": {1, 3, 48, 96}},
	"ppocr_cls.onnx":       {"x": {1, 3, 48, 192}},
	"nnsplit_en.onnx":      {"input": {1, 60}},
	"yunet_n_dynamic.onnx": {"input": {1, 3, 160, 160}},
}

// Every model of the kit with weights enough keeps a budget of bits with all
// forms that there are, and what is written runs in ONNX Runtime. On random numbers
// the outputs say little, but for being nearer to the original's than zeros are, which have 0 dB.
func TestKit(t *testing.T) {
	rt := orttest.Runner(t)
	paths, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	slow := []string{"efficientnet_lite0.onnx", "ppocrv4_rec.onnx"}
	for _, path := range paths {
		name := filepath.Base(path)
		proto, err := onnx.Open(path)
		if err != nil || name == "silero_vad_v6.onnx" {
			continue // the one that must be refused, and one that runs on no random samples
		}
		proto.Close()
		t.Run(name, func(t *testing.T) {
			if testing.Short() && slices.Contains(slow, name) {
				t.Skip("long")
			}
			list := "mixed:bpw=5,uniform=false,probe-samples=2,formats=(fp32,fp16,int8,int4,codebook256,codebook16,vector,codebook4)"
			if slices.Contains(slow, name) {
				list = "mixed:bpw=5,uniform=false,probe-samples=1"
			}
			d := run(t, job(t, rt, path, list, sample.Options{Max: 2, Shapes: shapes[name]}, "random"))
			if len(d.step.Layers) == 0 {
				t.Fatal("no weights were found")
			}
			if found := bits(d.step); found > 5 {
				t.Errorf("%.2f bits", found)
			}
			if v := d.Result.Verify; v == nil || v.Broken > 0 || v.SQNR < 0 {
				t.Errorf("verification: %+v", v)
			} else {
				t.Logf("%.2f bits, %.1f dB, %v", bits(d.step), v.Worst, fact(d.step, "forms of weights"))
			}
		})
	}
}
