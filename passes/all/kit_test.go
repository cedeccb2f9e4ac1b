package all

import (
	"bytes"
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// sizes are the open dimensions of kit models, for random samples; 1 is right for the others.
var sizes = map[string]map[string][]int64{
	"nnsplit_en":      {"input": {1, 60}},
	"ppocr_cls":       {"x": {1, 3, 48, 192}},
	"ppocrv4_rec":     {"x": {1, 3, 48, 120}},
	"yunet_n_dynamic": {"input": {1, 3, 96, 128}},
}

// realModels are the files of testdata and, where it is there, of the evaluation kit.
func realModels(t *testing.T) []string {
	t.Helper()
	own, err := filepath.Glob("../../testdata/models/*.onnx")
	if err != nil || len(own) == 0 {
		t.Fatal("no models in testdata ", err)
	}
	kit, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(kit) == 0 {
		t.Log("the evaluation kit is not in ../shared/kit: only the models of testdata are run")
	}
	for _, path := range kit {
		if !strings.HasPrefix(filepath.Base(path), "reject_") {
			own = append(own, path)
		}
	}
	return own
}

// transform runs the spec on the model at path with two random samples.
func transform(t *testing.T, rt calib.Runner, path, spec string, threads int) (*passes.Done, *onnx.Model) {
	t.Helper()
	in, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	g, _, err := passes.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	shapes := sizes[strings.TrimSuffix(filepath.Base(path), ".onnx")]
	steps, err := passes.Parse(Passes, spec)
	if err != nil {
		t.Fatal(err)
	}
	job := passes.Job{Model: in, Set: Set(), Steps: steps, Target: target.Lookup("ort"), Runner: rt, Threads: threads}
	if steps[0].Pass.Name == "bf16" { // ONNX Runtime has no kernels for it
		job.Target, job.NoVerify = target.Lookup("openvino"), true
	}
	if steps[0].Pass.NeedsData {
		ports := calib.InputPorts(g)
		if job.Samples, err = sample.Load(context.Background(), []string{"random"}, ports, sample.Options{Max: 2, Seed: 1, Shapes: shapes}); err != nil {
			t.Fatal(err)
		}
	}
	done, err := passes.Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	return done, in
}

// No pass changes names, order, types and dims of inputs and outputs, symbolic dims included.
func TestInterfaceStays(t *testing.T) {
	rt := orttest.Runner(t)
	for _, path := range realModels(t) {
		for _, p := range Passes {
			if p.NeedsData && strings.HasPrefix(filepath.Base(path), "silero") {
				continue // random numbers are no sample rate
			}
			spec := p.Name
			switch spec { // these ask how much
			case "prune":
				spec += ":ratio=0.3,multiple=1,min-channels=1"
			case "mixed":
				spec += ":bpw=8"
			}
			done, in := transform(t, rt, path, spec, 0)
			if diff := passes.InterfaceChanges(in, done.Model); len(diff) > 0 {
				t.Errorf("%s: %s: %v", filepath.Base(path), p.Name, diff)
			}
		}
	}
}

// The bytes of a result depend neither on the number of threads nor on the run.
func TestDeterminism(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	rt := orttest.Runner(t)
	for _, path := range realModels(t) {
		spec := "quant"
		if strings.HasPrefix(filepath.Base(path), "silero") {
			spec = "cleanup"
		}
		var first []byte
		for i, threads := range []int{1, 4, 1} {
			func() {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1 + i%2))
				done, _ := transform(t, rt, path, spec, threads)
				if spec == "quant" && done.Result.After.Dequantize == 0 {
					t.Errorf("%s: nothing was quantized", filepath.Base(path))
				}
				var b bytes.Buffer
				if err := onnx.Write(&b, done.Model); err != nil {
					t.Fatal(err)
				}
				switch {
				case first == nil:
					first = b.Bytes()
				case !bytes.Equal(first, b.Bytes()):
					t.Errorf("%s: %s with %d threads gives other bytes", filepath.Base(path), spec, threads)
				}
			}()
		}
	}
}
