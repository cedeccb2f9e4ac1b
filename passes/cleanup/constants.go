package cleanup

import (
	"context"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// Constants turns Constant nodes into initializers.
var Constants = passes.New(passes.Info{
	Name:    "constants",
	Summary: "turn Constant nodes into initializers",
	Doc: `Some exporters (PaddlePaddle, older PyTorch) keep all weights in Constant nodes, where most tools do not look for
them. Each becomes an initializer of the same name. Sparse constants and constants that are an output of their graph stay.
A model of IR version 3 is raised to 4, the first one in which initializers need not be inputs.`,
	Phase: passes.Cleanup,
}, struct{}{}, constants)

// plainIR is the first IR version whose initializers need not be graph inputs.
const plainIR = 4

func constants(_ context.Context, env *passes.Env, _ struct{}) error {
	moved := 0
	for _, g := range scopes(env.Model) {
		for n := range g.Nodes() {
			if !n.Is("Constant") || n.Out(0) == nil {
				continue
			}
			t := n.Out(0).Const()
			switch {
			case t == nil:
				env.Skip(n, "the constant is sparse")
			case n.Out(0).IsOutput():
				env.Skip(n, "the constant is an output of its graph")
			default:
				toInitializer(n, t)
				moved++
			}
		}
	}
	if moved > 0 {
		raiseIR(env.Model)
	}
	count(env, "constants made initializers", moved)
	return nil
}

// toInitializer replaces n by an initializer of the same name.
func toInitializer(n *graph.Node, t *onnx.Tensor) {
	old := n.Out(0)
	name := old.Name()
	v := n.Graph().Init(name, t)
	old.ReplaceUses(v, nil)
	n.Remove()
	v.Rename(name)
}

func raiseIR(m *graph.Model) {
	if m.Header.IRVersion < plainIR {
		m.Header.IRVersion = plainIR
		m.Touch()
	}
}
