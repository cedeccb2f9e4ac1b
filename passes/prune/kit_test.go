package prune_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	pruning "github.com/onnxpass/onnxpass/passes/prune"
)

// share is the least part of the MACs, in percent, in layers that can shrink.
var share = map[string]float64{
	"cifar10_resnet20.onnx": 90, "efficientnet_lite0.onnx": 90, "yolox_nano.onnx": 90, "vww_mobilenetv1_025.onnx": 90,
	"yunet_n_dynamic.onnx": 90, "mlsd_tiny_320.onnx": 90, "ppocrv4_rec.onnx": 90, "ppocr_cls.onnx": 90, "cifar10_vit_pgd.onnx": 60,
	"portrait_sinet.onnx": 90, "blazeface_front.onnx": 90, "nnsplit_en.onnx": 90, "mnist_cntk.onnx": 90,
	"silero_vad_v6.onnx": 90,
}

// kit calls test for every readable model of the kit.
func kit(t *testing.T, test func(t *testing.T, name, path string)) {
	t.Helper()
	paths, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	for _, path := range paths {
		proto, err := onnx.Open(path)
		if err != nil {
			continue // the one that must be refused
		}
		proto.Close()
		t.Run(filepath.Base(path), func(t *testing.T) { test(t, filepath.Base(path), path) })
	}
}

func TestMostOfTheWorkCanShrink(t *testing.T) {
	rt := orttest.Runner(t) // which folds the weights that a model computes of others
	kit(t, func(t *testing.T, name, path string) {
		m := load(t, path)
		steps, err := passes.Parse(all.Passes, "opset,cleanup")
		if err != nil {
			t.Fatal(err)
		}
		pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		env := &passes.Env{Model: m, Runner: rt}
		if _, err := pipe.Run(context.Background(), env); err != nil {
			t.Fatal(err)
		}
		o := pruning.Pass.Defaults().(pruning.Options)
		if name == "silero_vad_v6.onnx" { // its state is an input and an output
			o.States, env.Shapes = []string{"state", "stateN"}, shapes[name]
		}
		e, err := pruning.Explain(context.Background(), env, o)
		if err != nil {
			t.Fatal(err)
		}
		if e.Prunable < share[name] {
			t.Errorf("%.1f %% of the MACs can shrink, want %.0f", e.Prunable, share[name])
		}
	})
}

// shapes are the sizes of inputs of the models that cannot be run on made-up ones.
var shapes = map[string]map[string][]int64{
	"nnsplit_en.onnx":    {"input": {1, 50}},
	"silero_vad_v6.onnx": {"input": {1, 576}, "state": {2, 1, 128}, "sr": {}},
}

// Every model can lose 10, 30 and 50 percent of every pool, drawn at random; the
// pass compares each with the silenced original.
func TestKitLosesAnyChannels(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	rt := orttest.Runner(t)
	kit(t, func(t *testing.T, name, path string) {
		var samples []map[string]calib.Array
		states := ""
		if sizes := shapes[name]; sizes != nil {
			samples = []map[string]calib.Array{feed(t, load(t, path), sizes, 1), feed(t, load(t, path), sizes, 2)}
		}
		if name == "silero_vad_v6.onnx" {
			states = ",states=(state,stateN)"
		}
		for _, ratio := range []float64{0.1, 0.3, 0.5} {
			for seed := range 3 {
				m := load(t, path)
				spec := fmt.Sprintf("prune:ratio=%g,criterion=random,compensate=none,seed=%d,multiple=1,min-channels=1%s", ratio, seed, states)
				r, err := prune(t, rt, m, spec, samples...)
				if err != nil {
					t.Fatalf("%g of every pool, seed %d: %v", ratio, seed, err)
				}
				if !strings.Contains(fmt.Sprint(r.Facts), "largest difference") {
					t.Errorf("not compared: %v", r.Notes)
				}
			}
		}
	})
}

// masked sets the weights and biases that make some channels of every pool to
// zero where that silences them for good, as pruners that train with masks leave
// them, and tells how many channels that are.
func masked(t *testing.T, m *graph.Model, ratio float64) int {
	t.Helper()
	a := axes.Analyze(m, axes.Options{})
	silent := 0
	for _, pool := range a.Pools {
		if !silenceable(pool) {
			continue
		}
		n := int(ratio * float64(len(pool.Classes)))
		gone := pool.Classes[:n]
		for _, touch := range pool.Touches {
			if x := touch.Value.Const(); x != nil && x.Type == onnx.Float && touch.Value.IsInit() && !isSink(a, touch.Axis) {
				zeroAlong(t, touch.Value, touch.Axis.Axis, a.ClassesOf(touch.Axis), gone)
			}
		}
		silent += n
	}
	return silent
}

