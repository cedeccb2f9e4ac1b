package quant_test

import (
	"context"
	"errors"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/quant"
	"github.com/onnxpass/onnxpass/passes/target"
)

// fashion is the network of the repository with real samples.
const fashion = "../../testdata/models/fashion_resnet.onnx"

// normal is how its samples are read.
var normal = sample.Options{Max: 60, Preprocess: sample.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.286}, Std: []float32{0.353}}}

// fashionJob quantizes the network for a target, in memory.
func fashionJob(t *testing.T, rt calib.Runner, name, list string) passes.Job {
	t.Helper()
	proto, err := onnx.Open(fashion)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proto.Close() })
	g, _, err := passes.Load(proto)
	if err != nil {
		t.Fatal(err)
	}
	set, err := sample.Load(context.Background(), []string{"../../testdata/fashion/calib"}, calib.InputPorts(g), normal)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := passes.Parse(all.Passes, list)
	if err != nil {
		t.Fatal(err)
	}
	job := passes.Job{Model: proto, Set: all.Set(), Steps: steps, Target: target.Lookup(name), Runner: rt, Threads: 1}
	job.Samples, job.HeldOut = set.Split()
	return job
}

// All layers quantized one after another in a copy of the float model are the
// quantized model: nothing that makes noise is overlooked. What remains is
// rounding of float32 that tips codes over, less than a tenth of the noise.
func TestLayersAreTheQuantization(t *testing.T) {
	rt := orttest.Runner(t)
	kit := filepath.Join("..", "..", "..", "shared", "kit", "models")
	for _, path := range []string{fashion, filepath.Join(kit, "cifar10_resnet20.onnx"), filepath.Join(kit, "vww_mobilenetv1_025.onnx")} {
		for _, name := range []string{"ort", "openvino", "tensorrt"} {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				float := prepared(t, rt, path, name)
				n := quantizedAs(t, rt, path, "quant:bias=none", name, []string{"random"}, sample.Options{Max: 4})
				layers := probe.Layers(float, n.graph)
				if len(layers) < 5 {
					t.Fatalf("%d layers", len(layers))
				}
				rebuilt := float.Clone()
				for _, l := range layers {
					if err := l.Apply(rebuilt); err != nil {
						t.Fatal(err)
					}
				}
				set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(float), sample.Options{Max: 2, Seed: 9})
				if err != nil {
					t.Fatal(err)
				}
				if db, noise := sqnr(t, rt, n.graph, rebuilt, set), sqnr(t, rt, float, n.graph, set); db < noise+10 {
					t.Errorf("%.1f dB between the quantized model and its layers, which are %.1f dB from the float model", db, noise)
				}
			})
		}
	}
}

// prepared is the model as quant gets it.
func prepared(t *testing.T, rt calib.Runner, path, name string) *graph.Model {
	t.Helper()
	n := quantizedAs(t, rt, path, "opset,cleanup,equalize", name, []string{"random"}, sample.Options{Max: 4}) // as the quantized one: equalize looks at them
	return n.graph
}

