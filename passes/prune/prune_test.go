package prune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
)

// prune runs a spec over a model; the report is that of the last pass.
func prune(t testing.TB, rt calib.Runner, m *graph.Model, spec string, samples ...map[string]calib.Array) (*passes.StepReport, error) {
	t.Helper()
	_, r, err := pruned(t, rt, m, spec, samples...)
	return r, err
}

// pruned is prune for what becomes of the model, which with samples is another one.
func pruned(t testing.TB, rt calib.Runner, m *graph.Model, spec string, samples ...map[string]calib.Array) (*graph.Model, *passes.StepReport, error) {
	t.Helper()
	steps, err := passes.Parse(all.Passes, spec)
	if err != nil {
		return nil, nil, err
	}
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pipe.Check = verify.Model
	env := &passes.Env{Model: m, Runner: rt}
	if len(samples) > 0 {
		env.Calib = &calib.Calibration{Runner: rt, Samples: calib.NewSet(memory(samples)), Threads: 1}
	}
	reports, err := pipe.Run(context.Background(), env)
	if err != nil {
		return nil, nil, err
	}
	return env.Model, reports[len(reports)-1], nil
}

// memory are samples that are no files.
type memory []map[string]calib.Array

// Len is their number.
func (s memory) Len() int { return len(s) }

// Name is the number of sample i.
func (s memory) Name(i int) string { return fmt.Sprint(i) }

// Read returns sample i.
func (s memory) Read(_ context.Context, i int) (calib.Sample, error) {
	return calib.Sample{Name: s.Name(i), Inputs: s[i]}, nil
}

// Digest is not asked for.
func (s memory) Digest([]int) (string, error) { return "memory", nil }

// feed is one sample of random numbers for a model whose unknown sizes are given by input.
func feed(t testing.TB, m *graph.Model, shapes map[string][]int64, seed uint64) map[string]calib.Array {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	out := map[string]calib.Array{}
	for _, p := range calib.InputPorts(m) {
		a := calib.Array{Type: p.Elem, Shape: shapes[p.Name]}
		if a.Shape == nil {
			for _, d := range p.Shape.Dims {
				a.Shape = append(a.Shape, max(1, d.Value))
			}
		}
		switch p.Elem {
		case onnx.Float:
			x := make([]float32, a.Len())
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			a.Bytes, _ = onnx.From(a.Shape, x).Data.Bytes()
		case onnx.Int64:
			a.Bytes, _ = onnx.From(a.Shape, []int64{16000}).Data.Bytes() // a sampling rate, which selects a branch
		default:
			a.Bytes = make([]byte, a.Len())
			for i := range a.Bytes {
				a.Bytes[i] = byte(rng.IntN(100))
			}
		}
		out[p.Name] = a
	}
	return out
}

func load(t testing.TB, path string) *graph.Model {
	t.Helper()
	proto, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proto.Close() })
	m, _, err := passes.Load(proto)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(t testing.TB, src string) *graph.Model {
	t.Helper()
	proto, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	return m
}

