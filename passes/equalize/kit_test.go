package equalize

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
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// kitShapes are sizes for inputs that leave them open.
var kitShapes = map[string]map[string][]int64{
	"ppocrv4_rec.onnx":     {"x": {1, 3, 48, 192}},
	"ppocr_cls.onnx":       {"x": {1, 3, 48, 192}},
	"yunet_n_dynamic.onnx": {"input": {1, 3, 160, 160}},
	"nnsplit_en.onnx":      {"input": {1, 64}},
}

// folded is how many classes of a model take random factors without a new
// node, at least. It guards against a walk that gives up everywhere.
var folded = map[string]int{
	"vww_mobilenetv1_025.onnx": 13, "yunet_n_dynamic.onnx": 20, "portrait_sinet.onnx": 2, "fashion_vit.onnx": 1,
}

// Every place of every real network that can be equalized is, by random factors
// over three decades, and the network computes what it did.
func TestNetworksKeepFunction(t *testing.T) {
	rt := orttest.Runner(t)
	files, _ := filepath.Glob("../../testdata/models/*.onnx")
	kit, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if _, err := os.Stat("../../../shared/kit/models"); err != nil {
		t.Log("no evaluation kit beside the repository")
	}
	if testing.Short() {
		kit = nil
	}
	for _, path := range append(files, kit...) {
		if name := filepath.Base(path); !strings.HasPrefix(name, "reject_") && !strings.HasPrefix(name, "silero_") {
			for _, to := range []string{"ort", "tensorrt"} {
				t.Run(name+"/"+to, func(t *testing.T) { networkKeepsFunction(t, rt, path, to) })
			}
		}
	}
}

func networkKeepsFunction(t *testing.T, rt calib.Runner, path, to string) {
	proto, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer proto.Close()
	m, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	o := sample.Options{Max: 2, Dims: map[string]int64{"batch": 1, "batch_size": 1}, Shapes: kitShapes[name]}
	set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(m), o)
	if err != nil {
		t.Fatal(err)
	}
	before := m.Clone()
	e := &equalizer{env: &passes.Env{Model: m, Target: target.Lookup(to), Runner: rt, Calib: &calib.Calibration{Runner: rt, Samples: set, Threads: 1}}, opt: Options{Mode: Auto, Centre: true}, profile: target.Lookup(to)}
	e.findSites()
	if m.Opset("") >= leastOpset {
		e.findCentres()
	}
	if len(e.sites)+len(e.centres) > 0 {
		if err := e.observe(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	e.group()
	if n := e.force(9); n < folded[name] {
		t.Errorf("%d classes could be folded, %d expected", n, folded[name])
	}
	if err := e.apply(); err != nil {
		t.Fatal(err)
	}
	if err := verify.Model(m); err != nil {
		t.Fatal(err)
	}
	same(t, rt, before, m, set.Pick([]int{0}))
}
