package mixed_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
)

// fashion is the network of the repository with real samples.
const fashion = "../../testdata/models/fashion_resnet.onnx"

// normal is how its samples are read.
var normal = sample.Options{Max: 60, Preprocess: sample.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.286}, Std: []float32{0.353}}}

// job runs a list of passes over a model for ONNX Runtime, with data, or without samples when there is none.
func job(t testing.TB, rt calib.Runner, path, list string, o sample.Options, data ...string) passes.Job {
	t.Helper()
	proto, err := onnx.Open(path)
	if err != nil {
		t.Skipf("%s: %v", path, err)
	}
	t.Cleanup(func() { proto.Close() })
	steps, err := passes.Parse(all.Passes, list)
	if err != nil {
		t.Fatal(err)
	}
	j := passes.Job{Model: proto, Set: all.Set(), Steps: steps, Target: target.Lookup("ort"), Runner: rt, Threads: 1}
	if len(data) == 0 {
		return j
	}
	g, _, err := passes.Load(proto)
	if err != nil {
		t.Fatal(err)
	}
	set, err := sample.Load(context.Background(), data, calib.InputPorts(g), o)
	if err != nil {
		t.Fatal(err)
	}
	j.Samples, j.HeldOut = set.Split()
	return j
}

// done is a finished job with the bytes of its file.
type done struct {
	*passes.Done
	file []byte
	step *passes.StepReport
}

