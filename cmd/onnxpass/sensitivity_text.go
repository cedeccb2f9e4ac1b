package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/quant"
)

// shownLayers is how many layers the table has.
const shownLayers = 20

// printRanking shows the layers, best left in float first, and the line that excludes the first of them.
func (a *app) printRanking(r *passes.Result, k *quant.Ranking, all bool) {
	s := &sheet{w: a.out}
	s.header(r)
	agree := ""
	if k.Agree != nil {
		agree = fmt.Sprintf(", same argmax %.1f %%", *k.Agree)
	}
	s.line("int8", "all layers: SQNR %.1f dB%s", k.SQNR, agree)
	s.line("cost", "%.1f runs of the model for each of %s, %.1f s", k.Runs, count(k.Samples, "sample", "samples"), k.Seconds)
	fmt.Fprintf(a.out, "\n%9s %7s %7s %9s  %-10s %-9s %s\n", "alone", "share", "MACs", "forecast", "suggestion", "op", "layer")
	for i, l := range k.Layers {
		if i == shownLayers && !all {
			fmt.Fprintf(a.out, "and %d more (--all, --json)\n", len(k.Layers)-i)
			break
		}
		rankedLine(a.out, l, i < len(k.Exclude))
	}
	for _, l := range k.Unmeasured {
		fmt.Fprintf(a.out, "%-51s %-9s %s\n", "not measured: "+oneLine(l.Problem), oneLine(l.Op), oneLine(l.Name))
	}
	fmt.Fprintln(a.out)
	s.exclusion(k)
	s.warnings(r)
}

func rankedLine(w io.Writer, l quant.Ranked, float bool) {
	macs, suggestion := "?", "int8"
	if l.MACs != nil {
		macs = fmt.Sprintf("%.1f %%", l.MACsPct)
	}
	if float {
		suggestion = "float"
	}
	fmt.Fprintf(w, "%9s %7s %7s %9s  %-10s %-9s %s\n", dB(l.SQNR), fmt.Sprintf("%.1f %%", l.SharePct), macs, dB(l.Forecast), suggestion, oneLine(l.Op), oneLine(l.Name))
}

func dB(x float64) string {
	if x >= 200 {
		return "no error"
	}
	return fmt.Sprintf("%.1f dB", x)
}

// exclusion is the line to add to a command that quantizes.
func (s *sheet) exclusion(k *quant.Ranking) {
	if len(k.Layers) == 0 {
		s.line("goal", "nothing to rank: no layer of the main graph was quantized and measured (bodies of If and Loop run as a whole)")
		return
	}
	if len(k.Exclude) == 0 {
		s.line("goal", "%.1f dB is reached with every layer in int8", k.Goal)
		return
	}
	var macs float64
	for _, l := range k.Layers[:len(k.Exclude)] {
		macs += l.MACsPct
	}
	forecast := k.Layers[len(k.Exclude)-1].Forecast
	s.line("goal", "%.1f dB: %s in float, %.1f %% of the MACs, forecast %s", k.Goal, count(len(k.Exclude), "layer", "layers"), macs, dB(forecast))
	s.line("", "%s", strings.Join(passes.ExcludeFlags(k.Exclude), " "))
}
