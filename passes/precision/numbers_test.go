package precision

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// memory is a source of samples made up in memory.
type memory []map[string]calib.Array

func (m memory) Len() int                     { return len(m) }
func (m memory) Name(i int) string            { return string(rune('a' + i)) }
func (m memory) Digest([]int) (string, error) { return "memory", nil }
func (m memory) Read(_ context.Context, i int) (calib.Sample, error) {
	return calib.Sample{Inputs: m[i]}, nil
}

// samples are n random samples for the inputs of m: normal floats, ones for the rest.
func samples(t testing.TB, m *graph.Model, n int) *calib.Set {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 8))
	var all memory
	for range n {
		in := map[string]calib.Array{}
		for _, v := range m.Main.Inputs() {
			if v.IsInit() {
				continue
			}
			dims, static := v.Shape().Static()
			count := 1
			for _, d := range dims {
				count *= int(d)
			}
			var x *onnx.Tensor
			switch {
			case !static:
				t.Fatal("open shape of ", v.Name())
			case v.Elem() == onnx.Int64:
				x = onnx.From(dims, bytesOf[int64](count, 1))
			case v.Elem() == onnx.Bool:
				x = onnx.From(dims, bytesOf(count, rng.IntN(2) == 1))
			default:
				f := make([]float32, count)
				for i := range f {
					f[i] = float32(rng.NormFloat64())
				}
				x = onnx.From(dims, f)
			}
			b, err := x.Data.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			in[v.Name()] = calib.Array{Type: v.Elem(), Shape: dims, Bytes: b}
		}
		all = append(all, in)
	}
	return calib.NewSet(all)
}

func bytesOf[T any](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// Every archive that ONNX Runtime can run computes about the same afterwards, has the same interface, gives the same
// bytes at every run, and finds nothing to do a second time. float16 rounds to 2^-11: a handful of operators in a row
// keep 50 dB, int8 codes next to a rounding step 35.
func TestArchivesComputeTheSame(t *testing.T) {
	rt := orttest.Runner(t)
	archives(t, func(t *testing.T, _ string, _ *txtar.Archive, section map[string]string) {
		spec, profile := strings.TrimSpace(section["pass"]), strings.TrimSpace(section["target"])
		before := parse(t, section["in"])
		var first []byte
		var after *graph.Model
		for range 2 {
			after = parse(t, section["in"])
			if _, err := convert(t, after, spec, profile, nil); err != nil {
				t.Fatal(err)
			}
			b := encode(t, after)
			if first != nil && !bytes.Equal(first, b) {
				t.Error("another run gives other bytes")
			}
			first = b
		}
		again := after.Clone()
		if r, err := convert(t, again, spec, profile, nil); err != nil || r.Edits > 0 {
			t.Errorf("a second run makes %d edits: %v", r.Edits, err)
		}
		a, b := export(t, before), export(t, after)
		if strings.Contains(spec, "low") {
			return
		}
		if diff := passes.InterfaceChanges(a, b); len(diff) > 0 {
			t.Error(diff)
		}
		if strings.HasPrefix(spec, "bf16") && before.Opset("") >= 22 {
			return // ONNX Runtime has no kernels: see TestEmulated
		}
		v, err := passes.Compare(context.Background(), rt, a, b, samples(t, before, 4), passes.CompareOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if v.Worst < 35 || math.IsNaN(v.Worst) {
			t.Errorf("SQNR %.1f dB", v.Worst)
		}
	})
}

func export(t testing.TB, m *graph.Model) *onnx.Model {
	t.Helper()
	p, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encode(t testing.TB, m *graph.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := onnx.Write(&b, export(t, m)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
