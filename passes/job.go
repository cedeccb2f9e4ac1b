package passes

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Job turns one model into another: it runs steps over a copy, proves the
// result and, when Output is set, writes it. The zero value of a field is its
// usual setting. A Job is used once.
type Job struct {
	Model *onnx.Model // the original; never changed
	Path  string      // of the original, for its hash; may be empty
	Tool  string      // name and version for provenance; "onnxpass" when empty

	Set     Set
	Steps   []Step
	Arrange PipelineOptions
	Target  *target.Profile
	Select  Selection

	Samples  *calib.Set // to calibrate on
	HeldOut  *calib.Set // to verify on; never used to calibrate
	Labels   map[string]int
	Runner   calib.Runner // nil: nothing is executed
	NoRunner error        // why Runner is nil, for the message when a step needs it
	Threads  int
	CacheDir string // of calibration statistics; empty: none

	// Peer is the target's own runtime. With NeedPeer its absence is a failed gate.
	Peer     calib.Runner
	NoPeer   error
	NeedPeer bool

	Shapes   map[string][]int64 // of inputs, to count MACs
	Sizes    map[string]int64   // of symbolic dimensions, to count MACs
	Gates    Gates
	NoVerify bool
	Werror   bool // warnings fail the job

	Output string // file to write; empty: the result is only in Done.Model
	Save   onnx.SaveOptions
	Keep   bool // keep a file that failed a gate as Output + ".rejected"
	DryRun bool

	CheckSteps bool // verify the graph after every step, not only at the end
	Log        *slog.Logger
	Progress   func(what string, done, total int)
}

// Done is the outcome of a Job.
type Done struct {
	Result *Result
	Model  *onnx.Model // what was or would be written; nil after a dry run. Shares data with the original.
}

// Run executes the job. After an error the Result holds what is known so far.
// A failed gate is an error for which errors.Is(err, ErrGate) holds; nothing
// is written then.
func Run(ctx context.Context, job Job) (*Done, error) {
	w := &work{Job: job, start: time.Now(), done: &Done{Result: &Result{Schema: Schema}}}
	w.result = w.done.Result
	err := w.run(ctx)
	if w.sum != nil && w.Path == "" {
		_, _ = w.sum() // it reads the model, which the caller may close now
	}
	w.result.Seconds = time.Since(w.start).Seconds()
	return w.done, err
}

// work is a running job.
type work struct {
	Job
	start    time.Time
	done     *Done
	result   *Result
	graph    *graph.Model
	pipeline *Pipeline
	selector *Selector
	exported *onnx.Model                          // the graph after the steps
	sum      func() (string, error)               // hash of the original, computed meanwhile
	dataSum  func() (string, error)               // hash of the samples, likewise
	dataView func() ([]calib.InputSummary, error) // figures of the first samples, likewise
	judge    judge
}

func (w *work) run(ctx context.Context) error {
	if err := w.prepare(); err != nil {
		return err
	}
	if err := w.transform(ctx); err != nil {
		return err
	}
	if w.DryRun {
		if w.Werror && len(w.result.Notes) > 0 {
			return werror(w.result.Notes)
		}
		return nil
	}
	return w.finish(ctx)
}

// prepare reads the graph and settles what will run, before any work is done.
func (w *work) prepare() error {
	r := w.result
	r.Tool, r.DryRun, r.Asked = w.tool(), w.DryRun, Format(w.Steps)
	if w.Target != nil {
		r.Target = w.Target.Name
	}
	g, notes, err := Load(w.Model)
	if err != nil {
		return err
	}
	w.graph = g
	r.Notes = append(r.Notes, notes...)
	if err := w.Gates.checkOutputs(outputNames(g.Main)); err != nil {
		return err
	}
	r.Input = Describe(w.Model, w.Path)
	if w.Path != "" {
		if r.Input.Bytes, err = fileBytes(w.Path, w.Model); err != nil {
			return err
		}
	}
	w.sum = background(func() (string, error) { return digest(w.Path, w.Model) })
	if err := w.runnable(g); err != nil {
		return err
	}
	if w.selector, err = NewSelector(w.Select); err != nil {
		return err
	}
	if err := w.selector.Check(g); err != nil {
		return err
	}
	w.Arrange.Target = w.Target
	if w.pipeline, err = w.Set.Arrange(w.Steps, w.Arrange); err != nil {
		return err
	}
	for _, s := range w.pipeline.Steps {
		r.Order = append(r.Order, s.String())
	}
	r.Notes = append(r.Notes, w.pipeline.Notes...)
	return w.prepareData()
}

func outputNames(g *graph.Graph) []string {
	var names []string
	for i := range g.Outputs() {
		names = append(names, g.OutputName(i))
	}
	return names
}

