package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/passes"
)

// summary prints what was done and measured, in a fixed layout of 80 columns.
func (a *app) summary(r *passes.Result, err error, toStderr bool) {
	failedEarly := err != nil && r.After.Nodes == 0
	if a.global.quiet || failedEarly || a.global.json && !toStderr {
		return
	}
	w := a.out
	if toStderr {
		w = a.err
	}
	s := &sheet{w: w}
	s.header(r)
	if !r.DryRun && len(r.Passes) > 0 && r.After.Nodes > 0 {
		s.table(r)
	}
	if r.DryRun {
		s.plan(r)
	}
	s.proof(r)
	s.warnings(r)
	s.skips(r, a.global.verbose)
	if err == nil && !r.DryRun {
		s.written(r)
	}
}

// sheet prints labelled lines.
type sheet struct{ w io.Writer }

// line prints a label in the first column, then text cut to 80 columns where it is a list.
func (s *sheet) line(label, format string, args ...any) {
	fmt.Fprintf(s.w, "%-7s %s\n", label, printable(fmt.Sprintf(format, args...)))
}

func (s *sheet) header(r *passes.Result) {
	fmt.Fprintf(s.w, "%s · target %s\n", r.Tool, r.Target)
	sum := ""
	if r.Input.SHA256 != "" {
		sum = "  sha256 " + r.Input.SHA256[:12]
	}
	path := r.Input.Path
	if path == "" {
		path = "standard input"
	}
	s.line("input", "%s  %s  opset %d  %s%s", path, passes.Bytes(r.Input.Bytes), r.Input.Opset, count(r.Before.Nodes, "node", "nodes"), sum)
	s.line("", "in  %s", clip(r.Input.Inputs, 68))
	s.line("", "out %s", clip(r.Input.Outputs, 68))
	s.line("plan", "%s", wrap(r.Order, ", ", 71))
	if asked := r.Asked; asked != strings.Join(r.Order, ",") && asked != "" {
		s.line("", "(you asked %s)", asked)
	}
	if d := r.Data; d != nil {
		random := ""
		if d.Random {
			random = "  RANDOM NUMBERS"
		}
		s.line("data", "%d samples + %d held out%s", d.Calibration, d.HeldOut, random)
		for _, n := range d.Notes {
			s.line("", "%s", n)
		}
		for _, in := range d.Inputs {
			s.input(in)
		}
	}
}

// input shows what an input gets, one line for each channel of a picture.
func (s *sheet) input(in calib.InputSummary) {
	s.line("", "%s %s, first %s:", in.Name, in.Type, count(in.Samples, "sample", "samples"))
	for i, c := range in.Channels {
		channel := ""
		if len(in.Channels) > 1 {
			channel = fmt.Sprintf("channel %d  ", i)
		}
		s.line("", "  %smin %.4g  mean %.4g  max %.4g", channel, c.Min, c.Mean, c.Max)
	}
}

// clip joins a list and cuts it with a count of what is left out.
func clip(list []string, width int) string {
	out := ""
	for i, x := range list {
		if i > 0 && len(out)+2+len(x) > width {
			return fmt.Sprintf("%s and %d more", out, len(list)-i)
		}
		if i > 0 {
			out += ", "
		}
		out += x
	}
	return out
}

// wrap joins a list over several lines, indented under the first.
func wrap(list []string, sep string, width int) string {
	if len(list) == 0 {
		return "none"
	}
	var b strings.Builder
	n := 0
	for i, x := range list {
		if i > 0 {
			b.WriteString(strings.TrimRight(sep, " "))
			if n+len(x)+len(sep) > width {
				b.WriteString("\n" + strings.Repeat(" ", 8))
				n = 0
			} else {
				b.WriteString(" ")
			}
		}
		b.WriteString(x)
		n += len(x) + len(sep)
	}
	return b.String()
}

func (s *sheet) row(name, before, after, change string) {
	fmt.Fprintf(s.w, "%-24s %14s %14s %13s\n", name, before, after, change)
}

