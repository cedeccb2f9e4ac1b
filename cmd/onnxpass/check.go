package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// checkFlags are the flags of check.
type checkFlags struct {
	targets  []string
	failOn   string
	baseline string
	gates    gateFlags
	data     dataFlags
	reports  []string
}

func (a *app) checkCommand() *cobra.Command {
	f := &checkFlags{}
	c := &cobra.Command{
		Use: "check MODEL...", Short: "lint: structure, target rules, budgets; needs no samples", Args: cobra.ArbitraryArgs,
		Long: "Check that models are valid, fit for a target and within budget. No samples and\n" +
			"no runtime are needed. Exit 3: a model is unreadable or invalid, 4: a budget is\n" +
			"exceeded, 5: target rules are broken.",
		Example: "  onnxpass check model.onnx --target tensorrt --max-size 25MiB\n  onnxpass check models/ --target openvino --fail-on warning --report junit:check.xml",
		RunE:    func(_ *cobra.Command, args []string) error { return a.check(f, args) },
	}
	fs := c.Flags()
	fs.StringArrayVar(&f.targets, "target", nil, "check the rules of `NAME` too; repeatable (see: onnxpass targets)")
	fs.Var(newEnum(&f.failOn, "error", "error", "warning"), "fail-on", "least level of a finding that fails the check")
	fs.StringVar(&f.baseline, "baseline", "", "JSON `FILE` of an earlier check: only new findings count")
	fs.Var(&sizeFlag{&f.gates.maxSize}, "max-size", "largest file, such as 25MiB")
	fs.Var(&countFlag{&f.gates.maxMACs}, "max-macs", "most multiply-accumulates, such as 300M")
	fs.StringArrayVar(&f.data.shapes, "shape", nil, "count MACs for the shape `IN=1x3x224x224`; repeatable")
	fs.StringArrayVar(&f.data.dims, "dim", nil, "the same for a symbolic dimension, as `NAME=SIZE`; repeatable")
	fs.StringArrayVar(&f.reports, "report", nil, "write a report to `[KIND:]FILE`; kinds json, md (appends), junit; repeatable")
	return c
}

// check looks at every model and reports on all before it fails.
func (a *app) check(f *checkFlags, args []string) error {
	var targets []*target.Profile
	for _, n := range f.targets {
		p, err := findTarget(n)
		if err != nil {
			return err
		}
		targets = append(targets, p)
	}
	if _, err := parseReports(f.reports); err != nil {
		return err
	}
	known, err := readBaseline(f.baseline)
	if err != nil {
		return err
	}
	models, err := inputs(args)
	if err != nil {
		return err
	}
	var docs []*document
	for _, in := range models {
		r, err := a.checkOne(f, targets, known, in)
		d := newDocument("check", r, located(err, in.path))
		d.Input.Path = in.path
		if d.ExitCode == 0 {
			d.ExitCode = f.verdict(d.Result)
		}
		docs = append(docs, d)
		a.printCheck(d)
		if a.code == 0 {
			a.code = d.ExitCode
		}
	}
	return a.publish(f.reports, docs)
}