// prepareData describes the samples, and refuses steps that cannot work without them.
func (w *work) prepareData() error {
	if w.Samples.Len() > 0 || w.HeldOut.Len() > 0 {
		w.result.Data = &DataInfo{Calibration: w.Samples.Len(), HeldOut: w.HeldOut.Len()}
		w.dataSum = background(w.dataDigest)
		ports := calib.InputPorts(w.graph)
		w.dataView = background(func() ([]calib.InputSummary, error) { return w.viewData(ports) })
		w.noteSamples(w.Samples)
		if w.HeldOut != w.Samples {
			w.noteSamples(w.HeldOut)
		}
	}
	for _, s := range w.pipeline.Steps {
		if !s.Pass.NeedsData || w.DryRun {
			continue
		}
		if w.Samples.Len() == 0 {
			return diag.New("OP6001", fmt.Sprintf("pass %s needs samples", s.Pass.Name)).
				Hinted("give real inputs with -d (npy, npz, images, test_data_set_*), or -d random to try things out")
		}
		if w.Runner == nil {
			return w.noRunner(s.Pass.Name)
		}
	}
	return nil
}

// viewed is how many samples the report shows figures of.
const viewed = 4

func (w *work) viewData(ports []calib.Port) ([]calib.InputSummary, error) {
	set := w.Samples
	if set.Len() == 0 {
		set = w.HeldOut
	}
	return calib.Summarize(context.Background(), set, ports, viewed)
}

// noRunner is why a step that executes the model cannot run.
func (w *work) noRunner(pass string) error {
	if w.NoRunner != nil {
		return w.NoRunner
	}
	return diag.New("OP6201", "pass "+pass+" runs the model, and there is no runtime library").Hinted("see onnxpass runtime status")
}

func (w *work) noteSamples(s *calib.Set) {
	if s.Len() == 0 {
		return
	}
	d := w.result.Data
	for _, n := range s.Notes {
		d.Notes = appendNew(d.Notes, n)
	}
	if s.Random && !d.Random {
		d.Random = true
		w.noteRandom(s)
	}
}

// noteRandom says loudly that nothing real was measured.
func (w *work) noteRandom(s *calib.Set) {
	if s.Random {
		w.note("OP8002", "the samples are random numbers").Hinted("measure on real inputs before you ship the file")
	}
}

func appendNew(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

func (w *work) note(code, what string, pairs ...string) *diag.Error {
	n := diag.New(code, what, pairs...)
	w.result.Notes = append(w.result.Notes, n)
	return n
}

// transform counts, runs the steps and counts again.
func (w *work) transform(ctx context.Context) error {
	r := w.result
	r.Before = w.count(w.graph)
	r.Before.FileBytes = r.Input.Bytes
	if w.CheckSteps {
		w.pipeline.Check = Verify
	}
	env := &Env{Model: w.graph, Target: w.Target, Select: w.selector, Runner: w.Runner, Log: w.Log, DryRun: w.DryRun, Shapes: w.Shapes, Sizes: w.Sizes,
		Progress: w.Progress, Gates: w.Gates, NoVerify: w.NoVerify, Labels: w.Labels}
	if w.Samples.Len() > 0 && w.Runner != nil {
		env.Calib = &calib.Calibration{Runner: w.Runner, Samples: w.Samples, HeldOut: w.HeldOut, Threads: w.Threads, CacheDir: w.CacheDir,
			Progress: func(done, total int) { w.advance("calibrate", done, total) }}
	}
	var err error
	r.Passes, err = w.pipeline.Run(ctx, env)
	w.graph = env.Model
	for _, p := range r.Passes {
		r.Notes = append(r.Notes, p.Notes...)
	}
	if err != nil {
		return err
	}
	if w.edited() {
		if err := Verify(w.graph); err != nil {
			return diag.New("OP1003", "the passes left an invalid graph", "passes", Names(w.pipeline.Steps)).Wrap(err)
		}
		r.After = w.count(w.graph)
	} else {
		r.After = r.Before
	}
	w.exported, err = w.graph.Export()
	if err == nil {
		r.Contract = InterfaceChanges(w.Model, w.exported)
	}
	return err
}

// edited says whether any step changed the model.
func (w *work) edited() bool {
	for _, p := range w.result.Passes {
		if p.Edits > 0 {
			return true
		}
	}
	return false
}

func (w *work) advance(what string, done, total int) {
	if w.Progress != nil {
		w.Progress(what, done, total)
	}
}

func (w *work) tool() string {
	if w.Tool == "" {
		return "onnxpass"
	}
	return w.Tool
}

// werror turns warnings into the error of the run.
func werror(notes []*diag.Error) error {
	g := &GateError{}
	for _, n := range notes {
		g.Failed = append(g.Failed, diag.New("OP4014", "warning: "+n.What).With(pairs(n)...).Hinted("%s", n.Hint))
	}
	return g
}

func pairs(e *diag.Error) []string {
	out := []string{"code", e.Code}
	for _, f := range e.Fields {
		out = append(out, f.Label, f.Text)
	}
	return out
}
