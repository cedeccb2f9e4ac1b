package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	against string
	target  string
	runtime string
	data    dataFlags
	gates   gateFlags
	threads int
	reports []string
}

func (a *app) verifyCommand() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use: "verify NEW --against OLD", Short: "run two models on the same samples and compare", Args: exactly(1, "one model"),
		Long: "Run NEW and OLD on all samples of --data and say how close the outputs are.\n" +
			"With gates, exit 4 when one fails. With --target openvino, NEW runs in OpenVINO too.",
		Example: "  onnxpass verify model.int8.onnx --against model.onnx -d test/ --min-sqnr 25\n" +
			"  onnxpass verify new.onnx --against old.onnx -d images/ --preset imagenet --labels labels.csv --min-accuracy 70",
		RunE: func(c *cobra.Command, args []string) error { return a.verify(c.Context(), f, args[0]) },
	}
	fs := c.Flags()
	fs.StringVar(&f.against, "against", "", "the original `MODEL`")
	fs.StringVar(&f.target, "target", "portable", "runtime, by `NAME`, that will read the file")
	fs.Var(newEnum(&f.runtime, "auto", "auto", "off", "require"), "runtime-check", "run NEW in the target's own runtime too")
	fs.IntVarP(&f.threads, "threads", "j", 0, "`N` threads; 0 is all cores")
	fs.StringArrayVar(&f.reports, "report", nil, "write a report to `[KIND:]FILE`; kinds json, md (appends), junit; repeatable")
	setGroup(fs, "Most used", "against", "target")
	setGroup(fs, "Run", "runtime-check", "threads")
	setGroup(fs, "Output", "report")
	f.data.add(fs)
	_ = fs.MarkHidden("verify-data")
	f.gates.addNumeric(fs)
	return c
}

func (a *app) verify(ctx context.Context, f *verifyFlags, path string) error {
	if f.against == "" {
		return usageError("verify needs --against OLD").Hinted("for instance: onnxpass verify new.onnx --against old.onnx -d samples/")
	}
	if f.against == path {
		return diag.New("OP2016", "NEW and OLD are the same file", "file", path)
	}
	if _, err := parseReports(f.reports); err != nil {
		return err
	}
	r, err := a.verifyFiles(ctx, f, path)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r != nil && r.Verify != nil && !a.global.quiet && !a.global.json {
		s := &sheet{w: a.out}
		s.line("new", "%s  %s", path, passes.Bytes(r.After.FileBytes))
		s.line("old", "%s  %s", f.against, passes.Bytes(r.Before.FileBytes))
		s.proof(r)
		for _, o := range r.Verify.Outputs {
			s.line("output", "%s  SQNR %.1f dB  cosine %.4f  largest difference %.3g", o.Name, o.SQNR, o.Cosine, o.MaxAbs)
		}
		for _, w := range r.Verify.Lowest {
			s.line("sample", "%s  %.1f dB", w.Name, w.SQNR)
		}
		s.warnings(r)
	}
	return errors.Join(err, a.publish(f.reports, []*document{newDocument("verify", r, err)}))
}

// pair is the two models.
type pair struct{ old, new *onnx.Model }

func (a *app) verifyFiles(ctx context.Context, f *verifyFlags, path string) (*passes.Result, error) {
	gates, err := f.gates.parse()
	if err != nil {
		return nil, err
	}
	t, err := findTarget(f.target)
	if err != nil {
		return nil, err
	}
	var p pair
	if p.old, err = a.open(f.against); err != nil {
		return nil, err
	}
	defer p.old.Close()
	if p.new, err = a.open(path); err != nil {
		return nil, err
	}
	defer p.new.Close()
	if err := errors.Join(located(passes.Runnable(p.old), f.against), located(passes.Runnable(p.new), path)); err != nil {
		return nil, err
	}
	r := &passes.Result{Schema: passes.Schema, Tool: toolName(), Target: t.Name, Input: passes.Describe(p.old, f.against)}
	r.Before.FileBytes, r.After.FileBytes = sizeOf(f.against, p.old), sizeOf(path, p.new)
	r.Contract = passes.InterfaceChanges(p.old, p.new)
	r.Outputs = []passes.FileInfo{{Path: path, Bytes: r.After.FileBytes}}
	set, labels, err := a.verifySamples(ctx, f, p.old)
	if err != nil {
		return r, err
	}
	job := passes.Job{Model: p.old, HeldOut: set, Labels: labels, Gates: gates, Threads: f.threads}
	if err := a.attachRunners(ctx, t, f.runtime, &job); err != nil {
		return r, err
	}
	if job.Runner == nil {
		return r, job.NoRunner
	}
	bar := a.progress()
	job.Progress = bar.update
	defer bar.clear()
	return r, passes.Prove(ctx, job, p.new, r)
}

// verifySamples reads all samples for the old model's inputs.
func (a *app) verifySamples(ctx context.Context, f *verifyFlags, old *onnx.Model) (*calib.Set, map[string]int, error) {
	g, _, err := passes.Load(old)
	if err != nil {
		return nil, nil, err
	}
	if len(f.data.paths) == 0 {
		return nil, nil, diag.New("OP6002", "verify needs samples").Hinted("give real inputs with -d, or -d random to try things out")
	}
	set, err := f.data.load(ctx, g, f.data.paths)
	if err != nil {
		return nil, nil, err
	}
	labels, err := readLabels(f.data.labels)
	if err == nil && labels != nil && !anyLabel(set, labels) {
		err = diag.New("OP6070", "no sample has a label", "labels", f.data.labels, "first sample", set.Name(0)).
			Hinted("the first column of the file must be the names of the sample files")
	}
	return set, labels, err
}

func anyLabel(set *calib.Set, labels map[string]int) bool {
	for i := range set.Len() {
		if _, ok := passes.Label(labels, set.Name(i)); ok {
			return true
		}
	}
	return false
}