func (s *sheet) table(r *passes.Result) {
	b, a := r.Before, r.After
	fmt.Fprintln(s.w)
	s.row("", "before", "after", "change")
	if a.FileBytes > 0 && b.FileBytes > 0 {
		s.row("file size", passes.Bytes(b.FileBytes), passes.Bytes(a.FileBytes), percent(float64(b.FileBytes), float64(a.FileBytes)))
	}
	s.row("parameters", passes.Count(b.Params), passes.Count(a.Params), percent(float64(b.Params), float64(a.Params)))
	s.row("weight bytes", passes.Bytes(b.ParamBytes), passes.Bytes(a.ParamBytes), percent(float64(b.ParamBytes), float64(a.ParamBytes)))
	s.row("MACs", macs(b), macs(a), macChange(b, a))
	if b.Int8Pct > 0 || a.Int8Pct > 0 {
		s.row("MACs in int8", fmt.Sprintf("%.1f %%", b.Int8Pct), fmt.Sprintf("%.1f %%", a.Int8Pct), "")
	}
	s.row("nodes", fmt.Sprint(b.Nodes), fmt.Sprint(a.Nodes), fmt.Sprintf("%+d", a.Nodes-b.Nodes))
	if a.Quantize+a.Dequantize > 0 {
		s.row("Q / DQ nodes", fmt.Sprintf("%d / %d", b.Quantize, b.Dequantize), fmt.Sprintf("%d / %d", a.Quantize, a.Dequantize), "")
	}
	if len(r.Contract) == 0 {
		s.row("inputs and outputs", "", "unchanged", "")
	}
	for _, c := range r.Contract {
		s.line("changed", "%s", c)
	}
	fmt.Fprintf(s.w, "%s\n\n", oneLine("MACs are for "+a.Shapes))
}

func macs(b passes.Bill) string {
	switch {
	case b.MACs == nil:
		return "?"
	case b.Uncounted > 0:
		return fmt.Sprintf("%s + %d ?", passes.Count(*b.MACs), b.Uncounted)
	}
	return passes.Count(*b.MACs)
}

func macChange(b, a passes.Bill) string {
	if b.MACs == nil || a.MACs == nil || b.Uncounted > 0 || a.Uncounted > 0 {
		return "?"
	}
	return percent(float64(*b.MACs), float64(*a.MACs))
}

func percent(before, after float64) string {
	if before == 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", 100*(after-before)/before)
}

// mostPlanned is how many decisions a dry run prints of one pass.
const mostPlanned = 40

func (s *sheet) plan(r *passes.Result) {
	for _, p := range r.Passes {
		state := "done in memory"
		if p.Planned {
			state = "planned"
		}
		fmt.Fprintf(s.w, "\n%s  (%s)  %s removed, %s added\n", p.Spec, state, count(p.NodesRemoved, "node", "nodes"), count(p.NodesAdded, "node", "nodes"))
		for i, e := range p.Plan {
			if i == mostPlanned {
				fmt.Fprintf(s.w, "  and %d more (--json has all)\n", len(p.Plan)-i)
				break
			}
			fmt.Fprintf(s.w, "  %-28s %-14s %s  %s\n", oneLine(e.Node), oneLine(e.Op), e.Action, oneLine(e.Detail))
		}
	}
	fmt.Fprintln(s.w, "\ndry run: nothing was written")
}

func (s *sheet) proof(r *passes.Result) {
	if v := r.Verify; v != nil {
		s.verification(v)
	}
	for _, p := range r.Passes {
		for _, f := range p.Facts {
			s.line(p.Pass, "%s: %s", f.Name, f.Value)
		}
	}
	s.worst(r)
	for _, g := range r.Gates {
		verdict := "pass"
		if !g.Pass {
			verdict = "FAIL"
		}
		s.line("gate", "%s  %s  limit %s", verdict, g.Gate, g.Limit)
		s.line("", "      found %s", g.Found)
	}
}

// worst names what lost most: layers by the SQNR of
// their output where it was measured, or else tensors by that of their 8-bit codes.
func (s *sheet) worst(r *passes.Result) {
	type entry struct {
		name string
		db   float64
	}
	var layers, tensors []entry
	for _, p := range r.Passes {
		for _, l := range p.Layers {
			if l.SQNR != nil {
				layers = append(layers, entry{l.Name, *l.SQNR})
			}
		}
		for _, g := range p.Ranges {
			if g.SQNR != nil {
				tensors = append(tensors, entry{g.Tensor, *g.SQNR})
			}
		}
	}
	list := layers
	if len(list) == 0 {
		list = tensors
	}
	if len(list) == 0 {
		return
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].db < list[j].db })
	label := "worst"
	for _, e := range list[:min(3, len(list))] {
		s.line(label, "%5.1f dB  %s", e.db, e.name)
		label = ""
	}
	if len(layers) > 0 && layers[0].name != "" {
		s.line("", "to keep the first as it is: --exclude '%s'", layers[0].name)
	}
}

