package cleanup

import (
	"context"
	"strings"

	"github.com/onnxpass/onnxpass/passes"
)

// Inputs takes initializers off the list of graph inputs.
var Inputs = passes.New(passes.Info{
	Name:    "inputs",
	Summary: "take initializers off the list of graph inputs",
	Doc: `Old exporters list every initializer as a graph input as well. Readers must then expect that a caller overrides
it, so nothing can be folded or quantized. The initializers stay, the entries among the inputs go, and the report names them.
A model of IR version 3 is raised to 4. Inputs without an initializer keep name, order and type.`,
	Phase: passes.Cleanup,
}, struct{}{}, inputs)

func inputs(_ context.Context, env *passes.Env, _ struct{}) error {
	g := env.Model.Main
	var names []string
	list := g.Inputs()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].IsInit() {
			names = append(names, list[i].Name())
			g.DropInput(i)
		}
	}
	if len(names) == 0 {
		return nil
	}
	raiseIR(env.Model)
	env.Note("OP8050", "initializers are no longer listed as graph inputs",
		"count", plural(len(names), "initializer"), "initializers", sample(names))
	return nil
}

// sample joins the last few names, which were collected from the end.
func sample(names []string) string {
	const most = 5
	var out []string
	for i := len(names) - 1; i >= 0 && len(out) < most; i-- {
		out = append(out, names[i])
	}
	if len(names) > most {
		out = append(out, "...")
	}
	return strings.Join(out, ", ")
}
