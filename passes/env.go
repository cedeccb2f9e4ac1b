package passes

import (
	"context"
	"log/slog"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Env is what a pass works with. The pipeline makes Report anew for each step
// and sets DryRun only for passes that need samples: see Pipeline.Run.
type Env struct {
	// Model is edited in place, or replaced by an edited clone of itself.
	Model    *graph.Model
	Target   *target.Profile
	Calib    *calib.Calibration // nil without samples
	Select   *Selector          // --only, --exclude, --only-op, --exclude-op
	Runner   calib.Runner       // nil when there is no runtime library
	Log      *slog.Logger       // nil: silent
	DryRun   bool               // plan and report, edit nothing
	NoVerify bool               // leave out comparisons of what a pass did with what was before
	Gates    Gates              // what the finished model must keep: a pass may give up less of its work to reach them
	Opset    int64              // version of the ai.onnx operator set that a step of the pipeline wants; 0: any
	Labels   map[string]int     // class by sample name, as in Job; nil: none
	Shapes   map[string][]int64 // of inputs, to count MACs for
	Sizes    map[string]int64   // of symbolic dimensions, likewise
	Report   *StepReport

	// Norms are the batch normalizations that were merged into layers, by the names of their nodes. Scores of
	// channels and the means of what layers put out follow from them, when there are no samples.
	Norms map[string]Norm

	// Progress, if not nil, hears how far a long step is. It may be called from several goroutines.
	Progress func(what string, done, total int)
}

// Skip records that a rewrite does not apply to n, and why. The reason is
// counted over nodes, so it must not name n.
func (e *Env) Skip(n *graph.Node, reason string) {
	e.report().Skip(n, reason)
	if l := e.logger(); l.Enabled(context.Background(), slog.LevelDebug) && n != nil {
		l.Debug("skip", "pass", e.report().Pass, "node", n.Label(), "reason", reason)
	}
}

// Note records a warning or note (code OP8xxx) with labelled facts, and returns it so that a hint can be added.
func (e *Env) Note(code, what string, pairs ...string) *diag.Error {
	n := diag.New(code, what, pairs...)
	e.report().Notes = append(e.report().Notes, n)
	return n
}

// Plan records a decision about n: an action such as "quantize", and details.
func (e *Env) Plan(n *graph.Node, action, detail string) {
	p := PlanEntry{Action: action, Detail: detail}
	if n != nil {
		p.Node, p.Op = nodeName(n), n.Op()
	}
	r := e.report()
	r.Plan = append(r.Plan, p)
}

// Admits asks the user's selection about n and records the skip when it does not admit it.
func (e *Env) Admits(n *graph.Node) bool {
	ok, reason := e.Select.Match(n)
	if !ok {
		e.Skip(n, reason)
	}
	return ok
}

// Advance tells Progress how far a long piece of work is.
func (e *Env) Advance(what string, done, total int) {
	if e.Progress != nil {
		e.Progress(what, done, total)
	}
}

func (e *Env) report() *StepReport {
	if e.Report == nil {
		e.Report = &StepReport{}
	}
	return e.Report
}

func (e *Env) logger() *slog.Logger {
	if e.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return e.Log
}

// Norm is a batch normalization that was merged into a layer: the standard
// deviation and the mean that each channel had behind it in training.
type Norm struct{ Scale, Shift []float64 }

// Merged records that a batch normalization became part of n.
func (e *Env) Merged(n *graph.Node, norm Norm) {
	if e.Norms == nil {
		e.Norms = map[string]Norm{}
	}
	e.Norms[n.Label()] = norm
}
