package prune_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// normed is a network of two layers with a batch normalization between them whose statistics are those of inputs with mean 0 and variance 1.
const normed = `<ir_version: 9, opset_import: ["" : 17]>
m (float[4, 6, 8, 8] x) => (float[4, 5, 8, 8] y)
<float[16, 6, 1, 1] w1 = random(1), float[16] g = random(2, 0.2, 1.0), float[16] b = random(3, -0.5, 1.0), float[16] mean = fill(0), float[16] var = fill(1), float[5, 16, 1, 1] w2 = random(6)>
{
  [c1] a = Conv (x, w1)
  [bn] n = BatchNormalization (a, g, b, mean, var)
  [r1] c = Relu (n)
  [c2] y = Conv (c, w2)
}`

// exactNorm sets the variances of normed to those of the outputs of the layer before.
func exactNorm(t *testing.T, m *graph.Model) {
	t.Helper()
	w, err := m.Main.Value("w1").Const().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, 16)
	for i, x := range w {
		v[i/6] += x * x
	}
	m.Main.Value("var").SetInit(onnx.FromFloat32s([]int64{16}, v))
}

// run are the outputs of a model on one sample.
func run(t *testing.T, rt calib.Runner, m *graph.Model, in map[string]calib.Array) []float64 {
	t.Helper()
	proto, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.Open(context.Background(), proto, calib.OpenOptions{Optimization: calib.Exact, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out []float64
	err = s.Run(context.Background(), in, func(list []calib.Array) error {
		x, err := list[0].Float64s(new([]float64))
		out = append(out, x...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func squares(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return sum
}

// Without samples the bias takes over what a merged normalization lets expect of
// removed channels: behind ReLU that is a good part of their squares.
func TestExpectedMeansGoToBiases(t *testing.T) {
	rt := orttest.Runner(t)
	original := parse(t, normed)
	exactNorm(t, original)
	in := feed(t, original, nil, 5)
	want := run(t, rt, original, in)
	loss := map[string]float64{}
	for _, how := range []string{"none", "bias"} {
		m := original.Clone()
		if _, err := prune(t, rt, m, "prune:ratio=0.5,compensate="+how); err != nil {
			t.Fatal(err)
		}
		loss[how] = squares(want, run(t, rt, m, in))
	}
	if loss["bias"] > 0.6*loss["none"] {
		t.Errorf("squared error %.3g with biases, %.3g without", loss["bias"], loss["none"])
	}
}

// criterion=bn sees the scales that cleanup has merged; large weights behind a small scale do not save a channel.
func TestMergedScalesAreScores(t *testing.T) {
	m := parse(t, normed)
	w, _ := m.Main.Value("w1").Const().Float32s()
	small := []int{2, 3, 5, 7, 8, 11, 12, 14}
	scale, _ := m.Main.Value("g").Const().Float32s()
	for _, k := range small {
		scale[k] = 0.01 * float32(1+k)
		for i := range 6 {
			w[6*k+i] *= 10
		}
	}
	m.Main.Value("w1").SetInit(onnx.FromFloat32s([]int64{16, 6, 1, 1}, w))
	m.Main.Value("g").SetInit(onnx.FromFloat32s([]int64{16}, scale))
	keep := []float32{}
	for k := range 16 {
		kept := true
		for _, s := range small {
			kept = kept && s != k
		}
		if kept {
			for i := range 6 {
				keep = append(keep, w[6*k+i]*scale[k]/float32(math.Sqrt(1+1e-5)))
			}
		}
	}
	if _, err := prune(t, nil, m, "prune:ratio=0.5,criterion=bn,compensate=none"); err != nil {
		t.Fatal(err)
	}
	for n := range m.Main.Nodes() {
		if n.Name() != "c1" {
			continue
		}
		got, err := n.In(1).Const().Float32s()
		if err != nil || len(got) != len(keep) {
			t.Fatalf("%d weights are left, want %d (%v)", len(got), len(keep), err)
		}
		for i := range got {
			if math.Abs(float64(got[i]-keep[i])) > 1e-5 {
				t.Fatalf("weight %d is %g, want %g", i, got[i], keep[i])
			}
		}
	}
}

// A channel that is 0 on every sample goes when the user asks for what samples show, and stays when only a proof counts.
func TestConstantsOnSamples(t *testing.T) {
	rt := orttest.Runner(t)
	build := func() *graph.Model {
		m := parse(t, silenced)
		b, _ := m.Main.Value("b1").Const().Float32s()
		b[1], b[6] = -1000, -1000 // never above 0 behind ReLU
		m.Main.Value("b1").SetInit(onnx.FromFloat32s([]int64{8}, b))
		return m
	}
	samples := []map[string]calib.Array{feed(t, build(), nil, 1), feed(t, build(), nil, 2)}
	m := build()
	_, err := prune(t, rt, m, "prune:lossless=true,multiple=1", samples...)
	code(t, err, "OP3501", "y")
	r, err := prune(t, rt, m, "prune:lossless=true,multiple=1,constant=data", samples...)
	if err != nil {
		t.Fatal(err)
	}
	if got := widths(m); got != "6 8 8" {
		t.Errorf("%s channels are left", got)
	}
	if len(r.Notes) == 0 || r.Notes[len(r.Notes)-1].Code != "OP8072" {
		t.Errorf("notes %v", r.Notes)
	}
	for _, in := range samples {
		if d := squares(run(t, rt, build(), in), run(t, rt, m, in)); d > 1e-8 {
			t.Errorf("squared difference %g", d)
		}
	}
	_, err = prune(t, rt, build(), "prune:lossless=true,constant=data")
	code(t, err, "OP6001", "-d")
	_, err = prune(t, rt, build(), "prune:macs=0.5,constant=data")
	code(t, err, "OP2005", "lossless")
}

// A new bias has as many elements as the layer has outputs left, when both ends of it shrink at once.
func TestBiasesFitWhatIsLeft(t *testing.T) {
	rt := orttest.Runner(t)
	m := parse(t, silenced)
	m.Main.Value("w2").Uses()[0].Node.SetIn(2, nil) // c2 has no bias
	clearSlices(t, m, "w1", 0, 0, 4)
	clearSlices(t, m, "w3", 1, 2, 3, 5)
	if _, err := prune(t, rt, m, "prune:lossless=true,multiple=1"); err != nil {
		t.Fatal(err)
	}
	if got := widths(m); got != "6 5 8" {
		t.Errorf("%s channels are left, want 6 5 8", got)
	}
}

// The same command gives the same bytes, with and without samples.
func TestBlindChoiceIsDeterministic(t *testing.T) {
	var files [2][]byte
	for i := range files {
		m := load(t, resnet)
		if _, err := prune(t, nil, m, "prune:macs=0.8"); err != nil {
			t.Fatal(err)
		}
		files[i] = encode(t, m)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two runs give two files")
	}
}