func encode(t testing.TB, m *graph.Model) []byte {
	t.Helper()
	proto, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := onnx.Write(&b, proto); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// code asserts the code of an error and that its message holds a text.
func code(t *testing.T, err error, want, holds string) {
	t.Helper()
	d := (*diag.Error)(nil)
	if !errors.As(err, &d) || d.Code != want || !strings.Contains(d.Error()+d.Hint, holds) {
		t.Errorf("got %v, want %s with %q", err, want, holds)
	}
}

const resnet = "../../testdata/models/fashion_resnet.onnx"

// The budget holds, what is left of each pool is a multiple, and equal runs give equal bytes.
func TestBudget(t *testing.T) {
	for _, spec := range []string{"prune:macs=0.8", "prune:macs=0.6,multiple=4", "prune:params=0.7", "prune:macs=0.8,scope=local", "prune:macs=0.7,criterion=l1,multiple=1",
		"prune:ratio=0.3", "prune:macs=0.7,criterion=random,seed=5"} {
		m := load(t, resnet)
		r, err := prune(t, nil, m, spec+",verify=true")
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		before, after := passes.Measure(load(t, resnet), nil, nil), passes.Measure(m, nil, nil)
		left := float64(*after.MACs) / float64(*before.MACs)
		switch {
		case strings.Contains(spec, "macs=0.8") && left > 0.8, strings.Contains(spec, "macs=0.7") && left > 0.7, strings.Contains(spec, "macs=0.6") && left > 0.6:
			t.Errorf("%s leaves %.3f of the MACs", spec, left)
		case strings.Contains(spec, "params") && float64(after.Params) > 0.7*float64(before.Params):
			t.Errorf("%s leaves %d of %d parameters", spec, after.Params, before.Params)
		}
		unit := 8
		if strings.Contains(spec, "multiple=4") {
			unit = 4
		} else if strings.Contains(spec, "multiple=1") {
			unit = 1
		}
		for _, p := range r.Pools {
			if p.After != p.Before && (p.After*p.Each%unit != 0 || p.After < p.Before/2) {
				t.Errorf("%s leaves %d of %d channels of %s", spec, p.After, p.Before, p.Name)
			}
		}
		again := load(t, resnet)
		if _, err := prune(t, nil, again, spec); err != nil || !bytes.Equal(encode(t, m), encode(t, again)) {
			t.Errorf("%s gives another file the second time (%v)", spec, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ spec, code, holds string }{
		{"prune", "OP2005", "macs=0.75"},
		{"prune:macs=0.5,ratio=0.2", "OP2005", "one of them"},
		{"prune:lossless=true,plan-out=x.json", "OP2005", "no plan"},
		{"prune:macs=0.01", "OP3502", "every pool at its limit"},
		{"prune:lossless=true", "OP3501", "logits"},

		{"prune:macs=0.9,exclude=stage9*", "OP2007", "matches no node"},
		{"prune:macs=0.9,include=fc", "OP3501", "selection"},
		{"prune:indices=" + write("a", `{"stem.conf": [1]}`), "OP6083", "stem.conv"},
		{"prune:indices=" + write("b", `{"stem.conv": [16]}`), "OP6082", "0 to 15"},
		{"prune:indices=" + write("c", `{"fc": [1]}`), "OP3504", "output of the graph"},
		{"prune:indices=" + write("d", `{"stage0.conv1": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}`), "OP3504", "all its channels"},
		{"prune:indices=" + write("e", `[1]`), "OP6080", "expected form"},
		{"prune:indices=" + filepath.Join(dir, "none"), "OP6080", "cannot be read"},
		{"prune:plan-in=" + write("f", `{"schema":"x"}`), "OP6080", "schema"},
		{"prune:plan-in=" + write("g", `{"schema":"onnxpass.prune-plan/1","model":"abcdefabcdefabcdef","heads":"heads"}`), "OP6081", "another model"},
	} {
		m := load(t, resnet)
		_, err := prune(t, nil, m, c.spec)
		code(t, err, c.code, c.holds)
	}
	_, err := prune(t, nil, load(t, "../../testdata/models/fashion_vit.onnx"), "prune:macs=0.9,criterion=bn")
	code(t, err, "OP3503", "l2")
}

// A plan that was written and read again gives the same file; indices remove the channels that they name.
func TestPlansAndIndices(t *testing.T) {
	plan := filepath.Join(t.TempDir(), "plan.json")
	a, b := load(t, resnet), load(t, resnet)
	if _, err := prune(t, nil, a, "prune:macs=0.7,multiple=4,plan-out="+plan); err != nil {
		t.Fatal(err)
	}
	if _, err := prune(t, nil, b, "prune:plan-in="+plan); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, a), encode(t, b)) {
		t.Error("the plan gives another file")
	}
	path := filepath.Join(t.TempDir(), "indices.json")
	text, _ := json.Marshal(map[string][]int{"stage0.conv1": {3, 0, 3}})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	before, after := load(t, resnet), load(t, resnet)
	if _, err := prune(t, nil, before, "prune:plan-in="+plan+",verify=false"); err != nil {
		t.Fatal(err)
	}
	if _, err := prune(t, nil, after, "prune:indices="+path); err != nil {
		t.Fatal(err)
	}
	for n := range after.Main.Nodes() {
		if n.Name() == "stage0.conv1" && n.In(1).Shape().Dims[0].Value != 14 {
			t.Errorf("stage0.conv1 has %s", n.In(1).Shape())
		}
	}
}

// Two layers whose zero points are one constant lose channels of their own.
func TestSharedVectorsTieNothing(t *testing.T) {
	m := parse(t, `<ir_version: 9, opset_import: ["" : 17]>
m (float[2, 3, 8, 8] x) => (float[2, 4, 8, 8] y)
<int8[16, 3, 1, 1] w0 = random(1), float[16] s0 = random(2, 0.01, 0.02), int8[16] z = fill(0), int8[16, 16, 1, 1] w1 = random(3), float[16] s1 = random(4, 0.01, 0.02), float[4, 16, 1, 1] w2 = random(5)>
{
  a = DequantizeLinear <axis = 0> (w0, s0, z)
  b = DequantizeLinear <axis = 0> (w1, s1, z)
  [c0] c = Conv (x, a)
  [r0] d = Relu (c)
  [c1] e = Conv (d, b)
  [c2] y = Conv (e, w2)
}`)
	r, err := prune(t, nil, m, "prune:ratio=0.5")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Pools) != 2 || r.Pools[0].After != 8 || r.Pools[1].After != 8 {
		t.Errorf("pools %+v", r.Pools)
	}
}

