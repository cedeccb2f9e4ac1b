package graph_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// kit calls test for every real model; it skips where there are none.
func kit(t *testing.T, test func(t *testing.T, m *onnx.Model)) {
	t.Helper()
	paths, _ := filepath.Glob("../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	for _, path := range paths {
		m, err := onnx.Open(path)
		if err != nil {
			continue // the one that must be refused
		}
		t.Run(filepath.Base(path), func(t *testing.T) { test(t, m) })
		m.Close()
	}
}

func encode(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := onnx.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestKitSurvivesUntouched(t *testing.T) {
	kit(t, func(t *testing.T, in *onnx.Model) {
		m, err := graph.Import(in)
		if err != nil {
			t.Fatal(err)
		}
		want := encode(t, in)
		for _, copy := range []*graph.Model{m, m.Clone()} {
			out, err := copy.Export()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(encode(t, out), want) {
				t.Error("the written file differs")
			}
		}
	})
}

func TestKitInfers(t *testing.T) {
	kit(t, func(t *testing.T, in *onnx.Model) {
		m, err := graph.Import(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Infer(); err != nil {
			t.Error(err)
		}
		known, all := 0, 0
		for n := range m.All() {
			for _, v := range n.Outs() {
				if v == nil {
					continue
				}
				all++
				if v.Type().Other != nil || v.Elem() != onnx.Undefined && v.Shape().Ranked {
					known++
				}
			}
		}
		if unknown := all - known; unknown*10 > all {
			t.Errorf("type or rank of %d of %d values is unknown", unknown, all)
		}
		out, err := m.Export()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, out), encode(t, in)) {
			t.Error("inference changed what is written")
		}
	})
}
