package palette_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/openvino"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// readers are layers of every kind, with a weight called w whose elements are of even and of odd number.
var readers = map[string]string{
	"Conv":          `main (float[1,12,9,9] x) => (float[a,b,c,d] y) <float[20,12,3,3] w = random(1), float[20] b = random(2)> { y = Conv <pads = [1,1,1,1]> (x, w, b) }`,
	"Conv odd":      `main (float[1,7,9,9] x) => (float[a,b,c,d] y) <float[13,7,3,3] w = random(1)> { y = Conv (x, w) }`,
	"depthwise":     `main (float[1,120,9,9] x) => (float[a,b,c,d] y) <float[120,1,3,3] w = random(1)> { y = Conv <group = 120> (x, w) }`,
	"grouped":       `main (float[1,24,9,9] x) => (float[a,b,c,d] y) <float[16,6,3,3] w = random(1)> { y = Conv <group = 4> (x, w) }`,
	"ConvTranspose": `main (float[1,12,5,5] x) => (float[a,b,c,d] y) <float[12,14,4,4] w = random(1)> { y = ConvTranspose <strides = [2,2]> (x, w) }`,
	"Gemm":          `main (float[3,40] x) => (float[a,b] y) <float[40,30] w = random(1), float[30] b = random(2)> { y = Gemm (x, w, b) }`,
	"Gemm turned":   `main (float[3,40] x) => (float[a,b] y) <float[30,40] w = random(1), float[30] b = random(2)> { y = Gemm <transB = 1> (x, w, b) }`,
	"MatMul":        `main (float[2,3,40] x) => (float[a,b,c] y) <float[40,30] w = random(1)> { y = MatMul (x, w) }`,
	"MatMul odd":    `main (float[2,3,41] x) => (float[a,b,c] y) <float[41,31] w = random(1)> { y = MatMul (x, w) }`,
	"MatMul batch":  `main (float[2,3,40] x) => (float[a,b,c] y) <float[2,40,16] w = random(1)> { y = MatMul (x, w) }`,
	"Transpose":     `main (float[3,40] x) => (float[a,b] y) <float[30,40] w = random(1)> { t = Transpose <perm = [1,0]> (w) y = MatMul (x, t) }`,
	"Gather":        `main (int64[2,3] x) => (float[a,b,c] y) <float[50,24] w = random(1)> { y = Gather (w, x) }`,
	"LSTM":          `main (float[4,1,16] x) => (float[a,b,c,d] y) <float[2,48,16] w = random(1), float[2,48,12] r = random(3)> { y = LSTM <hidden_size = 12, direction = "bidirectional"> (x, w, r) }`,
}

// formats are the forms that files can have.
var formats = map[string]palette.Format{
	"256 entries":            {K: 256, Scale: true},
	"16 entries":             {K: 16, Scale: true},
	"4 entries":              {K: 4, Scale: true},
	"8 entries, no scale":    {K: 8},
	"5 entries, fp32":        {K: 5, Scale: true, Entries: palette.Float32},
	"16 entries, int8":       {K: 16, Scale: true, Entries: palette.Int8},
	"256 pairs":              {K: 256, Pairs: true, Scale: true},
	"16 entries a channel":   {K: 16, Group: 1},
	"16 entries, 3 channels": {K: 16, Group: 3, Scale: true},
	"60 entries, 7 channels": {K: 60, Group: 7, Scale: true},
	"3 entries a channel":    {K: 3, Group: 1, Scale: true},
	"with zero":              {K: 16, Scale: true, Zero: palette.ZeroOn},
}

func parse(t testing.TB, source string, opset int) *graph.Model {
	t.Helper()
	proto, err := text.Parse(fmt.Sprintf(`<ir_version: 8, opset_import: ["" : %d]> %s`, opset, source))
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	g.Infer()
	return g
}

