package prune_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
)

// withSamples prunes the example network on random samples with so many threads.
func withSamples(t *testing.T, rt calib.Runner, spec string, threads int) (*graph.Model, float64) {
	t.Helper()
	m := load(t, resnet)
	var samples []map[string]calib.Array
	for i := range 24 {
		samples = append(samples, feed(t, m, nil, uint64(i+1)))
	}
	steps, err := passes.Parse(all.Passes, spec)
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set := calib.NewSet(memory(samples))
	fit, held := set.Split()
	env := &passes.Env{Model: m, Runner: rt, Calib: &calib.Calibration{Runner: rt, Samples: fit, HeldOut: held, Threads: threads}}
	if _, err := pipe.Run(context.Background(), env); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	want, err := load(t, resnet).Export()
	if err != nil {
		t.Fatal(err)
	}
	got, err := env.Model.Export()
	if err != nil {
		t.Fatal(err)
	}
	c, err := calib.Compare(context.Background(), rt, want, got, held, calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return env.Model, c.All.SQNR
}

// The more is made up for, the closer the outputs are, on samples that nothing was fitted to.
func TestCompensationHelps(t *testing.T) {
	rt := orttest.Runner(t)
	last := -100.0
	for _, how := range []string{"none", "merge", "refit"} {
		_, sqnr := withSamples(t, rt, "prune:ratio=0.3,multiple=1,min-channels=2,compensate="+how, 2)
		if sqnr < last+1 {
			t.Errorf("compensate=%s gives %.1f dB, the one before %.1f", how, sqnr, last)
		}
		last = sqnr
	}
}

// The file does not depend on the number of threads.
func TestThreadsDoNotMatter(t *testing.T) {
	rt := orttest.Runner(t)
	one, _ := withSamples(t, rt, "prune:macs=0.8,multiple=2,min-channels=2", 1)
	three, _ := withSamples(t, rt, "prune:macs=0.8,multiple=2,min-channels=2", 3)
	if !bytes.Equal(encode(t, one), encode(t, three)) {
		t.Error("another file with three threads")
	}
}
