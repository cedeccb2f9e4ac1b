package opset

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/passes"
)

// defaultVersion is what to raise to when neither the user nor a target says it:
// the first version in which weights are dequantized per channel.
const defaultVersion = 13

// Options are the options of the pass.
type Options struct {
	// To is the version of the ai.onnx operator set to reach, 0 for the one
	// that the target's files are written in (13 without a target). A model
	// of that or a later version stays as it is.
	To int64 `help:"opset version to reach; 0: the one the target is written in" min:"0"`
}

// Pass raises the opset of the model.
var Pass = passes.New(passes.Info{
	Name:    PassName,
	Summary: "raise the model to a later version of the ai.onnx operator set",
	Doc: "Rewrites every operator whose meaning or signature changed between the model's opset and the wanted one, in the main graph, " +
		"in subgraphs and in functions, and raises the IR version to match. Never lowers a version. " +
		"Refuses as a whole, naming the nodes, when a node cannot be expressed in the later version (OP3301).\n\n" +
		"Before (opset 9):   y = Squeeze <axes = [2]> (x)\n" +
		"After (opset 13):   y = Squeeze (x, axes)      with int64[1] axes = {2}",
	Phase: passes.Cleanup,
}, Options{}, run)

func run(ctx context.Context, env *passes.Env, o Options) error {
	to := o.To
	if to == 0 {
		to = defaultVersion
		if env.Target != nil && env.Target.File.OpsetWrite > 0 {
			to = env.Target.File.OpsetWrite
		}
	}
	from := env.Model.Opset("")
	changes, to, err := reach(ctx, env, to, o.To == 0)
	if err != nil {
		return err
	}
	for _, c := range changes {
		env.Report.Plan = append(env.Report.Plan, passes.PlanEntry{
			Node: c.Node, Op: c.Op, Action: fmt.Sprintf("convert to opset %d", c.Version), Detail: c.What})
	}
	if env.DryRun {
		return nil
	}
	if from < to {
		env.Report.Fact("ai.onnx", "%d -> %d", from, to)
	}
	if !below(env.Model, to) {
		return nil
	}
	return raise(ctx, env.Model, to)
}

// reach plans the version that a later pass wants, where the model can be raised that far, or else the least one.
func reach(ctx context.Context, env *passes.Env, least int64, free bool) ([]Change, int64, error) {
	if wanted := env.Opset; free && wanted > least {
		changes, err := Plan(ctx, env.Model, wanted)
		if err == nil || ctx.Err() != nil {
			return changes, wanted, err
		}
		env.Note("OP8033", "the opset that a later pass wants cannot be reached", "wanted", fmt.Sprint(wanted), "written", fmt.Sprint(max(least, env.Model.Opset("")))).Wrap(err)
	}
	changes, err := Plan(ctx, env.Model, least)
	return changes, least, err
}
