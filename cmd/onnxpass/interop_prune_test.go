package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// leastAgreement is how close, in dB, OpenVINO and ONNX Runtime must be on one
// pruned file in float32: rounding leaves 60 and more, but for networks whose
// activations cancel in long sums.
const leastAgreement = 40

// Every model that lost 10, 30 and 50 percent of every pool, drawn at random, is valid and
// loads and runs in ONNX Runtime and in OpenVINO, with the same result.
func TestInteropPruned(t *testing.T) {
	python := interopPython(t)
	cases := append([]kitCase(nil), ownCases...)
	for i := range cases {
		cases[i].path = filepath.Join("..", "..", "testdata", "models", cases[i].model+".onnx")
	}
	if _, err := os.Stat(kitFolder); err == nil {
		for _, c := range kitCases {
			c.path = filepath.Join(kitFolder, "models", c.model+".onnx")
			c.samples = min(c.samples, 4)
			cases = append(cases, c)
		}
	}
	tool, dir := buildTool(t), t.TempDir()
	for _, c := range cases {
		t.Run(c.model, func(t *testing.T) {
			folder := ""
			if c.samples > 0 {
				_, folder = c.dump(t, python, dir)
			}
			for seed, ratio := range []float64{0.1, 0.3, 0.5} { // passes/prune tests every seed with every ratio
				prunedOne(t, python, tool, dir, folder, c, ratio, seed)
			}
		})
	}
}

func prunedOne(t *testing.T, python, tool, dir, folder string, c kitCase, ratio float64, seed int) {
	t.Helper()
	out := filepath.Join(dir, c.model+".pruned.onnx")
	spec := fmt.Sprintf("prune:ratio=%g,criterion=random,compensate=none,seed=%d,multiple=1,min-channels=1", ratio, seed)
	cmd := exec.Command(tool, "-p", spec, c.path, "-o", out, "--force", "-q")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("onnxpass -p %s: %v\n%s", spec, err, stderr.String())
	}
	got := askConsumers(t, python, dir, folder, c, out, "openvino")
	if got.Crash != "" || got.ORT != "ok" || got.Checker != "ok" && !strings.Contains(got.Checker, "com.microsoft") {
		t.Errorf("%s: checker %s, ONNX Runtime %s %s", spec, got.Checker, got.ORT, got.Crash)
	}
	if c.ovReason == "" && (got.OpenVINO != "ok" || got.Agree < leastAgreement) {
		t.Errorf("%s: OpenVINO %s, %.1f dB from ONNX Runtime", spec, got.OpenVINO, got.Agree)
	}
}