// silenced is a network with channels of every removable kind: made of zeros,
// read with zeros, constant in front of a layer without padding and in front of one with.
const silenced = `<ir_version: 9, opset_import: ["" : 17]>
m (float[2, 3, 8, 8] x) => (float[2, 5] y)
<float[8, 3, 3, 3] w1 = random(1), float[8] b1 = random(2), float[8, 8, 1, 1] w2 = random(3), float[8] b2 = random(4), float[8, 8, 3, 3] w3 = random(5), float[8, 5] w4 = random(6), float[8] b3 = random(7)>
{
  [c1] a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
  [r1] b = Relu (a)
  [c2] c = Conv (b, w2, b2)
  [s2] d = Sigmoid (c)
  [c3] e = Conv <pads = [1, 1, 1, 1]> (d, w3, b3)
  [r3] f = Relu (e)
  [gap] g = GlobalAveragePool (f)
  [flat] h = Flatten (g)
  [fc] y = MatMul (h, w4)
}`

// clearSlices sets slices of a constant along an axis to zero.
func clearSlices(t *testing.T, m *graph.Model, name string, axis int, indices ...int) {
	t.Helper()
	clearAt(t, m.Main.Value(name), axis, indices)
}

func clearAt(t *testing.T, v *graph.Value, axis int, indices []int) {
	t.Helper()
	x, err := v.Const().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	dims := v.Const().Dims
	inner := 1
	for _, d := range dims[axis+1:] {
		inner *= int(d)
	}
	for i := range x {
		if slices.Contains(indices, i/inner%int(dims[axis])) {
			x[i] = 0
		}
	}
	v.SetInit(onnx.FromFloat32s(dims, x))
}

// widths are the output channels of the layers.
func widths(m *graph.Model) string {
	var out []string
	for n := range m.Main.Nodes() {
		if n.Is("Conv") {
			out = append(out, fmt.Sprint(n.In(1).Shape().Dims[0].Value))
		}
	}
	return strings.Join(out, " ")
}

// What changes nothing goes and its constants move into biases; the pass itself compares the outputs.
func TestLossless(t *testing.T) {
	rt := orttest.Runner(t)
	for _, c := range []struct {
		name  string
		clear func(m *graph.Model)
		want  string
	}{
		{"zero weights and a bias that folds into a layer without padding", func(m *graph.Model) { clearSlices(t, m, "w1", 0, 1, 2) }, "6 8 8"},
		{"zeros all the way", func(m *graph.Model) { clearSlices(t, m, "w1", 0, 5); clearSlices(t, m, "b1", 0, 5) }, "7 8 8"},
		{"a constant in front of padding stays", func(m *graph.Model) { clearSlices(t, m, "w2", 0, 3) }, "8 8 8"},
		{"weights that read nothing", func(m *graph.Model) { clearSlices(t, m, "w3", 1, 3, 4) }, "8 6 8"},
		{"a constant that folds into a product without bias", func(m *graph.Model) { clearSlices(t, m, "w3", 0, 0, 7) }, "8 8 6"},
		{"what is removed makes more unused", func(m *graph.Model) { clearSlices(t, m, "w4", 0, 0, 1, 2, 3, 4, 5, 6); clearSlices(t, m, "w2", 1, 2) }, "7 8 1"},
	} {
		m := parse(t, silenced)
		c.clear(m)
		r, err := prune(t, rt, m, "prune:lossless=true,multiple=1")
		if c.want == "8 8 8" {
			code(t, err, "OP3501", "y")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := widths(m); got != c.want {
			t.Errorf("%s: %s channels are left, want %s", c.name, got, c.want)
		}
		if !strings.Contains(fmt.Sprint(r.Facts), "largest difference") {
			t.Errorf("%s: not compared: %v", c.name, r.Notes)
		}
	}
}
