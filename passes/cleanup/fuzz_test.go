package cleanup

import (
	"context"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
)

// FuzzCleanup: a valid model stays valid, keeps its interface, and nothing panics.
func FuzzCleanup(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(section(a, "in"))
	}
	f.Fuzz(func(t *testing.T, src string) {
		in, err := text.Parse(src)
		if err != nil {
			return
		}
		m, err := graph.Import(in)
		if err != nil {
			return
		}
		_ = m.Infer()
		if verify.Model(m) != nil {
			return
		}
		p := passes.Pipeline{Steps: []passes.Step{Pass.Default()}, Check: verify.Model}
		if _, err := p.Run(context.Background(), &passes.Env{Model: m}); err != nil {
			t.Fatal(err)
		}
		out, err := m.Export()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range out.Graph.Output {
			if v.Name != in.Graph.Output[i].Name {
				t.Fatalf("output %s became %s", in.Graph.Output[i].Name, v.Name)
			}
		}
	})
}
