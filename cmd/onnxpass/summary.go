package main

import (
	"cmp"
	"fmt"
	"io"
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
		s.plan(r, a.global.verbose)
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
	fmt.Fprintf(s.w, "%s · target %s\n", r.Tool, cmp.Or(r.Target, "none"))
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