// stored is the model with its weights in a format, and the model that has the rounded weights as they are.
func stored(t testing.TB, g *graph.Model, f palette.Format) (with, plain *graph.Model) {
	t.Helper()
	with, plain = g.Clone(), g.Clone()
	found, _ := weights.Find(with, weights.FindOptions{})
	same, _ := weights.Find(plain, weights.FindOptions{})
	if len(found) == 0 {
		t.Fatal("no weights")
	}
	for i, w := range found {
		it := &weights.Item{Weight: w, Format: &f}
		if err := it.Plain(); err != nil {
			t.Fatal(err)
		}
		if it.Why != "" {
			continue
		}
		same[i].Replace(plain.Main.Init("rounded", it.Stored))
		if err := it.Store(w, "codebook"); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify.Model(with); err != nil {
		t.Fatal(err)
	}
	return with, plain
}

func export(t testing.TB, g *graph.Model) *onnx.Model {
	t.Helper()
	m, err := g.Export()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// least is the SQNR in dB of the outputs of one model against those of another, with random inputs; 200 when they are equal.
func least(t *testing.T, a, b calib.Runner, ref, got *graph.Model) float64 {
	t.Helper()
	ctx := context.Background()
	set, err := sample.Load(ctx, []string{"random"}, calib.InputPorts(ref), sample.Options{Max: 2})
	if err != nil {
		t.Fatal(err)
	}
	var s [2]calib.Session
	for i, r := range []calib.Runner{a, b} {
		if s[i], err = r.Open(ctx, export(t, []*graph.Model{ref, got}[i]), calib.OpenOptions{Threads: 1}); err != nil {
			t.Fatal(err)
		}
		defer s[i].Close()
	}
	c, err := calib.CompareSessions(ctx, s[0], s[1], set, calib.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	worst := math.Inf(1)
	for _, o := range c.Outputs {
		worst = min(worst, o.SQNR)
	}
	return worst
}

// Every form of every weight computes, in both runtimes, exactly what the rounded weight does as it is.
func TestFormsComputeTheRoundedWeight(t *testing.T) {
	rt := orttest.Runner(t)
	ov := openVINO(t)
	for name, source := range readers {
		for form, f := range formats {
			for _, to := range []string{"portable", "ort", "openvino"} {
				f := f
				f.Target = target.Lookup(to)
				if to != "portable" && f.Entries != palette.Int8 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%s", name, form, to), func(t *testing.T) {
					with, plain := stored(t, parse(t, source, 13), f)
					if found := palette.Find(with); len(found) == 0 && form != "256 pairs" {
						t.Error("the form is not recognised")
					}
					expanded := with.Clone()
					for _, s := range palette.Find(expanded) {
						if err := s.Expand(); err != nil {
							t.Fatal(err)
						}
					}
					if err := verify.Model(expanded); err != nil {
						t.Fatal(err)
					}
					if len(palette.Find(expanded)) > 0 || has(expanded, "Cast") {
						t.Error("nodes of the form are left")
					}
					if db := least(t, rt, rt, expanded, with); db < 200 {
						t.Errorf("ONNX Runtime: %.1f dB from the expanded weight", db)
					}
					if ov != nil {
						if db := least(t, ov, ov, expanded, with); !(db > 130) {
							t.Errorf("OpenVINO: %.1f dB from the expanded weight", db)
						}
					}
					if has(with, "DequantizeLinear") {
						// The runtime may compute with 8-bit operands then, which keep 40 dB.
						if db := least(t, rt, rt, plain, with); !(db > 35) {
							t.Errorf("ONNX Runtime: %.1f dB from the rounded weight", db)
						}
						return
					}
					if db := least(t, rt, rt, plain, with); db < 200 {
						t.Errorf("ONNX Runtime: %.1f dB from the rounded weight", db)
					}
					if ov != nil {
						if db := least(t, ov, ov, plain, with); !(db > 130) {
							t.Errorf("OpenVINO: %.1f dB", db)
						}
					}
				})
			}
		}
	}
}

func has(m *graph.Model, op string) bool {
	for n := range m.All() {
		if n.Is(op) {
			return true
		}
	}
	return false
}

func openVINO(t *testing.T) calib.Runner {
	found, _, err := runtimelib.Find(runtimelib.OpenVINO(), runtimelib.Options{})
	if err != nil {
		t.Log("no OpenVINO library (set ONNXPASS_OPENVINO_LIB): ONNX Runtime alone")
		return nil
	}
	ov, err := openvino.Load(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	return ov
}

// What ONNX Runtime makes of the graph when it loads it has no trace of the
// forms: the weight is an initializer of the layer.
func TestFormsFoldAtLoad(t *testing.T) {
	rt := orttest.Runner(t)
	for name, source := range readers {
		for form, f := range formats {
			f.Target = target.Lookup("portable")
			with, _ := stored(t, parse(t, source, 13), f)
			ops := optimized(t, rt, with)
			for _, op := range ops {
				if slices.Contains([]string{"Cast", "Reshape", "Mul", "Slice", "Add", "DequantizeLinear"}, op) || op == "Gather" && name != "Gather" {
					t.Errorf("%s, %s: %v run at every inference", name, form, ops)
					break
				}
			}
		}
	}
}

// ONNX Runtime keeps a table of int8 in front of MatMul in 8 bits.
func TestIntegersStayInEightBits(t *testing.T) {
	rt := orttest.Runner(t)
	for _, name := range []string{"MatMul", "MatMul odd"} {
		f := palette.Format{K: 16, Scale: true, Target: target.Lookup("ort")}
		with, _ := stored(t, parse(t, readers[name], 13), f)
		if ops := optimized(t, rt, with); !slices.Equal(ops, []string{"MatMulNBits"}) {
			t.Errorf("%s: %v", name, ops)
		}
	}
}

// optimized are the operators that are left when ONNX Runtime has loaded a model.
func optimized(t *testing.T, rt *ort.Runtime, g *graph.Model) []string {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.onnx"), filepath.Join(dir, "out.onnx")
	if err := onnx.Save(in, export(t, g), onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := rt.WriteOptimized(context.Background(), in, out, calib.OpenOptions{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range m.Graph.Node {
		ops = append(ops, n.OpType)
	}
	return ops
}
