package passes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes/target"
)

// prove looks at the new file as its users will: it is opened, checked against
// the format and the target's rules, run against the original, and judged.
func (w *work) prove(ctx context.Context, m *onnx.Model) error {
	g, err := graph.Import(m)
	if err == nil {
		err = Verify(g)
	}
	if err != nil {
		return diag.New("OP1003", "the written file does not read back").Wrap(err)
	}
	if err := w.lint(g); err != nil {
		return err
	}
	w.Gates.budget(&w.judge, w.result.After)
	if err := w.judge.err(); err != nil {
		w.result.Gates = w.judge.results
		return err // too large is too large: no need to run it
	}
	if err := w.execute(ctx, m); err != nil {
		return err
	}
	w.Gates.numbers(&w.judge, w.result.Verify)
	w.blame()
	w.peerGate()
	w.result.Gates = w.judge.results
	if err := w.judge.err(); err != nil || !w.Werror || len(w.result.Notes) == 0 {
		return err
	}
	return werror(w.result.Notes)
}

// lint records what the target finds. Errors that the original does not have fail the run, one gate a rule.
func (w *work) lint(g *graph.Model) error {
	if w.Target == nil {
		return nil
	}
	w.result.Findings = w.Target.Lint(g)
	bad := failing(w.result.Findings)
	if len(bad) == 0 {
		return nil
	}
	o, _, err := Load(w.Model)
	if err != nil {
		return err
	}
	old := map[string]int{}
	for _, f := range failing(w.Target.Lint(o)) {
		old[f.String()]++
	}
	var order []string
	byRule := map[string][]string{}
	for _, f := range bad {
		text := f.String()
		if old[text] > 0 {
			old[text]--
			continue
		}
		if byRule[f.Rule] == nil {
			order = append(order, f.Rule)
		}
		byRule[f.Rule] = append(byRule[f.Rule], text)
	}
	for _, rule := range order {
		found := byRule[rule][0]
		if n := len(byRule[rule]); n > 1 {
			found += fmt.Sprintf(", and %d more", n-1)
		}
		w.judge.gate("target "+w.Target.Name, "OP4013", "the new model breaks rule "+rule+" of target "+w.Target.Name, false, "no error", found)
	}
	return nil
}

func failing(list []target.Finding) []target.Finding {
	var out []target.Finding
	for _, f := range list {
		if f.Severity.Failing() {
			out = append(out, f)
		}
	}
	return out
}

// runs says whether the new model will be run on samples.
func (w *work) runs() bool {
	return !w.NoVerify && w.Runner != nil && w.HeldOut.Len() > 0 && (w.edited() || w.Gates.numeric())
}

// execute runs the original and the new model on the held-out samples.
func (w *work) execute(ctx context.Context, m *onnx.Model) error {
	switch {
	case w.NoVerify:
		_ = w.unproven("--no-verify was set")
		return nil
	case !w.edited() && !w.Gates.numeric():
		return nil // the graph is the original's
	case w.Runner == nil:
		w.unproven("no runtime library").Hinted("see onnxpass runtime status")
		return nil
	case w.HeldOut.Len() == 0 && computesBFloat16(m):
		w.unproven("no samples to run it on").Hinted("give some with -d or --verify-data")
		return nil
	case w.HeldOut.Len() == 0:
		return w.opens(ctx, m)
	}
	if computesBFloat16(m) {
		return w.executeElsewhere(ctx, m)
	}
	v, err := Compare(ctx, w.Runner, w.Model, m, w.HeldOut, w.comparison("verify"))
	if err != nil {
		return w.refused(ctx, err)
	}
	w.result.Verify = v
	w.noteWeak(v)
	return w.peer(ctx, m)
}

