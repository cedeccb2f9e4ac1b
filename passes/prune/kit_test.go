package prune_test

import (
	"context"
	"fmt"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"path/filepath"
	"strings"
	"testing"

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
		env := &passes.Env{Model: m}
		if _, err := pipe.Run(context.Background(), env); err != nil {
			t.Fatal(err)
		}
		e, err := pruning.Explain(context.Background(), env, pruning.Pass.Defaults().(pruning.Options))
		if err != nil {
			t.Fatal(err)
		}
		if e.Prunable < share[name] {
			t.Errorf("%.1f %% of the MACs can shrink, want %.0f", e.Prunable, share[name])
		}
	})
}

// Every model can lose 10, 30 and 50 percent of every pool, drawn at random; the pass compares each with the silenced original.
func TestKitLosesAnyChannels(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	rt := orttest.Runner(t)
	kit(t, func(t *testing.T, name, path string) {
		for _, ratio := range []float64{0.1, 0.3, 0.5} {
			for seed := range 3 {
				m := load(t, path)
				r, err := prune(t, rt, m, fmt.Sprintf("prune:ratio=%g,criterion=random,seed=%d,multiple=1,min-channels=1", ratio, seed))
				if err != nil {
					t.Fatalf("%g of every pool, seed %d: %v", ratio, seed, err)
				}
				compared := strings.Contains(fmt.Sprint(r.Facts), "largest difference")
				if needsSamples := name == "nnsplit_en.onnx" || name == "silero_vad_v6.onnx"; !compared && !needsSamples {
					t.Errorf("not compared: %v", r.Notes)
				}
			}
		}
	})
}
