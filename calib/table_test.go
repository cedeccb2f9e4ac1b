package calib_test

import (
	"bytes"
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/observe"
	"github.com/onnxpass/onnxpass/onnx"
)

func collect(t *testing.T, c *calib.Calibration, m modelOf, reqs []calib.Request) *calib.Table {
	t.Helper()
	table, err := c.Collect(context.Background(), m.model, reqs)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func text(t *testing.T, table *calib.Table) string {
	t.Helper()
	var b bytes.Buffer
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Order of samples, number of threads and division among tables change no bit of the statistics.
func TestStatisticsDoNotDependOnOrderThreadsOrPartition(t *testing.T) {
	for task, model := range map[string]string{
		"cifar10": "cifar10_resnet20", "imagenet": "efficientnet_lite0", "cifar10-vit": "cifar10_vit_pgd",
		"ocr": "ppocrv4_rec", "face": "yunet_n_dynamic", "sent": "nnsplit_en",
	} {
		t.Run(task, func(t *testing.T) { testOrder(t, model, task) })
	}
}

func testOrder(t *testing.T, model, task string) {
	rt := orttest.Runner(t)
	m := kitModel(t, model, task)
	set := load(t, m.model, m.data, 6)
	reqs := activations(m.model)
	for i := range reqs {
		reqs[i].Channels = true
	}
	whole := collect(t, &calib.Calibration{Runner: rt, Samples: set, Threads: 1}, m, reqs)
	want := text(t, whole)
	if shuffled := collect(t, &calib.Calibration{Runner: rt, Samples: set.Pick([]int{3, 5, 1, 0, 4, 2}), Threads: 2}, m, reqs); text(t, shuffled) != want {
		t.Error("order or threads change the table")
	}
	parts := &calib.Table{}
	for i, part := range [][]int{{3, 4}, {0}, {5, 1, 2}} {
		p := collect(t, &calib.Calibration{Runner: rt, Samples: set.Pick(part)}, m, reqs)
		p.Samples = string(rune('a' + i))
		if err := parts.Merge(p); err != nil {
			t.Fatal(err)
		}
		if err := parts.Merge(p); err == nil {
			t.Error("the same samples are merged twice")
		}
	}
	if parts.Samples != "a+b+c" {
		t.Errorf("samples %q", parts.Samples)
	}
	parts.Samples = whole.Samples
	if text(t, parts) != want {
		t.Error("merged tables differ from the whole")
	}
}

func TestTableRoundTripAndCache(t *testing.T) {
	rt := orttest.Runner(t)
	m := kitModel(t, "cifar10_resnet20", "cifar10")
	dir := t.TempDir()
	count := &counting{Runner: rt}
	c := func() *calib.Calibration {
		return &calib.Calibration{Runner: count, Samples: load(t, m.model, m.data, 3), CacheDir: dir}
	}
	reqs := activations(m.model)
	first := collect(t, c(), m, reqs[:5])
	again := collect(t, c(), m, reqs[:5])
	if count.opened != 1 || text(t, first) != text(t, again) || first.Model == "" || first.Samples == "" {
		t.Errorf("opened %d times; model %q", count.opened, first.Model)
	}
	more := collect(t, c(), m, reqs[:8])
	if count.opened != 2 || len(more.Values()) != 8 {
		t.Errorf("opened %d times, %d values", count.opened, len(more.Values()))
	}
	read, err := calib.ReadTable(strings.NewReader(text(t, more)))
	if err != nil || text(t, read) != text(t, more) {
		t.Errorf("table does not come back: %v", err)
	}
	withChannels := []calib.Request{{Value: reqs[0].Value, Channels: true}}
	if s := collect(t, c(), m, withChannels).Stats(reqs[0].Value); s.Channels == nil || count.opened != 3 {
		t.Errorf("channels %v after %d runs", s.Channels, count.opened)
	}
}

// counting counts sessions.
type counting struct {
	calib.Runner
	opened int
}

func (c *counting) Open(ctx context.Context, m *onnx.Model, o calib.OpenOptions) (calib.Session, error) {
	c.opened++
	return c.Runner.Open(ctx, m, o)
}

// The statistics of a graph input are those of the samples, worked out here element by element.
func TestStatisticsOfAnInput(t *testing.T) {
	rt := orttest.Runner(t)
	m := kitModel(t, "cifar10_resnet20", "cifar10")
	set := load(t, m.model, m.data, 4)
	input := calib.InputPorts(m.model)[0].Name
	s := collect(t, &calib.Calibration{Runner: rt, Samples: set}, m, []calib.Request{{Value: input, Channels: true}}).Stats(input)
	var sum, squares, mins observe.Sum
	lo, hi, n := math.Inf(1), math.Inf(-1), int64(0)
	for i := range set.Len() {
		in, err := set.Read(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		var scratch []float32
		x, _ := in.Inputs[input].Float32s(&scratch)
		mins.Add(float64(slices.Min(x)))
		for _, v := range x {
			n++
			sum.Add(float64(v))
			squares.Add(float64(v) * float64(v))
			lo, hi = min(lo, float64(v)), max(hi, float64(v))
		}
	}
	if s.Count != n || float64(s.Min) != lo || float64(s.Max) != hi || s.Samples != 4 {
		t.Errorf("%+v, want count %d min %v max %v", s, n, lo, hi)
	}
	if math.Abs(s.Mean()-sum.Value()/float64(n)) > 1e-12 || math.Abs(s.MeanSquare()-squares.Value()/float64(n)) > 1e-12 {
		t.Errorf("mean %v, mean square %v", s.Mean(), s.MeanSquare())
	}
	if s.MeanMin() != mins.Value()/4 || s.Channels.Len() != 3 || !slices.Equal(s.Shape.Max, []int64{1, 3, 32, 32}) {
		t.Errorf("mean of minima %v, channels %d, shape %v", s.MeanMin(), s.Channels.Len(), s.Shape)
	}
	total := 0.0
	for _, mean := range s.Channels.Mean() {
		total += mean / 3
	}
	if math.Abs(total-s.Mean()) > 1e-12 || s.Histogram.Total()+uint64(s.Zeros) != uint64(n) {
		t.Errorf("mean of channels %v, of all %v; histogram of %d of %d", total, s.Mean(), s.Histogram.Total(), n)
	}
}

// What lies in a Loop is named with the reason, and the rest is observed.
func TestUnobservable(t *testing.T) {
	rt := orttest.Runner(t)
	m := parsed(t, `<ir_version: 8, opset_import: ["" : 16]> main (float[2] x, int64 n, bool c) => (float[2] y) {
  y = Loop (n, c, x) <body = b (int64 i, bool k, float[2] s) => (bool q, float[2] r) { q = Identity (k)
    inside = Mul (s, s)
    r = Tanh (inside) }> }`)
	n := calib.Array{Type: onnx.Int64, Bytes: []byte{3, 0, 0, 0, 0, 0, 0, 0}}
	set := calib.NewSet(memory{{Inputs: map[string]calib.Array{"x": array([]int64{2}, 1, 2), "n": n, "c": boolean(true)}}})
	c := &calib.Calibration{Runner: rt, Samples: set}
	table := collect(t, c, modelOf{model: m}, []calib.Request{{Value: "inside"}, {Value: "no such value"}, {Value: "x"}})
	if r := table.Unobservable("inside"); !strings.Contains(r, "body") {
		t.Errorf("inside: %q", r)
	}
	if r := table.Unobservable("no such value"); !strings.Contains(r, "no value") || table.Stats("no such value") != nil {
		t.Errorf("%q", r)
	}
	if s := table.Stats("x"); s == nil || s.Samples != 1 {
		t.Errorf("input %+v", s)
	}
}

func TestCancelled(t *testing.T) {
	rt := orttest.Runner(t)
	m := kitModel(t, "cifar10_resnet20", "cifar10")
	ctx, cancel := context.WithCancel(context.Background())
	c := &calib.Calibration{Runner: rt, Samples: load(t, m.model, m.data, 10)}
	done := 0
	c.Progress = func(n, total int) {
		if done = n; n == 3 && total == 10 {
			cancel()
		}
	}
	if _, err := c.Collect(ctx, m.model, activations(m.model)); err == nil || done != 3 {
		t.Errorf("error %v after %d samples", err, done)
	}
}
