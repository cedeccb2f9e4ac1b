// Package cleanup brings a model into the plain form that later passes work
// on: constants are initializers, what can be computed before execution is
// computed, nodes that do nothing are gone, and constant scales and shifts are
// part of the convolutions before them. No rewrite changes a result beyond the
// rounding of its element type.
//
// All passes look at the whole model, subgraphs included, whatever the user's
// selection of nodes says: it selects what later passes do. Bodies of
// model-local functions stay as they are.
package cleanup

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// Passes are all passes of this package: the one that runs the others, and
// those in the order in which it runs them.
var Passes = []passes.Pass{Pass, Constants, Inputs, Fold, Branches, NoOps, FoldPad, FoldBN, Dedupe, Common, Dead}

// Options of the cleanup pass.
type Options struct {
	FoldLimit  passes.Size `help:"largest constant that folding may add to the file; results that replace constants of at least their size are always allowed"`
	KeepInputs bool        `help:"leave initializers among the graph inputs, where callers may override them"`
}

// Pass runs the other passes of this package, in order, until nothing changes.
var Pass = passes.New(passes.Info{
	Name:    "cleanup",
	Summary: "fold constants, drop no-ops, merge scales into weights, remove what is unused",
	Doc: `Runs constants, inputs, then fold, branches and no-ops until they find nothing more, then fold-pad, fold-bn,
dedupe, common and dce. The model computes the same, to the rounding of its element type; names, order and types of
inputs and outputs stay (initializers that were listed as inputs are no longer listed).

Before:  x -> Identity -> Conv(w) -> BatchNormalization -> Mul(c) -> Relu
After:   x -> Conv(w', b') -> Relu`,
	Phase: passes.Cleanup,
}, Options{FoldLimit: defaultLimit}, run)

// maxRounds bounds the repetition of the passes that open work for each other.
const maxRounds = 8

func run(ctx context.Context, env *passes.Env, o Options) error {
	m := env.Model
	_ = m.Infer() // contradictions of the file are reported where it is opened; here they only make values unknown
	if err := constants(ctx, env, struct{}{}); err != nil {
		return err
	}
	if !o.KeepInputs {
		if err := inputs(ctx, env, struct{}{}); err != nil {
			return err
		}
	}
	if err := settle(ctx, env, o.FoldLimit); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *passes.Env, struct{}) error{foldPad, foldBN, dedupe, common, dead} {
		if err := step(ctx, env, struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

// settle repeats folding and removing until a round changes nothing. Skips of the last round are those that count.
func settle(ctx context.Context, env *passes.Env, limit passes.Size) error {
	report := env.Report
	defer func() { env.Report = report }()
	for round := 0; ; round++ {
		scratch := &passes.StepReport{}
		env.Report = scratch
		edits := env.Model.Edits()
		_ = env.Model.Infer()
		if err := fold(ctx, env, FoldOptions{Limit: limit}); err != nil {
			return err
		}
		if err := branches(ctx, env, struct{}{}); err != nil {
			return err
		}
		if err := noOps(ctx, env, struct{}{}); err != nil {
			return err
		}
		last := env.Model.Edits() == edits || round+1 == maxRounds
		merge(report, scratch, last)
		if last {
			return nil
		}
	}
}

// merge adds what one round did to the report: counts of one name are added
// up, notes of one code are said once.
func merge(report, round *passes.StepReport, skips bool) {
	if report == nil {
		return
	}
	report.Plan = append(report.Plan, round.Plan...)
	for _, n := range round.Notes {
		if !slices.ContainsFunc(report.Notes, func(m *diag.Error) bool { return m.Code == n.Code }) {
			report.Notes = append(report.Notes, n)
		}
	}
	for _, f := range round.Facts {
		addFact(report, f)
	}
	if skips {
		report.Skips = append(report.Skips, round.Skips...)
	}
}

func addFact(report *passes.StepReport, f passes.Fact) {
	for i, have := range report.Facts {
		a, errA := strconv.Atoi(have.Value)
		b, errB := strconv.Atoi(f.Value)
		if have.Name == f.Name && errA == nil && errB == nil {
			report.Facts[i].Value = strconv.Itoa(a + b)
			return
		}
	}
	report.Facts = append(report.Facts, f)
}

// fact records a figure for the summary.
func fact(env *passes.Env, name, format string, args ...any) {
	if env.Report != nil {
		env.Report.Fact(name, format, args...)
	}
}

// count records how often something was done; never is not worth a line.
func count(env *passes.Env, name string, n int) {
	if n > 0 {
		fact(env, name, "%d", n)
	}
}

// scopes yields the main graph and its subgraphs, outer before inner; not the bodies of functions.
func scopes(m *graph.Model) []*graph.Graph {
	var out []*graph.Graph
	for g := range m.Graphs() {
		if g.Function() == nil {
			out = append(out, g)
		}
	}
	return out
}

// release removes values that nothing reads any more, and what only they needed.
func release(values ...*graph.Value) {
	for len(values) > 0 {
		v := values[len(values)-1]
		values = values[:len(values)-1]
		if v == nil || v.Removed() || v.NumUses() > 0 || v.IsInput() {
			continue
		}
		if n := v.Def(); n != nil {
			if unused(n) && disposable(n) {
				values = append(values, n.Ins()...)
				n.Remove()
			}
		} else if v.IsInit() {
			v.RemoveInit()
		}
	}
}

// unused reports whether no output of n is read.
func unused(n *graph.Node) bool {
	for _, v := range n.Outs() {
		if v != nil && v.NumUses() > 0 {
			return false
		}
	}
	return true
}

// disposable reports whether n has no effect besides its outputs: known for standard operators only.
func disposable(n *graph.Node) bool {
	switch n.Domain() {
	case "", "ai.onnx.ml", "com.microsoft":
		return true
	}
	return false
}

// bypass makes the readers of output 0 of n read in instead and removes n when
// nothing is left for it to do. An output of the graph stays with n unless in
// can take its name.
func bypass(n *graph.Node, in *graph.Value) bool {
	out := n.Out(0)
	movable := in.Def() != nil && in.Graph() == n.Graph() && !in.IsOutput()
	before := out.NumUses()
	out.ReplaceUses(in, func(u graph.Use) bool { return movable || !u.IsReturn() })
	changed := out.NumUses() < before
	if unused(n) {
		ins := n.Ins()
		n.Remove()
		release(ins...)
		return true
	}
	return changed
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
