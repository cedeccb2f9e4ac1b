package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// runPasses is the default action.
func (a *app) runPasses(ctx context.Context, f *runFlags, args []string) error {
	p, err := a.parse(f)
	if err != nil {
		return err
	}
	models, err := inputs(args)
	if err != nil {
		return err
	}
	if f.output == "-" && a.global.json {
		return usageError("-o - and --json both want standard output").Hinted("write the document to a file: --report json:FILE")
	}
	if err := f.separate(models, strings.ReplaceAll(passes.Names(p.steps), ", ", "-")); err != nil {
		return err
	}
	var errs []error
	docs := []*document{}
	for _, in := range models {
		r, err := a.one(ctx, f, p, in, len(models) > 1)
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		err = located(err, in.path)
		docs = append(docs, newDocument("run", r, err))
		errs = append(errs, err)
	}
	err = errors.Join(errs...)
	return errors.Join(err, a.publish(f.reports, docs))
}

// plan is what the command line asks for, checked.
type plan struct {
	steps  []passes.Step
	target *target.Profile
	gates  passes.Gates
	shapes map[string][]int64
	sizes  map[string]int64
}

// parse checks all flags before any file is touched.
func (a *app) parse(f *runFlags) (*plan, error) {
	if len(f.passes) == 0 {
		return nil, usageError("no passes given").Hinted("for instance -p quant; -p none only rewrites the file; see onnxpass passes")
	}
	p := &plan{}
	lists := f.passes
	if len(lists) == 1 && strings.TrimSpace(lists[0]) == "none" {
		lists = nil
	}
	steps, err := passes.Parse(a.set.Passes, lists...)
	if err != nil {
		return nil, err
	}
	if p.target, err = f.profile(steps); err != nil {
		return nil, err
	}
	order := f.arrange()
	order.Target = p.target
	arranged, err := a.set.Arrange(steps, order)
	if err != nil {
		return nil, err
	}
	set, err := f.settings(arranged.Steps)
	if err != nil {
		return nil, err
	}
	if p.steps, err = a.assign(steps, arranged.Steps, set); err != nil {
		return nil, err
	}
	if p.gates, err = f.gates.parse(); err != nil {
		return nil, err
	}
	if p.shapes, p.sizes, err = f.data.parseShapes(); err != nil {
		return nil, err
	}
	if _, err = f.data.preprocessing(); err != nil {
		return nil, err
	}
	_, err = passes.NewSelector(f.sel)
	if err == nil {
		err = f.places()
	}
	return p, err
}

// places checks what can be known of numbers and files before any work is done.
func (f *runFlags) places() error {
	if f.threads < 0 {
		return diag.New("OP2010", "bad value for --threads", "found", fmt.Sprint(f.threads), "wanted", "0 for all cores, or a number of threads")
	}
	reports, err := parseReports(f.reports)
	if err != nil {
		return err
	}
	for _, r := range reports {
		if err := folderOf("report", r.path); err != nil {
			return err
		}
	}
	return nil
}

// folderOf refuses a file whose folder is not there.
func folderOf(what, path string) error {
	dir := filepath.Dir(path)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return diag.New("OP2017", "the folder of the "+what+" does not exist", "file", path, "folder", dir).Hinted("make it first, or write somewhere else")
	}
	return nil
}

func (f *runFlags) arrange() passes.PipelineOptions {
	return passes.PipelineOptions{KeepOrder: f.keepOrder, NoPrep: f.noPrep}
}

// settings are those of --set, behind what --io-dtype and --strict say to every step that has such an option.
func (f *runFlags) settings(steps []passes.Step) ([]string, error) {
	var out []string
	for _, short := range []struct{ flag, value string }{{"io-dtype", f.ioDtype}, {"strict", map[bool]string{true: "true"}[f.strict]}} {
		if short.value == "" {
			continue
		}
		count := len(out)
		for _, s := range steps {
			if slices.ContainsFunc(s.Pass.Options(), func(o passes.Option) bool { return o.Name == short.flag }) {
				out = append(out, s.Pass.Name+"."+short.flag+"="+short.value)
			}
		}
		if len(out) == count {
			return nil, diag.New("OP2009", "--"+short.flag+": none of the passes has this option", "passes", passes.Names(steps)).Hinted("it belongs to fp16 and bf16")
		}
	}
	return append(out, f.set...), nil
}

// assign applies --set. A setting of a pass that was pulled in makes it one that was asked for.
func (a *app) assign(asked, all []passes.Step, set []string) ([]passes.Step, error) {
	if len(set) == 0 {
		return asked, nil
	}
	changed, err := passes.Assign(a.set.Passes, all, set...)
	if err != nil {
		return nil, err
	}
	var out []passes.Step
	for i, s := range changed {
		if s.String() != all[i].String() || named1(asked, s.Pass.Name) {
			out = append(out, s)
		}
	}
	return out, nil
}