// checkOne reads and checks one model.
func (a *app) checkOne(f *checkFlags, targets []*target.Profile, known map[string]bool, in input) (*passes.Result, error) {
	m, err := a.open(in.path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	r := &passes.Result{Schema: passes.Schema, Tool: toolName(), Target: strings.Join(f.targets, ","), Input: passes.Describe(m, in.path)}
	r.Input.Bytes = sizeOf(in.path, m)
	g, notes, err := passes.Load(m)
	if err != nil {
		return r, err
	}
	r.Notes = append(r.Notes, notes...)
	for _, p := range targets {
		for _, x := range p.Lint(g) {
			if !known[fingerprint(in.path, x)] {
				r.Findings = append(r.Findings, x)
			}
		}
	}
	gates, err := f.gates.parse()
	if err != nil {
		return r, err
	}
	shapes, sizes, err := f.data.parseShapes()
	if err != nil {
		return r, err
	}
	if err := checkNames(g, shapes, sizes); err != nil {
		return r, err
	}
	r.Before = passes.Bill{Nodes: g.Main.NumNodes()}
	if gates.MaxMACs != nil {
		r.Before = passes.Measure(g, shapes, sizes)
	}
	r.Before.FileBytes = r.Input.Bytes
	r.Gates, err = gates.JudgeBudget(r.Before)
	return r, err
}

// sizeOf is the size of a model file with its external data.
func sizeOf(path string, m *onnx.Model) int64 {
	var sum int64
	for _, p := range append([]string{path}, m.DataFiles()...) {
		if st, err := os.Stat(p); err == nil {
			sum += st.Size()
		}
	}
	return sum
}

// verdict is 5 when a finding is at or above the level that fails.
func (f *checkFlags) verdict(r *passes.Result) int {
	for _, x := range r.Findings {
		if x.Severity.Failing() || f.failOn == "warning" && x.Severity != target.Advice {
			return 5
		}
	}
	return 0
}

// level is how a finding is called in messages.
func level(s target.Severity) string {
	switch {
	case s.Failing():
		return "error"
	case s == target.Slow:
		return "warning"
	}
	return "note"
}

// mostFindings is how many findings of one model are printed; the reports hold all.
const mostFindings = 30

// printCheck writes one line for each finding, as compilers do, and one for the model.
func (a *app) printCheck(d *document) {
	if a.global.json {
		return
	}
	for _, e := range d.Errors {
		printMessage(a.err, e.Level(), e, a.colored(a.err))
	}
	counts := map[string]int{"error": len(d.Errors)}
	for i, f := range d.Findings {
		l := level(f.Severity)
		counts[l]++
		if i >= mostFindings || a.global.quiet && l != "error" {
			continue
		}
		tag := l + "[" + f.Code + "]"
		if a.colored(a.out) {
			tag = paint(l, tag)
		}
		hint := ""
		if f.Hint != "" {
			hint = " (" + f.Hint + ")"
		}
		where := f.Node
		if where == "" {
			where = f.Value
		}
		fmt.Fprintf(a.out, "%s: %s %s: %s%s\n", d.Input.Path, tag, oneLine(where), oneLine(f.Message), oneLine(hint))
	}
	if n := len(d.Findings) - mostFindings; n > 0 {
		fmt.Fprintf(a.out, "%s: and %d more findings (--json has all)\n", d.Input.Path, n)
	}
	if a.global.quiet {
		return
	}
	word := "ok"
	if d.ExitCode != 0 {
		word = "FAILED"
	}
	fmt.Fprintf(a.out, "%s: %s  %s  opset %d  %s, %s\n", d.Input.Path, word, passes.Bytes(d.Input.Bytes), d.Input.Opset,
		count(counts["error"], "error", "errors"), count(counts["warning"], "warning", "warnings"))
}

// fingerprint identifies a finding across runs.
func fingerprint(path string, f target.Finding) string {
	return strings.Join([]string{path, f.Code, f.Node, f.Value}, "\x00")
}

// readBaseline reads the findings of an earlier check --json.
func readBaseline(path string) (map[string]bool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, diag.New("OP2010", "cannot read --baseline", "file", path).Wrap(err)
	}
	var b struct {
		Runs []document `json:"runs"`
		document
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, diag.New("OP2010", "--baseline is not a report of check --json", "file", path).Wrap(err)
	}
	known := map[string]bool{}
	for _, d := range append(b.Runs, b.document) {
		if d.Result == nil {
			continue
		}
		for _, f := range d.Findings {
			known[fingerprint(d.Input.Path, f)] = true
		}
	}
	if len(known) == 0 && !strings.Contains(string(text), passes.Schema) {
		return nil, errors.Join(diag.New("OP2010", "--baseline is not a report of check --json", "file", path))
	}
	return known, nil
}
