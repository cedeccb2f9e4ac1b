package codebook

import (
	"context"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// Materialize writes weights out that are stored as codes and tables.
var Materialize = passes.New(passes.Info{
	Name:    "materialize",
	Summary: "write weights out that are stored as codes and a table",
	Doc: `Replaces what computes a weight from codes of at most 8 bits and a table (Cast, Gather, Reshape, Mul and the like over
constants, whoever wrote them) by the weight itself, bit by bit what a runtime computes at load. A DequantizeLinear behind it
stays, so that int8 weights stay int8. For runtimes that do not compute it once (TensorRT), and to take a model back to
plain floats.

Before:  w = Mul (Gather (t, Cast (c)), s)
After:   float[64, 32, 3, 3] w`,
	Phase: passes.Finish,
}, struct{}{}, materialize)

func materialize(ctx context.Context, env *passes.Env, _ struct{}) error {
	count := 0
	for _, s := range palette.Find(env.Model) {
		if err := ctx.Err(); err != nil {
			return err
		}
		u := s.Value.Uses()[0]
		if !u.IsReturn() {
			env.Plan(u.Node, "write weight out", s.Value.Elem().String())
		}
		count++
		if env.DryRun {
			continue
		}
		if err := s.Expand(); err != nil {
			return diag.New("OP3475", "a weight cannot be put together from its codes", "weight", s.Value.Name()).Wrap(err)
		}
	}
	env.Report.Fact("weights written out", "%d", count)
	return nil
}
