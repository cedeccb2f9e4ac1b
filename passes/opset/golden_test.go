package opset_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/schema"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes/opset"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

// TestGolden runs the archives of testdata. Each has the files
//
//	in      the model
//	to      the version to raise to
//	out     the result, or
//	error   the message
//	inputs  values for the model's inputs, as initializers of a graph; by
//	        default random ones with 2 for each symbolic dimension
//
// Before and after are run in ONNX Runtime and must agree bit by bit. The
// archive's comment may have the line "not run: REASON", or "rounding: REASON"
// where ONNX Runtime has another kernel for the later version, which may sum
// in another order: then 4 units in the last place of the largest output are admitted.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	rt, _, err := ort.Discover(runtimelib.Options{})
	if err != nil {
		t.Log("outputs are not compared: ", err)
	} else {
		defer rt.Close()
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { golden(t, rt, f) })
	}
}

func golden(t *testing.T, rt *ort.Runtime, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := parse(t, section(a, "in"))
	m, err := graph.Import(before)
	if err != nil {
		t.Fatal(err)
	}
	to, err := strconv.ParseInt(strings.TrimSpace(section(a, "to")), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	unraised, valid := exported(t, m), verify.Model(m) == nil
	if err := opset.Raise(context.Background(), m, to); err != nil {
		expect(t, file, a, "error", strings.ReplaceAll(err.Error(), "; ", "\n")+"\n")
		if exported(t, m) != unraised {
			t.Error("a refused model was changed")
		}
		return
	}
	got := exported(t, m)
	expect(t, file, a, "out", got)
	if err := verify.Model(m); valid && err != nil {
		t.Error(err)
	}
	if rt != nil && !strings.Contains("\n"+string(a.Comment), "\nnot run:") {
		ulps := 0.0
		if strings.Contains("\n"+string(a.Comment), "\nrounding:") {
			ulps = 4
		}
		if d := compare(t, rt, before, parse(t, got), samples(t, before, section(a, "inputs")), ulps); d != "" {
			t.Error(d)
		}
	}
}

func parse(t *testing.T, src string) *onnx.Model {
	t.Helper()
	m, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func exported(t *testing.T, m *graph.Model) string {
	t.Helper()
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return text.String(out)
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// expect compares got with a section of the archive, or writes it there.
func expect(t *testing.T, file string, a *txtar.Archive, name, got string) {
	t.Helper()
	if *update {
		var files []txtar.File
		for _, f := range a.Files {
			if f.Name != "out" && f.Name != "error" {
				files = append(files, f)
			}
		}
		a.Files = append(files, txtar.File{Name: name, Data: []byte(got)})
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := section(a, name); want != got {
		t.Errorf("%s is\n%s\nwanted\n%s", name, got, want)
	}
}

// samples are arrays for the inputs of m that are no initializers.
func samples(t *testing.T, m *onnx.Model, given string) map[string]calib.Array {
	t.Helper()
	in := map[string]calib.Array{}
	if given != "" {
		for _, v := range parse(t, given).Graph.Initializer {
			in[v.Name] = array(t, v)
		}
		return in
	}
	initial := map[string]bool{}
	for _, v := range m.Graph.Initializer {
		initial[v.Name] = true
	}
	for i, v := range m.Graph.Input {
		if initial[v.Name] {
			continue
		}
		dims := make([]string, len(v.Type.Tensor.Shape.Dim))
		for k, d := range v.Type.Tensor.Shape.Dim {
			dims[k] = "2"
			if d.Kind == onnx.DimValue {
				dims[k] = strconv.FormatInt(d.Value, 10)
			}
		}
		src := "g () => () <" + schema.ElemName(v.Type.Tensor.Elem)
		if len(dims) > 0 {
			src += "[" + strings.Join(dims, ",") + "]"
		}
		random := " x = random(" + strconv.Itoa(i) + ", -2, 2)"
		if e := v.Type.Tensor.Elem; e.IsUnsigned() || e == onnx.Bool {
			random = " x = random(" + strconv.Itoa(i) + ", 0, 1)"
		}
		in[v.Name] = array(t, parse(t, src+random+"> {}").Graph.Initializer[0])
	}
	return in
}

func array(t *testing.T, v *onnx.Tensor) calib.Array {
	t.Helper()
	if v.Data == nil {
		return calib.Array{Type: v.Type, Shape: v.Dims}
	}
	data, err := v.Data.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return calib.Array{Type: v.Type, Shape: v.Dims, Bytes: data}
}

// compare runs both models on one sample and returns how they differ.
func compare(t *testing.T, rt *ort.Runtime, before, after *onnx.Model, in map[string]calib.Array, ulps float64) string {
	t.Helper()
	return difference(outputs(t, rt, before, in), outputs(t, rt, after, in), ulps)
}

// difference says how outputs differ; empty: they do not.
func difference(want, got []calib.Array, ulps float64) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d outputs, %d before", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Type != w.Type || !slices.Equal(g.Shape, w.Shape) {
			return fmt.Sprintf("output %d is %v %v, before %v %v", i, g.Type, g.Shape, w.Type, w.Shape)
		}
		if d := distance(g, w); !bytes.Equal(g.Bytes, w.Bytes) && !(d <= ulps) {
			return fmt.Sprintf("output %d differs in ONNX Runtime: %v units in the last place", i, d)
		}
	}
	return ""
}

// distance is the largest difference in units of the last place of the largest element; infinite for other types than float32.
func distance(a, b calib.Array) float64 {
	x, errX := (&onnx.Tensor{Type: a.Type, Dims: a.Shape, Data: onnx.RawBytes(a.Bytes)}).Float64s()
	y, errY := (&onnx.Tensor{Type: b.Type, Dims: b.Shape, Data: onnx.RawBytes(b.Bytes)}).Float64s()
	if errX != nil || errY != nil || a.Type != onnx.Float {
		return math.Inf(1)
	}
	worst, scale := 0.0, 0.0
	for i := range x {
		worst = max(worst, math.Abs(x[i]-y[i])) // NaN where only one is
		scale = max(scale, math.Abs(x[i]))
	}
	return worst / (scale * 0x1p-23)
}

// outputs runs m with every rewrite of the runtime turned off.
func outputs(t *testing.T, rt *ort.Runtime, m *onnx.Model, in map[string]calib.Array) []calib.Array {
	t.Helper()
	s, err := rt.Open(context.Background(), m, calib.OpenOptions{Optimization: calib.Exact, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all []calib.Array
	err = s.Run(context.Background(), in, func(out []calib.Array) error {
		for _, a := range out {
			all = append(all, calib.Array{Type: a.Type, Shape: append([]int64(nil), a.Shape...), Bytes: bytes.Clone(a.Bytes)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