// sqnr is how far b is from a, over all outputs, without any rewriting by the
// runtime: kernels of its own for quantized operators round in other ways.
func sqnr(t *testing.T, rt calib.Runner, a, b *graph.Model, set *calib.Set) float64 {
	t.Helper()
	var s [2]calib.Session
	for i, m := range []*graph.Model{a, b} {
		proto, err := m.Export()
		if err == nil {
			s[i], err = rt.Open(context.Background(), proto, calib.OpenOptions{Optimization: calib.Exact, Threads: 1})
		}
		if err != nil {
			t.Fatal(err)
		}
		defer s[i].Close()
	}
	c, err := calib.CompareSessions(context.Background(), s[0], s[1], set, calib.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c.All.SQNR
}

// A ranking is complete, in order, the same for every number of threads, and
// leaves the model alone. Its forecast for the suggested layers holds within
// 1.5 dB: errors of layers add up nearly, not exactly. Rebuilt layers answer for
// the ones before them, so that their errors add up less well; these are not rebuilt.
func TestRankForecast(t *testing.T) {
	rt := orttest.Runner(t)
	var rankings []*quant.Ranking
	for _, threads := range []int{1, 2} {
		r := &quant.Ranking{}
		job := fashionJob(t, rt, "ort", "quant:effort=fast")
		job.Set.Passes = slices.Clone(job.Set.Passes)
		for i, p := range job.Set.Passes {
			if p.Name == "quant" {
				job.Set.Passes[i] = quant.Rank(quant.RankOptions{Samples: 8, Probe: probe.Options{Threads: threads}}, r)
				job.Steps = []passes.Step{{Pass: job.Set.Passes[i], Options: job.Steps[0].Options}}
			}
		}
		job.DryRun = true
		done, err := passes.Run(context.Background(), job)
		if err != nil {
			t.Fatal(err)
		}
		if done.Result.After.Quantize > 0 {
			t.Error("the model was edited")
		}
		r.Seconds = 0
		rankings = append(rankings, r)
	}
	r := rankings[0]
	if len(r.Layers) < 8 || len(r.Unmeasured) > 0 || len(r.Exclude) == 0 {
		t.Fatalf("%+v", r)
	}
	share := 0.0
	for i, l := range r.Layers {
		if other := rankings[1].Layers[i]; l.Name != other.Name || l.SQNR != other.SQNR || l.SharePct != other.SharePct {
			t.Errorf("%+v with one thread, %+v with two", l, other)
		}
		share += l.SharePct
		if l.KL == nil || l.Agree == nil {
			t.Errorf("%s: no figures of classes", l.Name)
		}
	}
	if math.Abs(share-100) > 1e-6 {
		t.Errorf("shares add up to %v %%", share)
	}
	forecast := r.Layers[len(r.Exclude)-1].Forecast
	job := fashionJob(t, rt, "ort", "quant:effort=fast")
	job.Select.Exclude = r.Exclude
	job.HeldOut = job.Samples.Spread(8)
	done, err := passes.Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	if got := done.Result.Verify.Worst; math.Abs(got-forecast) > 1.5 {
		t.Errorf("forecast %.2f dB with %d layers in float, measured %.2f dB", forecast, len(r.Exclude), got)
	}
}

// A budget reaches its gate with few layers in float, and what it prints makes the same file without the search.
func TestBudget(t *testing.T) {
	rt := orttest.Runner(t)
	plain, err := passes.Run(context.Background(), fashionJob(t, rt, "ort", "quant:effort=fast"))
	if err != nil {
		t.Fatal(err)
	}
	goal := plain.Result.Verify.Worst + 2
	job := fashionJob(t, rt, "ort", "quant:effort=fast")
	job.Gates.MinSQNR = &goal
	done, err := passes.Run(context.Background(), job)
	if err != nil {
		t.Fatalf("a budget of 2 dB more: %v", err)
	}
	step := done.Result.Passes[len(done.Result.Passes)-1]
	reached, again := fact(step, "budget"), fact(step, "the same")
	if !strings.HasPrefix(reached, "reached") || again == "" {
		t.Fatalf("facts %+v", step.Facts)
	}
	float := 0
	for _, l := range step.Layers {
		if strings.HasPrefix(l.Reason, "in float to reach --min-sqnr") {
			float++
		}
		if l.OwnSQNR != nil || l.SQNR != nil {
			t.Errorf("%s: figures, which effort=fast does not take", l.Name)
		}
	}
	if float == 0 || float > len(step.Layers)/2 {
		t.Errorf("%d of %d layers in float", float, len(step.Layers))
	}
	job = fashionJob(t, rt, "ort", "quant:effort=fast")
	for _, f := range strings.Split(again, "--exclude ")[1:] {
		job.Select.Exclude = append(job.Select.Exclude, strings.Trim(f, " '"))
	}
	same, err := passes.Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := done.Result.Verify.SQNR, same.Result.Verify.SQNR; a != b || done.Result.After.Nodes != same.Result.After.Nodes {
		t.Errorf("%v dB, %d nodes with the search; %v dB, %d nodes with its flags", a, done.Result.After.Nodes, b, same.Result.After.Nodes)
	}
}

func fact(s *passes.StepReport, prefix string) string {
	for _, f := range s.Facts {
		if strings.HasPrefix(f.Name, prefix) {
			return f.Value
		}
	}
	return ""
}

// A gate out of reach fails as it would without a budget, and says how far one came; max-float bounds what is given up.
func TestBudgetOutOfReach(t *testing.T) {
	rt := orttest.Runner(t)
	goal := 110.0
	for list, most := range map[string]float64{"quant": 50, "quant:max-float=10": 10} {
		job := fashionJob(t, rt, "ort", list)
		job.Gates.MinSQNR = &goal
		done, err := passes.Run(context.Background(), job)
		var gate *passes.GateError
		if err == nil || !errors.As(err, &gate) || gate.Failed[0].Code != "OP4001" {
			t.Fatalf("%s: %v", list, err)
		}
		step := done.Result.Passes[len(done.Result.Passes)-1]
		if !strings.HasPrefix(fact(step, "budget"), "not reached") {
			t.Errorf("%s: facts %+v", list, step.Facts)
		}
		if pct := 100 - done.Result.After.Int8Pct; pct > most+1 {
			t.Errorf("%s: %.1f %% of the MACs in float", list, pct)
		}
		if !strings.Contains(gate.Failed[0].Hint, "--exclude") {
			t.Errorf("%s: hint %q", list, gate.Failed[0].Hint)
		}
	}
	job := fashionJob(t, rt, "ort", "quant:budget=off")
	job.Gates.MinSQNR = &goal
	done, _ := passes.Run(context.Background(), job)
	if s := done.Result.Passes[len(done.Result.Passes)-1]; fact(s, "budget") != "" {
		t.Errorf("budget=off searched: %+v", s.Facts)
	}
}

// A run says of every layer what it adds and what has come together there; effort=fast saves that.
func TestFiguresOfLayers(t *testing.T) {
	rt := orttest.Runner(t)
	for spec, want := range map[string]bool{"quant": true, "quant:effort=fast": false} {
		done, err := passes.Run(context.Background(), fashionJob(t, rt, "ort", spec))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range done.Result.Passes[len(done.Result.Passes)-1].Layers {
			if has := l.SQNR != nil && (l.OwnSQNR != nil || l.Dtype != "int8"); has != want {
				t.Errorf("%s: %s has figures: %v", spec, l.Name, has)
			}
		}
	}
}
