// Package graphtest reads models from text for tests.
package graphtest

import (
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// Parse reads a model text and infers its types.
func Parse(t testing.TB, source string) *graph.Model {
	t.Helper()
	p, err := text.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(p)
	if err == nil {
		err = m.Infer()
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}
