package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/passes"
)

// markdown writes the report as a section with tables: the change, the samples,
// the proof, the gates, what each pass did, layers, findings.
func markdown(b *bytes.Buffer, d *document) {
	r := d.Result
	verdict := "passed"
	if d.ExitCode != 0 {
		verdict = fmt.Sprintf("failed (exit %d)", d.ExitCode)
	}
	fmt.Fprintf(b, "### onnxpass %s: %s %s\n\n", d.Command, cell(r.Input.Path), verdict)
	for _, e := range d.Errors {
		fmt.Fprintf(b, "- **%s** %s\n", e.Code, cell(e.Error()))
	}
	if len(d.Errors) > 0 {
		fmt.Fprintln(b)
	}
	if r.After.Nodes > 0 {
		fmt.Fprint(b, "| | before | after | change |\n|---|--:|--:|--:|\n")
		for _, row := range comparisonRows(r.Before, r.After) {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", row[0], row[1], row[2], row[3])
		}
		fmt.Fprintln(b)
	}
	markdownHeader(b, r)
	markdownProof(b, r)
	for _, p := range r.Passes {
		markdownStep(b, p)
	}
	markdownFindings(b, r)
}

// markdownHeader says what ran on what.
func markdownHeader(b *bytes.Buffer, r *passes.Result) {
	if len(r.Order) > 0 {
		fmt.Fprintf(b, "Target %s, steps %s.", cell(r.Target), cell(strings.Join(r.Order, ", ")))
		if r.Data != nil {
			random := ""
			if r.Data.Random {
				random = " of **random numbers**"
			}
			fmt.Fprintf(b, " %d samples and %d held out%s.", r.Data.Calibration, r.Data.HeldOut, random)
		}
		fmt.Fprint(b, "\n\n")
	}
	for _, c := range r.Contract {
		fmt.Fprintf(b, "- interface changed: %s\n", cell(c))
	}
	if len(r.Contract) > 0 {
		fmt.Fprintln(b)
	}
}

// markdownProof holds the comparison with the original and the gates.
func markdownProof(b *bytes.Buffer, r *passes.Result) {
	if v := r.Verify; v != nil {
		fmt.Fprintf(b, "%d samples in %s: SQNR %.1f dB, cosine %.4f, largest difference %.3g", v.Samples, cell(v.Runtime), v.SQNR, v.Cosine, v.MaxAbs)
		if v.Agree != nil {
			fmt.Fprintf(b, ", same argmax %.1f %%", *v.Agree)
		}
		if v.Accuracy != nil {
			fmt.Fprintf(b, ", accuracy %.2f %% -> %.2f %%", v.Accuracy.Before, v.Accuracy.After)
		}
		if v.Peer != nil && v.Peer.Failure == "" {
			fmt.Fprintf(b, "; %s: SQNR %.1f dB", cell(v.Peer.Runtime), v.Peer.SQNR)
		}
		fmt.Fprint(b, ".\n\n")
		markdownOutputs(b, v)
	}
	if len(r.Gates) > 0 {
		fmt.Fprint(b, "| gate | limit | found | |\n|---|--:|--:|---|\n")
		for _, g := range r.Gates {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", cell(g.Gate), cell(g.Limit), cell(g.Found), map[bool]string{true: "pass", false: "**fail**"}[g.Pass])
		}
		fmt.Fprintln(b)
	}
}

// markdownOutputs lists several outputs.
func markdownOutputs(b *bytes.Buffer, v *passes.Verification) {
	if len(v.Outputs) < 2 {
		return
	}
	fmt.Fprint(b, "| output | SQNR | cosine | largest difference | same argmax |\n|---|--:|--:|--:|--:|\n")
	for _, o := range v.Outputs {
		agree := ""
		if o.Agree != nil {
			agree = fmt.Sprintf("%.1f %%", *o.Agree)
		}
		fmt.Fprintf(b, "| %s | %s | %.4f | %.3g | %s |\n", cell(o.Name), dB(o.SQNR), o.Cosine, o.MaxAbs, agree)
	}
	fmt.Fprintln(b)
}

// The most rows of tables in a step's part of the report; the JSON report has all.
const (
	markdownLayers  = 10
	markdownReasons = 10
)

// markdownStep holds facts, the layers that lose most, and what was left alone.
func markdownStep(b *bytes.Buffer, p *passes.StepReport) {
	for _, f := range p.Facts {
		fmt.Fprintf(b, "- %s, %s: %s\n", cell(p.Pass), cell(f.Name), cell(f.Value))
	}
	if len(p.Facts) > 0 {
		fmt.Fprintln(b)
	}
	if layers := passes.Noisiest([]*passes.StepReport{p}, markdownLayers); len(layers) > 0 {
		fmt.Fprint(b, "| noisiest layers | op | type | MACs | own SQNR | in the model | weights |\n|---|---|---|--:|--:|--:|--:|\n")
		for _, l := range layers {
			macs := ""
			if l.MACs != nil {
				macs = passes.Count(*l.MACs)
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n", cell(l.Name), cell(l.Op), cell(l.Dtype), macs, optionalDB(l.OwnSQNR), optionalDB(l.SQNR), optionalDB(l.WeightSQNR))
		}
		fmt.Fprintln(b)
	}
	if len(p.Layers) == 0 || len(p.Skips) == 0 {
		return
	}
	fmt.Fprint(b, "| left alone | nodes |\n|---|--:|\n")
	for i, s := range p.Skips {
		if i == markdownReasons {
			fmt.Fprintf(b, "| %d more reasons | |\n", len(p.Skips)-i)
			break
		}
		fmt.Fprintf(b, "| %s | %d |\n", cell(s.Reason), s.Count)
	}
	fmt.Fprintln(b)
}

func optionalDB(x *float64) string {
	if x == nil {
		return ""
	}
	return dB(*x)
}

func markdownFindings(b *bytes.Buffer, r *passes.Result) {
	if len(r.Findings) == 0 && len(r.Notes) == 0 {
		return
	}
	fmt.Fprint(b, "| finding | where | what |\n|---|---|---|\n")
	for _, f := range r.Findings {
		fmt.Fprintf(b, "| %s %s | %s | %s |\n", f.Severity, f.Code, cell(f.Node+f.Value), cell(f.Message))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "| warning %s | | %s |\n", n.Code, cell(n.Error()))
	}
	fmt.Fprintln(b)
}