// executeElsewhere compares the new model in the target's own runtime with the original: the runner has no kernels for it.
func (w *work) executeElsewhere(ctx context.Context, m *onnx.Model) error {
	if w.Peer == nil {
		w.unproven("ONNX Runtime has no bfloat16 kernels on the CPU, and no other runtime was asked").Hinted("OpenVINO computes it: have its library found and use --target openvino")
		return nil
	}
	v, err := CompareRunners(ctx, w.Runner, w.Peer, w.Model, m, w.HeldOut, w.comparison("verify"))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if _, old := CompareRunners(ctx, w.Runner, w.Peer, w.Model, w.Model, w.HeldOut.Spread(1), CompareOptions{Threads: w.Threads}); old != nil {
			w.unproven("the target's own runtime does not run the original either").Wrap(old)
			return ctx.Err()
		}
		w.judge.gate("runs", "OP4008", "the new model cannot be run", false, "runs in "+w.Peer.Name(), err.Error())
		return nil
	}
	w.result.Verify = v
	w.noteWeak(v)
	return nil
}

// computesBFloat16 says whether a node of the main graph converts to bfloat16, as every model does that computes in it.
func computesBFloat16(m *onnx.Model) bool {
	return m.Graph != nil && slices.ContainsFunc(m.Graph.Node, func(n *onnx.Node) bool {
		return n.OpType == "Cast" && slices.ContainsFunc(n.Attribute, func(a *onnx.Attribute) bool { return a.Name == "to" && a.I == int64(onnx.BFloat16) })
	})
}

// weakSQNR and weakCosine are what a file that still does its work is seldom below.
const (
	weakSQNR   = 10
	weakCosine = 0.9
)

// noteWeak warns of a result that no gate asked about.
func (w *work) noteWeak(v *Verification) {
	if v.Worst < weakSQNR || v.Cosine < weakCosine {
		w.note("OP8007", "the new model is far from the original", "output", v.Output,
			"found", fmt.Sprintf("%s, cosine %.3f", decibel(v.Worst), v.Cosine)).
			Hinted("verify it with labels, keep layers in float with --exclude, or set gates such as --min-sqnr")
	}
}

func (w *work) comparison(what string) CompareOptions {
	return CompareOptions{Threads: w.Threads, Labels: w.Labels, Progress: func(done, total int) { w.advance(what, done, total) }}
}

// unproven records that the new model was not run.
func (w *work) unproven(why string) *diag.Error {
	return w.note("OP8001", "the new model was not run", "why", why)
}

// opens only loads the new model, since there is nothing to run it on.
func (w *work) opens(ctx context.Context, m *onnx.Model) error {
	s, err := w.Runner.Open(ctx, m, calib.OpenOptions{Threads: w.Threads})
	if err != nil {
		return w.refused(ctx, err)
	}
	w.unproven("no samples to run it on; it loads").Hinted("give some with -d or --verify-data")
	return s.Close()
}