func named1(steps []passes.Step, name string) bool {
	for _, s := range steps {
		if s.Pass.Name == name {
			return true
		}
	}
	return false
}

// profile is the target that the user named. Without a name, passes that
// choose types write for portable; cleanup and opset raising have no target
// whose rules the file could break.
func (f *runFlags) profile(steps []passes.Step) (*target.Profile, error) {
	if f.target != "" {
		return findTarget(f.target)
	}
	for _, s := range steps {
		if s.Pass.Phase >= passes.Precision {
			return target.Lookup("portable"), nil
		}
	}
	return nil, nil
}

func findTarget(name string) (*target.Profile, error) {
	if p := target.Lookup(name); p != nil {
		return p, nil
	}
	e := diag.New("OP2012", fmt.Sprintf("unknown target %q", name), "targets", strings.Join(target.Names(), ", "))
	if near := diag.DidYouMean(name, target.Names()); near != "" {
		e.Hinted("%s", near)
	}
	return nil, e
}

// one runs the passes on one model.
func (a *app) one(ctx context.Context, f *runFlags, p *plan, in input, many bool) (*passes.Result, error) {
	out, err := f.place(in, many, strings.ReplaceAll(passes.Names(p.steps), ", ", "-"))
	if err != nil {
		return nil, err
	}
	if !f.dryRun {
		if err := f.mayWrite(in.path, out, a.out); err != nil {
			return nil, err
		}
	}
	m, err := a.open(in.path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	job, err := a.job(ctx, f, p, m, in)
	if err != nil {
		return nil, err
	}
	final := out
	if !f.dryRun {
		var made []string
		if final, made, err = a.prepareOutput(&job, out); err != nil {
			removeEmpty(made)
			return nil, err
		}
		defer removeEmpty(made)
		defer scratch.remove(job.Save.TempDir)
	}
	bar := a.progress()
	job.Progress = bar.update
	done, err := passes.Run(ctx, job)
	bar.clear()
	if err == nil && out == "-" && !f.dryRun {
		done.Result.Outputs[0].Path = "-"
		err = a.toStdout(final)
	}
	if done != nil && ctx.Err() == nil {
		a.summary(done.Result, err, out == "-")
	}
	return done.Result, err
}

// prepareOutput makes the hidden folder in which the new file grows, and says where the job writes.
// made are the folders that did not exist before.
func (a *app) prepareOutput(job *passes.Job, out string) (file string, made []string, err error) {
	dir := filepath.Dir(out)
	if out == "-" {
		dir = os.TempDir()
		job.Save.External = onnx.ExternalNever
	}
	for d := dir; !exists(d); d = filepath.Dir(d) {
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", made, err
	}
	tmp, err := scratch.make(dir)
	if err != nil {
		return "", made, err
	}
	job.Save.TempDir, job.Output = tmp, out
	if out == "-" {
		job.Output = filepath.Join(tmp, "model.onnx")
	}
	return job.Output, made, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil || !errors.Is(err, os.ErrNotExist)
}

// removeEmpty removes folders, inner first, as long as they are empty.
func removeEmpty(dirs []string) {
	for _, d := range dirs {
		if os.Remove(d) != nil {
			return
		}
	}
}

var externalModes = map[string]onnx.ExternalMode{"auto": onnx.ExternalAuto, "always": onnx.ExternalAlways, "never": onnx.ExternalNever}

// job fills in everything but the output.
func (a *app) job(ctx context.Context, f *runFlags, p *plan, m *onnx.Model, in input) (passes.Job, error) {
	job := passes.Job{
		Model: m, Tool: toolName(), Set: a.set, Steps: p.steps, Arrange: f.arrange(), Target: p.target, Select: f.sel,
		Threads: f.threads, Shapes: p.shapes, Sizes: p.sizes, Gates: p.gates, NoVerify: f.noVerify, Werror: f.werror,
		Save: onnx.SaveOptions{External: externalModes[f.external]}, Keep: f.keepReject, DryRun: f.dryRun, Log: a.log,
	}
	if in.path != "-" {
		job.Path = in.path
	}
	if !f.noCache {
		job.CacheDir = cacheDir(f.cacheDir)
	}
	if err := a.attachRunners(ctx, job.Target, f.runtime, &job); err != nil {
		return job, err
	}
	return job, a.attachData(ctx, f, &job)
}

func toolName() string { return "onnxpass " + version }

// cacheDir is where calibration statistics are kept; empty when there is no such place.
func cacheDir(flag string) string {
	if flag != "" {
		return flag
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "onnxpass", "statistics")
}
