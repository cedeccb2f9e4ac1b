package onnx_test

import (
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// TestUnaltered: every change of content or place is noticed, without reading large weights.
func TestUnaltered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	m := small(1)
	m.Graph.Initializer = append(m.Graph.Initializer, small(2).Graph.Initializer...)
	m.Graph.Initializer[0].Name, m.Graph.Initializer[1].Name = "a", "b"
	if err := onnx.Save(path, m, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if onnx.Unaltered(m) {
		t.Error("a model built in memory has no file to be like")
	}
	if !onnx.Unaltered(open(t, path)) {
		t.Error("an opened model is altered")
	}
	for name, edit := range map[string]func(g *onnx.Graph){
		"text":    func(g *onnx.Graph) { g.Name = "h" },
		"longer":  func(g *onnx.Graph) { g.DocString = "more" },
		"weight":  func(g *onnx.Graph) { g.Initializer[0].Data = onnx.RawBytes(make([]byte, 6000)) },
		"swapped": func(g *onnx.Graph) { a, b := g.Initializer[0], g.Initializer[1]; a.Data, b.Data = b.Data, a.Data },
		"removed": func(g *onnx.Graph) { g.Initializer = g.Initializer[:1] },
	} {
		m := open(t, path)
		edit(m.Graph)
		if onnx.Unaltered(m) {
			t.Errorf("%s: not noticed", name)
		}
	}
}