// refused tells a new model that cannot be run from an original that cannot be run either.
func (w *work) refused(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var d *diag.Error
	if errors.As(cause, &d) && d.Exit() == 6 && d.Code < "OP62" {
		return cause // the samples are at fault
	}
	s, err := w.Runner.Open(ctx, w.Model, calib.OpenOptions{Threads: w.Threads})
	if err != nil {
		w.unproven("the runtime does not load the original either").Wrap(err)
		return nil
	}
	err = w.rejectedByOriginal(ctx, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	w.judge.gate("runs", "OP4008", "the new model cannot be run", false, "runs as the original does", cause.Error())
	return nil
}

// rejectedByOriginal runs the original on the held-out samples. When it fails
// too, the samples are at fault and not the new model.
func (w *work) rejectedByOriginal(ctx context.Context, original calib.Session) error {
	for i := range w.HeldOut.Len() {
		sample, err := w.HeldOut.Read(ctx, i)
		if err != nil {
			return err
		}
		if err := original.Run(ctx, sample.Inputs, func([]calib.Array) error { return nil }); err != nil {
			return diag.New("OP6022", "the model cannot be run on a sample", "data", w.HeldOut.Name(i)).Wrap(err).
				Hinted("the original model fails on it as well: give inputs of the sizes and values that it was made for")
		}
	}
	return ctx.Err()
}

// peerSamples is how many held-out samples the target's own runtime sees.
const peerSamples = 16

// sameNoise is the SQNR between two runtimes on one file, in dB, from which
// they count as agreeing: rounding differs from one to the other by about one
// code of 8 bits, which leaves more than 20 dB, while the known wrong kernels
// leave 16 dB or less.
const sameNoise = 20

// sameQuality is by how many dB the second runtime may be farther from the
// original than the first one. Where quantization noise itself is that large,
// two different roundings of it are no fault.
const sameQuality = 3

// peer runs the new model in the target's own runtime.
func (w *work) peer(ctx context.Context, m *onnx.Model) error {
	if w.Peer == nil {
		if w.NoPeer != nil && !w.NeedPeer {
			w.note("OP8004", "the target's own runtime was not asked").Wrap(w.NoPeer)
		}
		return nil
	}
	set := w.HeldOut.Spread(peerSamples)
	check := &PeerCheck{Runtime: w.Peer.Name(), Samples: set.Len()}
	against, err := CompareRunners(ctx, w.Runner, w.Peer, w.Model, m, set, w.comparison("verify in "+check.Runtime))
	if err == nil {
		var between *Verification
		between, err = CompareRunners(ctx, w.Runner, w.Peer, m, m, set, CompareOptions{Threads: w.Threads})
		if err == nil {
			check.SQNR, check.Between = against.Worst, between.Worst
			check.Agree = between.Worst >= sameNoise || against.Worst >= w.result.Verify.Worst-sameQuality
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return w.peerFailed(ctx, check, err)
	}
	w.result.Verify.Peer = check
	return nil
}

// peerFailed says whether the runtime refuses the new model only.
func (w *work) peerFailed(ctx context.Context, check *PeerCheck, cause error) error {
	check.Failure = cause.Error()
	if _, err := CompareRunners(ctx, w.Runner, w.Peer, w.Model, w.Model, w.HeldOut.Spread(1), CompareOptions{Threads: w.Threads}); err != nil {
		w.note("OP8004", "the target's own runtime does not run the original either", "runtime", check.Runtime).Wrap(err)
		return ctx.Err()
	}
	w.result.Verify.Peer = check
	return ctx.Err()
}

// peerGate fails the run when the runtimes disagree.
func (w *work) peerGate() {
	v := w.result.Verify
	switch {
	case v == nil || v.Peer == nil:
		if w.NeedPeer && (v == nil || w.Peer == nil || v.Runtime != w.Peer.Name()) {
			why := "it was not asked"
			if w.NoPeer != nil {
				why = w.NoPeer.Error()
			}
			w.judge.gate("runtime-check", "OP4011", "the target's own runtime could not be asked", false, "required", why)
		}
	case v.Peer.Failure != "":
		w.judge.gate("runtime-check", "OP4007", "the target's own runtime does not run the new model", false, "runs in "+v.Peer.Runtime, v.Peer.Failure)
	default:
		w.judge.gate("runtime-check", "OP4007", "two runtimes disagree on the new model", v.Peer.Agree,
			fmt.Sprintf("%d dB between %s and %s, or %d dB of SQNR lost", sameNoise, v.Runtime, v.Peer.Runtime, sameQuality),
			fmt.Sprintf("%s between them, SQNR %s and %s", decibel(v.Peer.Between), decibel(v.Worst), decibel(v.Peer.SQNR)))
	}
}

// Prove runs model against the original of job (Model, HeldOut, Runner, Peer,
// Gates) and records the comparison in r. A failed gate is an error.
func Prove(ctx context.Context, job Job, model *onnx.Model, r *Result) error {
	w := &work{Job: job, result: r}
	if err := job.Gates.checkOutputs(protoOutputs(job.Model)); err != nil {
		return err
	}
	v, err := Compare(ctx, w.Runner, w.Model, model, w.HeldOut, w.comparison("verify"))
	if err != nil {
		return err
	}
	r.Verify = v
	w.noteRandom(w.HeldOut)
	if err := w.peer(ctx, model); err != nil {
		return err
	}
	w.Gates.numbers(&w.judge, v)
	w.peerGate()
	r.Gates = w.judge.results
	return w.judge.err()
}

func protoOutputs(m *onnx.Model) []string {
	var names []string
	for _, v := range m.Graph.Output {
		names = append(names, v.Name)
	}
	return names
}
