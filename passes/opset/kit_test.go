package opset_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/opset"
)

const kit = "../../../shared/kit/models"

// kitInputs are the inputs of kit models in the form of TestGolden.
var kitInputs = map[string]string{
	"blazeface_front":     `float[1, 128, 128, 3] "input:0" = random(1, -1, 1)`,
	"cifar10_vit_pgd":     "float[1, 3, 32, 32] input = random(1, -2, 2)",
	"mlsd_tiny_320":       `float[1, 320, 320, 4] "input_image_with_alpha:0" = random(1, -1, 1)`,
	"mnist_cntk":          "float[1, 1, 28, 28] Input3 = random(1, 0, 255)",
	"nnsplit_en":          "uint8[2, 60] input = random(1, 32, 122)",
	"portrait_sinet":      "float[1, 3, 320, 320] data = random(1, -2, 2)",
	"ppocr_cls":           "float[2, 3, 48, 192] x = random(1, -1, 1)",
	"ppocrv4_rec":         "float[1, 3, 48, 120] x = random(1, -1, 1)",
	"yolox_nano":          "float[1, 3, 416, 416] images = random(1, 0, 255)",
	"yunet_n_dynamic":     "float[1, 3, 96, 128] input = random(1, 0, 255)",
	"cifar10_resnet20":    "float[2, 3, 32, 32] input = random(1, -2, 2)",
	"vww_mobilenetv1_025": "float[1, 96, 96, 3] input_1 = random(1, 0, 1)",
	"efficientnet_lite0":  "float[1, 3, 224, 224] input = random(1, -1, 1)",
	"silero_vad_v6":       "float[1, 576] input = random(1, -1, 1), float[2, 1, 128] state = random(2, -1, 1), int64 sr = {16000}",
}

// TestKit raises every model of the kit and compares its outputs in ONNX
// Runtime with every rewrite turned off. They agree bit by bit, except that
// the kernel of AveragePool 19 sums in another order: the models that have
// it may differ by rounding, 32 units in the last place of the largest output.
func TestKit(t *testing.T) {
	files, _ := filepath.Glob(kit + "/*.onnx")
	if len(files) == 0 {
		t.Skip("the evaluation kit is not here: ", kit)
	}
	rt, _, err := ort.Discover(runtimelib.Options{})
	if err != nil {
		t.Skip("no ONNX Runtime: ", err)
	}
	defer rt.Close()
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".onnx")
		if inputs, ok := kitInputs[name]; ok {
			t.Run(name, func(t *testing.T) { raiseKit(t, rt, f, inputs) })
		} else if !strings.HasPrefix(name, "reject_") {
			t.Errorf("no inputs for %s", name)
		}
	}
}

func raiseKit(t *testing.T, rt *ort.Runtime, file, inputs string) {
	before, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	in := samples(t, before, "g () => () <"+inputs+"> {}")
	want := outputs(t, rt, before, in)
	for _, to := range []int64{13, 17, 19, 21, 25} {
		m, err := graph.Import(before)
		if err != nil {
			t.Fatal(err)
		}
		if m.Opset("") >= to {
			continue
		}
		if err := opset.Raise(context.Background(), m, to); err != nil {
			t.Fatal(err)
		}
		if err := verify.Model(m); err != nil {
			t.Error(err)
		}
		after, err := m.Export()
		if err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("OPSET_KEEP"); dir != "" {
			if err := onnx.Save(filepath.Join(dir, fmt.Sprintf("%s.%d.onnx", strings.TrimSuffix(filepath.Base(file), ".onnx"), to)), after, onnx.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		ulps := 0.0
		if averages(m) && to >= 19 {
			ulps = 32
		}
		if d := difference(want, outputs(t, rt, after, in), ulps); d != "" {
			t.Errorf("opset %d: %s", to, d)
		}
	}
}

func averages(m *graph.Model) bool {
	for n := range m.All() {
		if n.Is("AveragePool") {
			return true
		}
	}
	return false
}