func (s *sheet) verification(v *passes.Verification) {
	sqnr := fmt.Sprintf("%.1f dB", v.SQNR)
	if v.SQNR >= 200 {
		sqnr = "no error"
	}
	agree := ""
	if v.Agree != nil {
		agree = fmt.Sprintf("   same argmax %.1f %%", *v.Agree)
	}
	kind := "samples"
	if v.Random {
		kind = "RANDOM samples"
	}
	s.line("verify", "%d %s   SQNR %s   cosine %.4f%s", v.Samples, kind, sqnr, v.Cosine, agree)
	s.line("", "largest difference %.3g   %s", v.MaxAbs, v.Runtime)
	if len(v.Outputs) > 1 {
		s.line("", "worst output %s   %.1f dB", v.Output, v.Worst)
	}
	if a := v.Accuracy; a != nil {
		s.line("", "accuracy %.2f %% -> %.2f %%   %d labelled samples", a.Before, a.After, a.Samples)
	}
	if p := v.Peer; p != nil && p.Failure == "" {
		s.line("", "%s: SQNR %.1f dB on %d samples, %.1f dB from %s", p.Runtime, p.SQNR, p.Samples, p.Between, v.Runtime)
	}
}

func (s *sheet) warnings(r *passes.Result) {
	for _, n := range r.Notes {
		text := n.What
		for _, f := range n.Fields {
			text += "; " + f.Label + " " + f.Text
		}
		if n.Hint != "" {
			text += " (" + n.Hint + ")"
		}
		s.line("warn", "%s %s", n.Code, text)
	}
	byRule := map[string]int{}
	for _, f := range r.Findings {
		byRule[f.Code]++
		if byRule[f.Code] == 1 {
			s.line("lint", "%s %s", f.Code, f.String())
		}
	}
	for _, f := range r.Findings {
		if n := byRule[f.Code]; n > 1 {
			s.line("", "%s occurs %d times", f.Code, n)
			byRule[f.Code] = 0
		}
	}
}

func (s *sheet) skips(r *passes.Result, verbose bool) {
	for _, p := range r.Passes {
		for _, k := range p.Skips {
			s.line("left", "%s  %s: %s", p.Pass, count(k.Count, "node", "nodes"), k.Reason)
			if verbose {
				for _, n := range k.Nodes {
					s.line("", "    %s", n)
				}
			}
		}
	}
}

func (s *sheet) written(r *passes.Result) {
	var names []string
	for _, o := range r.Outputs {
		names = append(names, o.Path)
	}
	peak := ""
	if m := peakMemory(); m > 0 {
		peak = ", peak " + passes.Bytes(m)
	}
	s.line("wrote", "%s   %.1f s%s", strings.Join(names, "  "), r.Seconds, peak)
	if len(r.Outputs) > 0 && r.Outputs[0].Path != "-" {
		if next := nextStep(r.Target, r.Outputs[0].Path); next != "" {
			s.line("next", "%s", next)
		}
	}
}

// nextStep is the command that takes the file to its runtime.
func nextStep(target, path string) string {
	quoted := path
	if strings.ContainsAny(path, " \t'\"$&;()*?") {
		quoted = "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	switch target {
	case "tensorrt":
		return "trtexec --onnx=" + quoted + " --saveEngine=" + strings.TrimSuffix(quoted, ".onnx") + ".plan   (TensorRT 10: add --int8 --fp16)"
	case "openvino":
		return "benchmark_app -m " + quoted + " -d CPU -hint latency"
	case "ort":
		return "onnxruntime_perf_test -e cpu -r 100 " + quoted + " result.txt"
	}
	return ""
}

// interactive says whether progress may be drawn over itself on w.
func interactive(w any) bool { return isTerminal(w) && os.Getenv("CI") == "" }
