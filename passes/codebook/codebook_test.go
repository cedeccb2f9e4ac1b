package codebook_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// made is a model that steps were run on.
type made struct {
	in, out *onnx.Model
	graph   *graph.Model
	reports []*passes.StepReport
}

// report is that of a pass.
func (m made) report(pass string) *passes.StepReport {
	for _, r := range m.reports {
		if r.Pass == pass {
			return r
		}
	}
	return &passes.StepReport{}
}

// run runs steps on a model, with samples when there are some.
func run(t testing.TB, in *onnx.Model, spec, to string, rt calib.Runner, set *calib.Set) made {
	t.Helper()
	steps, err := passes.Parse(all.Passes, spec)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Import(in)
	if err != nil {
		t.Fatal(err)
	}
	profile := target.Lookup(to)
	pipe, err := all.Set().Arrange(steps, passes.PipelineOptions{Target: profile})
	if err != nil {
		t.Fatal(err)
	}
	pipe.Check = verify.Model
	env := &passes.Env{Model: g, Target: profile, Runner: rt}
	if set != nil {
		env.Calib = &calib.Calibration{Runner: rt, Samples: set, Threads: 2}
	}
	reports, err := pipe.Run(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	out, err := env.Model.Export()
	if err != nil {
		t.Fatal(err)
	}
	return made{in, out, env.Model, reports}
}

func open(t testing.TB, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func samples(t testing.TB, m *onnx.Model, data []string, o sample.Options) *calib.Set {
	t.Helper()
	g, err := graph.Import(m)
	if err != nil {
		t.Fatal(err)
	}
	set, err := sample.Load(context.Background(), data, calib.InputPorts(g), o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// compared is the worst output's SQNR in dB, 200 when all are equal.
func compared(t testing.TB, rt calib.Runner, a, b *onnx.Model, set *calib.Set) float64 {
	t.Helper()
	c, err := calib.Compare(context.Background(), rt, a, b, set, calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	worst := math.Inf(1)
	for _, o := range c.Outputs {
		worst = min(worst, o.SQNR)
	}
	return worst
}

// lint requires that the model breaks no rule of the target that the original keeps.
func lint(t *testing.T, m made, to string) {
	t.Helper()
	before, err := graph.Import(m.in)
	if err != nil {
		t.Fatal(err)
	}
	_ = before.Infer()
	broken := map[string]bool{}
	for _, f := range target.Lookup(to).Lint(before) {
		broken[f.Rule] = true
	}
	for _, f := range target.Lookup(to).Lint(m.graph) {
		if f.Severity.Failing() && !broken[f.Rule] {
			t.Error(f)
		}
	}
}

// fashion are samples of the trained networks of the tree.
func fashion(t testing.TB, m *onnx.Model, part string, n int) *calib.Set {
	return samples(t, m, []string{"../../testdata/fashion/" + part},
		sample.Options{Max: n, Preprocess: sample.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.286}, Std: []float32{0.353}, Color: "gray"}})
}

// What each option is for shows in the outputs of a trained network on
// pictures that nothing was fitted to: every correction gains, and switched off it does not act.
func TestCorrectionsGain(t *testing.T) {
	rt := orttest.Runner(t)
	const off = ",feedback=false,refit=false,scale-refit=false,table-refit=false,bias=none"
	for _, path := range models(t) {
		m := open(t, path)
		set, held := fashion(t, m, "calib", 100), fashion(t, m, "test", 100)
		db := func(options string) float64 {
			got := run(t, m, "codebook:min-elems=64"+options, "portable", rt, set)
			return compared(t, rt, m, got.out, held)
		}
		name := filepath.Base(path)
		plain, scaled, whole := db(",bits=3,scale=false"+off), db(",bits=3"+off), db(",bits=3")
		t.Logf("%s: 8 entries %.1f dB, scale %.1f, all %.1f", name, plain, scaled, whole)
		if !(whole > scaled+2) || !(whole > plain+2) {
			t.Errorf("%s: table alone %.1f dB, with scale %.1f, everything %.1f", name, plain, scaled, whole)
		}
		// Where errors are small beside the outputs, as at 5 bits, correcting means alone gains too.
		without, bias := db(",bits=5"+off), db(",bits=5"+strings.Replace(off, "bias=none", "bias=mean", 1))
		t.Logf("%s: 32 entries %.1f dB, bias corrected %.1f", name, without, bias)
		if bias < without {
			t.Errorf("%s: bias correction takes %.1f dB to %.1f", name, without, bias)
		}
		for _, one := range []string{",feedback=false", ",refit=false", ",scale-refit=false", ",table-refit=false", ",bias=none", ",weighting=variance"} {
			got := db(",bits=3" + one)
			t.Logf("%s %s: %.1f dB", name, one, got)
			if got == whole {
				t.Errorf("%s: %s changes nothing", name, one)
			}
			if got < scaled-.5 {
				t.Errorf("%s: %s has %.1f dB, nothing at all %.1f", name, one, got, scaled)
			}
		}
	}
}

func models(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/models/*.onnx")
	if err != nil || len(files) == 0 {
		t.Fatal("no trained networks in testdata", err)
	}
	return files
}

// Every kind of table keeps a trained network without samples, at the size that
// it promises. The bounds are a little below the worst of three networks, whose
// weights are so small that tables and scales cost up to two bits each.
func TestKindsOfTables(t *testing.T) {
	rt := orttest.Runner(t)
	for _, path := range models(t) {
		m := open(t, path)
		held := fashion(t, m, "test", 50)
		for spec, want := range map[string]struct{ db, bits float64 }{
			"":                     {12, 4.9},
			",bits=8":              {38, 9.7},
			",bits=2":              {0, 2.8},
			",kind=vector":         {16.5, 6.3},
			",granularity=model":   {11.5, 4.8},
			",granularity=group:4": {17.5, 6.5},
			",entries=fp32":        {12, 5.2},
			",entries=int8":        {13.5, 4.9},
			",pin-zero=on":         {13.5, 4.9},
			",scale=false":         {14.5, 4.5},
		} {
			got := run(t, m, "codebook:min-elems=1024"+spec, "portable", nil, nil)
			var before, after float64
			for _, l := range got.report("codebook").Layers {
				if l.Reason == "" {
					before, after = before+float64(l.Params), after+8*float64(l.BytesAfter)
				}
			}
			db := compared(t, rt, m, got.out, held)
			t.Logf("%s %s: %.1f dB, %.2f bits", filepath.Base(path), spec, db, after/before)
			if before == 0 || db < want.db || after/before > want.bits {
				t.Errorf("%s %s: %.1f dB, %.2f bits for each of %.0f weights", filepath.Base(path), spec, db, after/before, before)
			}
			lint(t, got, "portable")
		}
	}
}

// atRate are samples with the sampling rate, where there is one, that takes the larger branches of the speech detector.
type atRate struct{ *calib.Set }

// Read reads sample i.
func (r atRate) Read(ctx context.Context, i int) (calib.Sample, error) {
	s, err := r.Set.Read(ctx, i)
	if _, ok := s.Inputs["sr"]; ok {
		s.Inputs["sr"] = calib.Array{Type: onnx.Int64, Bytes: []byte{0x80, 0x3e, 0, 0, 0, 0, 0, 0}} // 16000
	}
	return s, err
}

// Digest is not asked for.
func (r atRate) Digest([]int) (string, error) { return r.Set.Digest() }

// kit calls fn for the models of the evaluation kit and of the tree.
func kit(t *testing.T, fn func(t *testing.T, m *onnx.Model, set *calib.Set)) {
	dir := "../../../shared/kit/models"
	if _, err := os.Stat(dir); err != nil {
		t.Log("no evaluation kit beside the repository: networks of the tree alone")
	}
	files, _ := filepath.Glob(dir + "/*.onnx")
	if testing.Short() {
		files = nil
	}
	shapes := map[string]map[string][]int64{
		"ppocrv4_rec.onnx":     {"x": {1, 3, 48, 192}},
		"ppocr_cls.onnx":       {"x": {1, 3, 48, 192}},
		"yunet_n_dynamic.onnx": {"input": {1, 3, 160, 160}},
		"nnsplit_en.onnx":      {"input": {1, 64}},
		"silero_vad_v6.onnx":   {"input": {1, 576}, "state": {2, 1, 128}, "sr": {}},
	}
	for _, path := range append(models(t), files...) {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "reject_") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := open(t, path)
			fn(t, m, calib.NewSet(atRate{samples(t, m, []string{"random"}, sample.Options{Max: 2, Shapes: shapes[name]})}))
		})
	}
}

// Every real network is stored in codes, obeys the targets, computes what its
// materialized form computes to the bit, and is left as it is the second time.
func TestNetworks(t *testing.T) {
	rt := orttest.Runner(t)
	kit(t, func(t *testing.T, m *onnx.Model, set *calib.Set) {
		for _, to := range []string{"portable", "ort", "openvino"} {
			got := run(t, m, "codebook", to, nil, nil)
			lint(t, got, to)
			if len(palette.Find(got.graph)) == 0 {
				t.Fatal("nothing was stored")
			}
			if to == "openvino" {
				continue // the same file but for the layers that it keeps in 8 bits
			}
			if again := run(t, got.out, "codebook", to, nil, nil); again.report("codebook").Edits > 0 {
				t.Errorf("%s: the second run makes %d edits", to, again.report("codebook").Edits)
			}
			plain := run(t, got.out, "materialize", to, nil, nil)
			if len(palette.Find(plain.graph)) > 0 {
				t.Errorf("%s: codes are left", to)
			}
			if db := compared(t, rt, plain.out, got.out, set); db < 200 {
				t.Errorf("%s: %.1f dB from the materialized model", to, db)
			}
		}
		plain := run(t, m, "codebook", "tensorrt", nil, nil)
		lint(t, plain, "tensorrt")
		if len(palette.Find(plain.graph)) > 0 || plain.report("materialize").Pass == "" {
			t.Error("weights for tensorrt are not written out")
		}
	})
}

// few has a weight of few distinct values, one of many, and one of float16.
const few = `<ir_version: 8, opset_import: ["" : 13]>
main (float[1,16,8,8] x, float16[2,64] h) => (float[a,b,c,d] y, float16[e,f] z)
<float[16,16,3,3] few = random(1), float[16,16,3,3] many = random(2), float16[64,48] half = random(3)> {
 t = Conv <pads = [1,1,1,1]> (x, few)
 y = Conv (t, many)
 z = MatMul (h, half)
}`

// discrete replaces the weight few by one of seven values.
func discrete(t *testing.T, source string) *onnx.Model {
	t.Helper()
	m, err := text.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, init := range m.Graph.Initializer {
		if init.Name != "few" {
			continue
		}
		x, err := init.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			x[i] = float32(math.Round(float64(x[i])*3)) / 3
		}
		init.Data = onnx.FromFloat32s(init.Dims, x).Data
	}
	return m
}

// A weight of few values is stored exactly; unique=true stores no other.
func TestUnique(t *testing.T) {
	rt := orttest.Runner(t)
	m := discrete(t, few)
	got := run(t, m, "codebook:unique=true,min-elems=1", "portable", nil, nil)
	if db := compared(t, rt, m, got.out, samples(t, m, []string{"random"}, sample.Options{Max: 2})); db < 200 {
		t.Errorf("%.1f dB", db)
	}
	if found := palette.Find(got.graph); len(found) != 1 || found[0].Bytes > 16*16*9/2+7*4+1000 {
		t.Errorf("%d weights are stored", len(found))
	}
	if r := got.report("codebook"); len(r.Skips) != 1 || !strings.Contains(r.Skips[0].Reason, "more than 16 distinct values") || r.Skips[0].Count != 2 {
		t.Errorf("%+v", r.Skips)
	}
	// With samples, a weight of few values still keeps them.
	got = run(t, m, "codebook:unique=true", "portable", rt, samples(t, m, []string{"random"}, sample.Options{Max: 8}))
	if db := compared(t, rt, m, got.out, samples(t, m, []string{"random"}, sample.Options{Max: 2})); db < 200 {
		t.Errorf("with samples %.1f dB", db)
	}
}

// Weights that would not become smaller, and those that the user excludes, stay for a stated reason.
func TestReasonsToStay(t *testing.T) {
	m := discrete(t, few)
	got := run(t, m, "codebook:granularity=channel,k=256,min-elems=1", "portable", nil, nil)
	found := false
	for _, s := range got.report("codebook").Skips {
		found = found || strings.Contains(s.Reason, "codes and tables would take")
	}
	if !found {
		t.Errorf("%+v", got.report("codebook").Skips)
	}
	if got := run(t, m, "codebook:min-elems=5000", "portable", nil, nil); len(palette.Find(got.graph)) > 0 {
		t.Error("small weights are stored")
	}
}

// What is in 8 bits already stays so, and is listed.
func TestIntegersStay(t *testing.T) {
	m, err := text.Parse(`<ir_version: 8, opset_import: ["" : 13]>
main (float[2,64] x) => (float[a,b] y) <int8[64,48] q = random(1), float s = {0.01}> {
 w = DequantizeLinear (q, s)
 y = MatMul (x, w)
}`)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, m, "codebook", "ort", nil, nil).report("codebook")
	if len(r.Skips) != 1 || !strings.Contains(r.Skips[0].Reason, "8 bits already") || r.Edits > 0 {
		t.Errorf("%+v, %d edits", r.Skips, r.Edits)
	}
}

func TestOptionsThatContradict(t *testing.T) {
	for spec, want := range map[string]string{
		"k=16,bits=8": "contradict", "granularity=group:0": "granularity", "granularity=groups": "granularity", "k=1": "one entry",
		"kind=vector,bits=8": "pairs", "granularity=model,scale=false": "scale", "entries=int8,k=256": "int8 entries",
	} {
		_, err := passes.Parse(all.Passes, "codebook:"+spec)
		var d *diag.Error
		if !errors.As(err, &d) || d.Code != "OP2005" || !strings.Contains(d.What+d.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	for _, spec := range []string{"k=16,bits=4", "kind=vector,bits=4", "kind=vector,bits=2,k=16", "granularity=group:8", "bits=5"} {
		if _, err := passes.Parse(all.Passes, "codebook:"+spec); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// A code without an entry is an error of the file, not a panic.
func TestMaterializeRefusesBadCodes(t *testing.T) {
	m, err := text.Parse(`<ir_version: 8, opset_import: ["" : 13]>
main (float[1,4] x) => (float[a,b] y) <float[2] t = {1, 2}, uint8[4,1] c = {0, 1, 7, 0}> {
 i = Cast <to = 6> (c)
 w = Gather (t, i)
 y = MatMul (x, w)
}`)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Import(m)
	if err != nil {
		t.Fatal(err)
	}
	found := palette.Find(g)
	if len(found) != 1 {
		t.Fatalf("%d weights", len(found))
	}
	if err := found[0].Expand(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Main.Value("w").Const().Float32s(); err == nil {
		t.Error("a code beyond the table was read")
	}
}

// Equal inputs give equal files, whatever the number of threads.
func TestDeterministic(t *testing.T) {
	rt := orttest.Runner(t)
	m := open(t, models(t)[0])
	set := fashion(t, m, "calib", 24)
	dir := t.TempDir()
	var files [2][]byte
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := onnx.Save(path, run(t, m, "codebook:kind=vector,min-elems=64", "ort", rt, set).out, onnx.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if string(files[0]) != string(files[1]) {
		t.Error("two runs differ")
	}
}

// BenchmarkDataFree clusters 25 M weights in 54 convolutions, as ResNet-50 has them.
func BenchmarkDataFree(b *testing.B) {
	var source strings.Builder
	source.WriteString(`<ir_version: 8, opset_import: ["" : 13]> main (float[1,512,3,3] x) => (float[a,b,c,d] y) <`)
	const layers = 54
	for i := range layers {
		fmt.Fprintf(&source, "float[512,512%s] w%d = random(%d),", map[bool]string{true: ",3,3", false: ",1,1"}[i%11 == 0], i, i)
	}
	body := strings.TrimSuffix(source.String(), ",") + "> { x0 = Identity (x)"
	for i := range layers {
		pad := map[bool]string{true: "1,1,1,1", false: "0,0,0,0"}[i%11 == 0]
		body += fmt.Sprintf(" x%d = Conv <pads = [%s]> (x%d, w%d)", i+1, pad, i, i)
	}
	body += fmt.Sprintf(" y = Identity (x%d) }", layers)
	m, err := text.Parse(body)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "m.onnx")
	if err := onnx.Save(path, m, onnx.SaveOptions{}); err != nil {
		b.Fatal(err)
	}
	for _, bits := range []int{4, 8} {
		b.Run(fmt.Sprintf("%d bits", bits), func(b *testing.B) {
			m := open(b, path)
			b.ReportAllocs()
			for b.Loop() {
				run(b, m, fmt.Sprintf("codebook:bits=%d", bits), "portable", nil, nil)
			}
		})
	}
}
