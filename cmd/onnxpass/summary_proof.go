package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/onnxpass/onnxpass/passes"
)

// mostPlanned is how many decisions a dry run prints of one pass.
const mostPlanned = 40

func (s *sheet) plan(r *passes.Result, verbose bool) {
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
		if verbose {
			s.pools(p.Pools, p.Held)
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

// shownWorst is how many layers or tensors the summary names.
const shownWorst = 3

// worst names what lost most: layers by the noise that they add, where it was
// measured, or else tensors by that of their 8-bit codes.
func (s *sheet) worst(r *passes.Result) {
	layers := passes.Noisiest(r.Passes, shownWorst)
	label := "worst"
	for _, l := range layers {
		chain := ""
		if l.SQNR != nil {
			chain = fmt.Sprintf("   with the noise before it %s", dB(*l.SQNR))
		}
		s.line(label, "%9s  %s%s", dB(*l.OwnSQNR), l.Name, chain)
		label = ""
	}
	if len(layers) > 0 {
		s.line("", "to leave the first in float: %s", passes.ExcludeFlags([]string{layers[0].Name})[0])
		return
	}
	s.coarse(r)
}

// coarse names the tensors whose codes lose most.
func (s *sheet) coarse(r *passes.Result) {
	var tensors []passes.Range
	for _, p := range r.Passes {
		for _, g := range p.Ranges {
			if g.SQNR != nil {
				tensors = append(tensors, g)
			}
		}
	}
	sort.SliceStable(tensors, func(i, j int) bool { return *tensors[i].SQNR < *tensors[j].SQNR })
	label := "coarse"
	for _, t := range tensors[:min(shownWorst, len(tensors))] {
		s.line(label, "%9s  %s   tensor, its 8-bit codes alone", dB(*t.SQNR), t.Tensor)
		label = ""
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
	if v.Samples == 1 {
		kind = "sample"
	}
	if v.Random {
		kind = "RANDOM " + kind
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
		if n.Err != nil {
			text += ": " + n.Err.Error()
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