// silenceable tells whether channels without weights and biases are zero all along the pool: between its layers stand only operators that keep zeros.
func silenceable(pool axes.Pool) bool {
	for _, touch := range pool.Touches {
		if d := touch.Value.Def(); d != nil && !d.Is("Conv", "Relu", "Clip", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten", "Concat", "Reshape", "Gemm") {
			return false
		}
		if touch.Value.Const() != nil && !touch.Value.IsInit() {
			return false
		}
	}
	return len(pool.Sources) > 0
}

func isSink(a *axes.Analysis, at axes.Axis) bool {
	return slices.ContainsFunc(a.Sinks, func(s axes.Sink) bool { return s.Node.In(s.Weight) == at.Value && s.WeightAxis == at.Axis })
}

func zeroAlong(t *testing.T, v *graph.Value, axis int, classes, gone []int) {
	t.Helper()
	var list []int
	for i, k := range classes {
		if slices.Contains(gone, k) {
			list = append(list, i)
		}
	}
	clearAt(t, v, axis, list)
}

// A model in which channels were set to zero becomes a small one that computes the same.
func TestMaskedModelsBecomeSmall(t *testing.T) {
	rt := orttest.Runner(t)
	kit(t, func(t *testing.T, name, path string) {
		if !slices.Contains([]string{"cifar10_resnet20.onnx", "efficientnet_lite0.onnx", "vww_mobilenetv1_025.onnx", "mlsd_tiny_320.onnx", "blazeface_front.onnx"}, name) {
			t.Skip("one of each kind is enough")
		}
		m := cleaned(t, path)
		want := masked(t, m, 0.3)
		if want == 0 {
			t.Fatal("no channel could be silenced")
		}
		r, err := prune(t, rt, m, "prune:lossless=true,multiple=1")
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, p := range r.Pools {
			got += p.Before - p.After
		}
		if got < want {
			t.Errorf("%d channels are gone of %d that are zero", got, want)
		}
		if !strings.Contains(fmt.Sprint(r.Facts), "largest difference") {
			t.Errorf("not compared: %v", r.Notes)
		}
	})
}

// cleaned is a model as prune sees it.
func cleaned(t *testing.T, path string) *graph.Model {
	t.Helper()
	m := load(t, path)
	steps, err := passes.Parse(all.Passes, "opset,cleanup")
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.Run(context.Background(), &passes.Env{Model: m}); err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	return m
}

// A quantized model can be pruned: its scales and zero points for each channel are cut with the weights.
func TestQuantizedModelsArePruned(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	rt := orttest.Runner(t)
	kit(t, func(t *testing.T, name, path string) {
		if !slices.Contains([]string{"cifar10_resnet20.onnx", "vww_mobilenetv1_025.onnx", "cifar10_vit_pgd.onnx", "yunet_n_dynamic.onnx"}, name) {
			t.Skip("one of each kind is enough")
		}
		m := load(t, path)
		sizes := map[string][]int64{"yunet_n_dynamic.onnx": {1, 3, 64, 64}}
		inputs := map[string][]int64{}
		if s := sizes[name]; s != nil {
			inputs["input"] = s
		}
		samples := []map[string]calib.Array{feed(t, m, inputs, 1), feed(t, m, inputs, 2)}
		if _, err := prune(t, rt, m, "quant:effort=fast", samples...); err != nil {
			t.Fatal(err)
		}
		before := scalesOf(m)
		if len(before) == 0 {
			t.Fatal("no scale for each channel")
		}
		m, r, err := pruned(t, rt, m, "prune:ratio=0.3,criterion=random,compensate=none,multiple=1,min-channels=1", samples...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(fmt.Sprint(r.Facts), "largest difference") {
			t.Errorf("not compared: %v", r.Notes)
		}
		if after := scalesOf(m); slices.Equal(before, after) {
			t.Error("no vector of scales became shorter")
		}
	})
}

// scalesOf are the lengths of the scales of DequantizeLinear nodes, in order.
func scalesOf(m *graph.Model) []int64 {
	var out []int64
	for n := range m.Main.Nodes() {
		if n.Is("DequantizeLinear") && len(n.In(1).Shape().Dims) == 1 && n.In(1).Shape().Dims[0].Value > 1 {
			out = append(out, n.In(1).Shape().Dims[0].Value)
		}
	}
	return out
}
