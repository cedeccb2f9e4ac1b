package quant_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
)

// network is a model file being quantized for a target.
type network struct {
	proto  *onnx.Model // as it was
	out    *onnx.Model
	graph  *graph.Model
	report *passes.StepReport
}

// quantized runs the pass with everything it needs on a file.
func quantized(t *testing.T, rt calib.Runner, path, name string, data []string, o sample.Options) network {
	t.Helper()
	return quantizedAs(t, rt, path, "quant", name, data, o)
}

// quantizedAs is quantized with a pass list of its own.
func quantizedAs(t *testing.T, rt calib.Runner, path, list, name string, data []string, o sample.Options) network {
	t.Helper()
	proto, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proto.Close() })
	m, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	set, err := sample.Load(context.Background(), data, calib.InputPorts(m), o)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := passes.Parse(all.Passes, list)
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pipe.Check = verify.Model
	env := &passes.Env{Model: m, Target: target.Lookup(name), Runner: rt, Calib: &calib.Calibration{Runner: rt, Samples: set, Threads: 1}}
	reports, err := pipe.Run(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return network{proto, out, m, reports[len(reports)-1]}
}

// share is the part of the counted multiply-accumulates that run in 8 bits.
func (n network) share() float64 {
	var done, every float64
	for _, l := range n.report.Layers {
		if l.MACs != nil {
			every += float64(*l.MACs)
			if l.Dtype == "int8" {
				done += float64(*l.MACs)
			}
		}
	}
	return done / every
}

// lint requires that the file breaks no rule that the original keeps.
func (n network) lint(t *testing.T, name string) {
	t.Helper()
	m, err := graph.Import(n.proto)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Infer()
	broken := map[string]bool{}
	for _, f := range target.Lookup(name).Lint(m) {
		broken[f.Rule] = true
	}
	for _, f := range target.Lookup(name).Lint(n.graph) {
		if f.Severity.Failing() && !broken[f.Rule] {
			t.Error(f)
		}
	}
}

// The trained networks of the tree keep their predictions for every target.
// The bounds are 3 dB and one point below what was measured.
func TestTrainedNetworks(t *testing.T) {
	rt := orttest.Runner(t)
	pictures := sample.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.286}, Std: []float32{0.353}, Color: "gray"}
	for _, path := range models(t, "../../testdata/models") {
		for _, name := range target.Names() {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				n := quantized(t, rt, path, name, []string{"../../testdata/fashion/calib"}, sample.Options{Max: 100, Preprocess: pictures})
				n.lint(t, name)
				set, err := sample.Load(context.Background(), []string{"../../testdata/fashion/test"}, calib.InputPorts(n.graph), sample.Options{Max: 100, Preprocess: pictures})
				if err != nil {
					t.Fatal(err)
				}
				c, err := calib.Compare(context.Background(), rt, n.proto, n.out, set, calib.CompareOptions{Threads: 1})
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("SQNR %.1f dB, same prediction %.3f, INT8 share %.3f", c.All.SQNR, c.All.Top1, n.share())
				if c.All.SQNR < 23.4 || c.All.Top1 < 0.97 {
					t.Errorf("SQNR %.1f dB, same prediction %.3f", c.All.SQNR, c.All.Top1)
				}
			})
		}
	}
}

// layersInFloat are models in which the targets' rules leave more than 2 % of
// the multiply-accumulates in float: recurrent layers and bodies, and the
// small layers of TensorRT.
var layersInFloat = map[string]string{
	"silero_vad_v6.onnx":       "all layers lie in bodies of If",
	"nnsplit_en.onnx":          "LSTM",
	"vww_mobilenetv1_025.onnx": "few channels (tensorrt)",
	"portrait_sinet.onnx":      "few channels (tensorrt)",
	"cifar10_vit_pgd.onnx":     "attention of 16 columns (tensorrt)",
}

// Every model of the kit becomes a valid file that ONNX Runtime loads and
// runs, breaks no rule of its target and runs in 8 bits where it may.
func TestKit(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	const kit = "../../../shared/kit/models"
	if _, err := os.Stat(kit); err != nil {
		t.Skip("no evaluation kit beside the repository")
	}
	rt := orttest.Runner(t)
	for _, path := range models(t, kit) {
		if strings.HasPrefix(filepath.Base(path), "reject_") {
			continue
		}
		for _, name := range target.Names() {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) { kitModel(t, rt, path, name) })
		}
	}
}

func kitModel(t *testing.T, rt calib.Runner, path, name string) {
	o := sample.Options{Max: 2, Dims: map[string]int64{"batch": 1, "batch_size": 1}, Shapes: kitShapes[filepath.Base(path)]}
	n := quantized(t, rt, path, name, []string{"random"}, o)
	n.lint(t, name)
	n.whole(t, path)
	set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(n.graph), o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := calib.Compare(context.Background(), rt, n.proto, n.out, set.Pick([]int{0}), calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if c.All.Broken > 0 {
		t.Errorf("%d outputs are not finite", c.All.Broken)
	}
	if s := n.share(); s < 0.98 && layersInFloat[filepath.Base(path)] == "" {
		t.Errorf("INT8 share %.3f", s)
	}
}

// whole requires that what was a LayerNorm, a SiLU and so on is still one: no pair lies inside.
func (n network) whole(t *testing.T, path string) {
	t.Helper()
	m, err := graph.Import(n.proto)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	before, after := kinds(m), kinds(n.graph)
	for k, count := range before {
		if after[k] != count {
			t.Errorf("%s: %d regions of kind %s, before %d", filepath.Base(path), after[k], k, count)
		}
	}
}

// kinds counts the regions that hold no layers. Activations count together: one with factors for each channel has no name of its own.
func kinds(m *graph.Model) map[region.Kind]int {
	out := map[region.Kind]int{}
	for _, r := range region.Find(m.Main).All() {
		switch {
		case r.Kind.Elementwise():
			out[region.Activation]++
		case r.Kind.Normalises():
			out[r.Kind]++
		}
	}
	return out
}

// kitShapes are sizes for inputs that leave them open.
var kitShapes = map[string]map[string][]int64{
	"silero_vad_v6.onnx":   {"input": {1, 288}, "state": {2, 1, 128}},
	"ppocrv4_rec.onnx":     {"x": {1, 3, 48, 192}},
	"ppocr_cls.onnx":       {"x": {1, 3, 48, 192}},
	"yunet_n_dynamic.onnx": {"input": {1, 3, 160, 160}},
	"nnsplit_en.onnx":      {"input": {1, 64}},
}

func models(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.onnx")
	if err != nil || len(files) == 0 {
		t.Fatal("no models in", folder, err)
	}
	return files
}