func run(t testing.TB, j passes.Job) done {
	t.Helper()
	d, err := try(j)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func try(j passes.Job) (done, error) {
	r, err := passes.Run(context.Background(), j)
	if err != nil {
		return done{Done: r}, err
	}
	var b bytes.Buffer
	err = onnx.Write(&b, r.Model)
	return done{r, b.Bytes(), r.Result.Passes[len(r.Result.Passes)-1]}, err
}

// bits are those of a weight, on average, by the report.
func bits(s *passes.StepReport) float64 {
	var bytes, n int64
	for _, l := range s.Layers {
		bytes, n = bytes+l.BytesAfter, n+l.Params
	}
	return 8 * float64(bytes) / float64(n)
}

func fact(s *passes.StepReport, name string) string {
	for _, f := range s.Facts {
		if strings.HasPrefix(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func code(err error) string {
	var e *diag.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Budgets of size are kept from below and used up but for less than what one
// weight could grow by; more bytes never give a worse model on held-out samples
// by more than noise; threads do not matter.
func TestSizes(t *testing.T) {
	rt := orttest.Runner(t)
	before := -100.0
	for _, b := range []struct {
		list  string
		limit float64 // bits
	}{{"mixed:bpw=4.6,min-elems=256", 4.6}, {"mixed:bpw=7,min-elems=256", 7}} {
		d := run(t, job(t, rt, fashion, b.list, normal, "../../testdata/fashion/calib"))
		found := bits(d.step)
		if found > b.limit || found < 0.8*b.limit {
			t.Errorf("%s: %.3f bits", b.list, found)
		}
		if db := d.Result.Verify.Worst; db < before-1 {
			t.Errorf("%s: %.1f dB, %.1f dB with fewer bits", b.list, db, before)
		} else {
			before = db
		}
		if b.limit > 5 {
			continue
		}
		j := job(t, rt, fashion, b.list, normal, "../../testdata/fashion/calib")
		j.Threads = 3
		if !bytes.Equal(d.file, run(t, j).file) {
			t.Errorf("%s: three threads give another file", b.list)
		}
	}
}

// A size is one of the whole file, as it is written.
func TestSizeOfFile(t *testing.T) {
	rt := orttest.Runner(t)
	const size = 70 << 10
	out := filepath.Join(t.TempDir(), "out.onnx")
	j := job(t, rt, fashion, "mixed:size=70KiB,min-elems=256", normal, "../../testdata/fashion/calib")
	j.Output = out
	run(t, j)
	st, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > size || st.Size() < size*9/10 {
		t.Errorf("%d bytes, wanted %d", st.Size(), size)
	}
}

// The smallest file that keeps a quality keeps it on held-out samples, and a
// lower quality takes fewer bytes.
func TestQualities(t *testing.T) {
	rt := orttest.Runner(t)
	before := 0
	for _, b := range []struct {
		list string
		db   float64
	}{{"mixed:min-sqnr=15,min-elems=256,formats=(int8,codebook16,codebook4)", 15}, {"mixed:min-sqnr=25,min-elems=256,formats=(int8,codebook16,codebook4)", 25}, {"mixed:min-sqnr=40,min-elems=256,formats=(int8,codebook16,codebook4)", 40}} {
		d := run(t, job(t, rt, fashion, b.list, normal, "../../testdata/fashion/calib"))
		if db := d.Result.Verify.Worst; db < b.db {
			t.Errorf("%s: %.1f dB", b.list, db)
		}
		if len(d.file) <= before {
			t.Errorf("%s: %d bytes, %d for less", b.list, len(d.file), before)
		}
		before = len(d.file)
	}
	gate := 25.0
	j := job(t, rt, fashion, "mixed:min-elems=256", normal, "../../testdata/fashion/calib")
	j.Gates.MinSQNR = &gate
	if d := run(t, j); len(d.file) >= before || fact(d.step, "budget min-sqnr=25") == "" {
		t.Errorf("the gate as budget: %d bytes, %v", len(d.file), d.step.Facts)
	}
	j = job(t, rt, fashion, "mixed:max-drop=4,min-elems=256", normal, "../../testdata/fashion/calib")
	if d := run(t, j); *d.Result.Verify.Agree < 96 {
		t.Errorf("%.1f %% of the predictions are equal", *d.Result.Verify.Agree)
	}
}

// With labels a drop is one of accuracy, which may be far less than the predictions that change.
func TestLabels(t *testing.T) {
	rt := orttest.Runner(t)
	j := job(t, rt, fashion, "mixed:max-drop=5,min-elems=256,formats=(codebook16,codebook4)", normal, "../../testdata/fashion/calib")
	j.Labels = map[string]int{}
	for i := range j.HeldOut.Len() {
		j.Labels[j.HeldOut.Name(i)] = 99 // no class: nothing is right before, and nothing gets lost
	}
	d := run(t, j)
	if got := fact(d.step, "budget max-drop=5"); !strings.Contains(got, "accuracy 0.00 %") || !strings.Contains(fact(d.step, "forms of weights"), "codebook4") || strings.Contains(fact(d.step, "forms of weights"), "codebook16") {
		t.Errorf("%s: %v", got, d.step.Facts)
	}
}

// Budgets out of reach are failed gates that say what comes closest.
func TestOutOfReach(t *testing.T) {
	rt := orttest.Runner(t)
	for list, want := range map[string]string{
		"mixed:size=20KiB,min-elems=256":                             "KiB in the smallest forms",
		"mixed:bpw=2,min-elems=256":                                  "bits per weight in the smallest forms",
		"mixed:min-sqnr=90,formats=(int8,codebook16),min-elems=256":  "SQNR",
		"mixed:min-agree=100,formats=(codebook4),min-elems=256":      "of the predictions equal",
		"mixed:min-sqnr=80,attempts=1,formats=(int8),min-elems=2048": "SQNR",
	} {
		_, err := try(job(t, rt, fashion, list, normal, "../../testdata/fashion/calib"))
		if !errors.Is(err, passes.ErrGate) || code(err) != "OP4020" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", list, err)
		}
	}
}

// A recipe gives the same bytes again without a search, and fits its model only.
func TestRecipe(t *testing.T) {
	rt := orttest.Runner(t)
	path := filepath.Join(t.TempDir(), "recipe.json")
	a := run(t, job(t, rt, fashion, `mixed:bpw=5,min-elems=256,recipe-out="`+path+`"`, normal, "../../testdata/fashion/calib"))
	again := `mixed:min-elems=256,recipe-in="` + path + `"`
	b := run(t, job(t, rt, fashion, again, normal, "../../testdata/fashion/calib"))
	if d := diffGraphs(a, b); d != "" {
		t.Error(d)
	}
	if fact(b.step, "assignments judged") != "" || fact(b.step, "tried alone") != "" {
		t.Error("a recipe was searched for")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = try(job(t, rt, fashion, `mixed:min-elems=2048,recipe-in="`+path+`"`, normal, "../../testdata/fashion/calib"))
	if code(err) != "OP6091" {
		t.Errorf("another selection of weights: %v", err)
	}
	for name, bad := range map[string]string{
		"not JSON": "{", "schema": strings.Replace(string(text), "recipe/1", "recipe/9", 1), "form": strings.Replace(string(text), `"form": "`, `"form": "x`, 1),
		"field": strings.Replace(string(text), `"model"`, `"modell"`, 1),
	} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := try(job(t, rt, fashion, again, normal, "../../testdata/fashion/calib")); code(err) != "OP6090" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := try(job(t, rt, fashion, "mixed:recipe-in=/nowhere/recipe.json", normal, "../../testdata/fashion/calib")); code(err) != "OP6090" {
		t.Error(err)
	}
}

// diffGraphs says how the graphs of two files differ; what is written about the run may.
func diffGraphs(a, b done) string {
	var x, y bytes.Buffer
	for _, m := range []struct {
		to *bytes.Buffer
		d  done
	}{{&x, a}, {&y, b}} {
		plain := *m.d.Model
		plain.MetadataProps = nil
		if err := onnx.Write(m.to, &plain); err != nil {
			return err.Error()
		}
	}
	if !bytes.Equal(x.Bytes(), y.Bytes()) {
		return "the graphs differ"
	}
	return ""
}

// Without samples random inputs are tried, and without a runtime the error of
// the weights decides, with first and last layers in 8 bits. Both are said.
func TestWithoutSamples(t *testing.T) {
	rt := orttest.Runner(t)
	for name, runner := range map[string]calib.Runner{"random inputs": rt, "weights alone": nil} {
		d := run(t, job(t, runner, fashion, "mixed:bpw=5,min-elems=256", normal))
		if found := bits(d.step); found > 5 || found < 4 {
			t.Errorf("%s: %.2f bits", name, found)
		}
		if len(d.step.Notes) != 1 || d.step.Notes[0].Code != "OP8085" {
			t.Errorf("%s: notes %v", name, d.step.Notes)
		}
		first, last := d.step.Layers[0], d.step.Layers[len(d.step.Layers)-1]
		for _, l := range []passes.Layer{first, last} {
			if runner == nil && 8*l.BytesAfter < 7*l.Params {
				t.Errorf("%s: %s has %d bytes for %d weights", name, l.Name, l.BytesAfter, l.Params)
			}
		}
	}
	if _, err := try(job(t, rt, fashion, "mixed:min-sqnr=20", normal)); code(err) != "OP6001" {
		t.Errorf("a quality without samples: %v", err)
	}
}

// Options that contradict each other are usage errors.
func TestOptions(t *testing.T) {
	for _, list := range []string{"mixed:size=1MiB,bpw=4", "mixed:size=1MiB,min-sqnr=30", "mixed:bpw=4,recipe-in=x", "mixed:formats=(int7)", "mixed:bpw=4,time-limit=-1s"} {
		if _, err := passes.Parse(all.Passes, list); code(err) != "OP2005" {
			t.Errorf("%s: %v", list, err)
		}
	}
	if _, err := try(job(t, nil, fashion, "mixed", normal)); code(err) != "OP2005" {
		t.Errorf("no budget: %v", err)
	}
}

// TensorRT would look tables up at every run: they are refused there, and weights become int8 and int4.
func TestUnfoldedTables(t *testing.T) {
	rt := orttest.Runner(t)
	j := job(t, rt, fashion, "mixed:bpw=8,formats=(int8,codebook16)", normal)
	j.Target = target.Lookup("tensorrt")
	if _, err := try(j); code(err) != "OP2005" {
		t.Errorf("tables for TensorRT: %v", err)
	}
	j = job(t, rt, fashion, "mixed:bpw=6", normal)
	j.Target = target.Lookup("tensorrt")
	d := run(t, j)
	if forms := fact(d.step, "forms of weights"); strings.Contains(forms, "codebook") || !strings.Contains(forms, "int4") {
		t.Errorf("forms %s", forms)
	}
	for _, f := range d.Result.Findings {
		t.Errorf("lint: %+v", f)
	}
}

// When the time is over the best so far is taken, and it keeps a size all the same.
func TestTimeLimit(t *testing.T) {
	rt := orttest.Runner(t)
	d := run(t, job(t, rt, fashion, "mixed:bpw=5,min-elems=256,time-limit=1ms", normal, "../../testdata/fashion/calib"))
	if found := bits(d.step); found > 5 {
		t.Errorf("%.2f bits", found)
	}
	if got := fact(d.step, "assignments judged"); got != "1" {
		t.Errorf("%s assignments were judged", got)
	}
}
