package quant_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/openvino"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/passes/quant"
)

// OpenVINO, held to the instructions of a CPU without VNNI, loses what the
// report warns of, and the repaired file does not. The instruction set is fixed
// when the library is loaded, so this test runs itself with it in the environment.
func TestSaturationOnOldCPU(t *testing.T) {
	if os.Getenv("ONEDNN_MAX_CPU_ISA") == "" {
		found, _, err := runtimelib.Find(runtimelib.OpenVINO(), runtimelib.Options{})
		if err != nil {
			t.Skip("no OpenVINO library (set ONNXPASS_OPENVINO_LIB)")
		}
		c := exec.Command(os.Args[0], "-test.run=^TestSaturationOnOldCPU$", "-test.v")
		c.Env = append(os.Environ(), "ONEDNN_MAX_CPU_ISA=AVX2", "ONNXPASS_OPENVINO_LIB="+found.Path)
		out, err := c.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Error(err)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skip("see above")
		}
		return
	}
	old, err := openvino.Load(os.Getenv("ONNXPASS_OPENVINO_LIB"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range models(t, "../../testdata/models") {
		t.Run(filepath.Base(path), func(t *testing.T) { repaired(t, old, path) })
	}
}

// repairGain is the least gain in dB, half of what was measured. In the residual network pairs could saturate and
// hardly do; there the larger scales may cost a little.
var repairGain = map[string]float64{"fashion_mobilenet.onnx": 2.3, "fashion_vit.onnx": 4, "fashion_resnet.onnx": -1.5}

func repaired(t *testing.T, old calib.Runner, path string) {
	rt := orttest.Runner(t)
	pictures := sample.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.286}, Std: []float32{0.353}, Color: "gray"}
	o := sample.Options{Max: 100, Preprocess: pictures}
	plain := quantized(t, rt, path, "openvino", []string{"../../testdata/fashion/calib"}, o)
	fixed := quantizedAs(t, rt, path, "quant:isa="+quant.ISAAVX2, "openvino", []string{"../../testdata/fashion/calib"}, o)
	set, err := sample.Load(context.Background(), []string{"../../testdata/fashion/test"}, calib.InputPorts(plain.graph), o)
	if err != nil {
		t.Fatal(err)
	}
	var sqnr [2]float64
	for i, n := range []network{plain, fixed} {
		c, err := calib.Compare(context.Background(), old, n.proto, n.out, set, calib.CompareOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		sqnr[i] = c.All.SQNR
	}
	risky := 0
	for _, l := range plain.report.Layers {
		if l.Saturating != nil {
			risky += *l.Saturating
		}
	}
	t.Logf("%d channels at risk, SQNR %.1f dB, repaired %.1f dB", risky, sqnr[0], sqnr[1])
	if risky == 0 || sqnr[1] < sqnr[0]+repairGain[filepath.Base(path)] {
		t.Error("the repair does not show")
	}
}
