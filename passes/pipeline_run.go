package passes

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Run applies the steps to env.Model and reports on each. On an error the
// reports of the steps so far, the failed one included, are returned too.
//
// In a dry run (env.DryRun) passes that need no samples really edit the model,
// so that the plans after them are those of the real run; the caller throws
// the model away. Passes that need samples see DryRun and only plan.
func (p *Pipeline) Run(ctx context.Context, env *Env) ([]*StepReport, error) {
	var reports []*StepReport
	nodes := nodeSet(nil) // before the next step
	dry := env.DryRun
	defer func() { env.DryRun = dry }()
	env.Opset = p.opset(env.Target)
	for _, step := range p.Steps {
		if err := ctx.Err(); err != nil {
			return reports, err
		}
		env.DryRun = dry && step.Pass.NeedsData
		env.Report = &StepReport{Pass: step.Pass.Name, Spec: step.String(), Pulled: p.Pulled[step.Pass.Name], Planned: env.DryRun}
		reports = append(reports, env.Report)
		var err error
		if nodes, err = p.runStep(ctx, env, step, nodes); err != nil {
			return reports, fmt.Errorf("pass %s: %w", step.Pass.Name, err)
		}
	}
	return reports, nil
}

// runStep runs one step and returns the nodes that it leaves. Nodes that are nil are counted first.
func (p *Pipeline) runStep(ctx context.Context, env *Env, step Step, before nodeSet) (nodeSet, error) {
	if before == nil {
		before = census(env.Model)
	}
	edits, start := env.Model.Edits(), time.Now()
	env.logger().Info("pass", "name", step.Pass.Name, "spec", step.String())
	err := step.run(ctx, env)
	env.Report.Seconds = time.Since(start).Seconds()
	env.Report.tidy()
	if err != nil {
		return nil, err
	}
	after := before
	if env.Report.Edits = env.Model.Edits() - edits; env.Report.Edits > 0 {
		after = census(env.Model)
	}
	env.Report.count(before, after)
	if p.Check == nil || env.Report.Edits == 0 {
		return after, nil
	}
	if err := p.Check(env.Model); err != nil {
		return nil, diag.New("OP1003", fmt.Sprintf("pass %s left an invalid graph", step.Pass.Name)).Wrap(err)
	}
	return after, nil
}

// run calls the pass and turns a panic into an error.
func (s Step) run(ctx context.Context, env *Env) (err error) {
	defer func() {
		if r := recover(); r != nil {
			env.logger().Debug("panic", "pass", s.Pass.Name, "stack", string(debug.Stack()))
			err = diag.New("OP1001", fmt.Sprintf("pass %s failed unexpectedly", s.Pass.Name)).Wrap(fmt.Errorf("%v", r)).
				Hinted("this is a defect of onnxpass: please report it with the output of -v")
		}
	}()
	return s.Pass.run(ctx, env, s.Options)
}
