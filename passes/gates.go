package passes

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// ErrGate is the cause of every error that Run returns for a failed gate.
var ErrGate = errors.New("a gate failed")

// GateError carries the failed gates of a run. errors.Is(err, ErrGate) holds,
// and errors.As finds the *diag.Error of the first one.
type GateError struct{ Failed []*diag.Error }

// Error lists the failures on one line.
func (g *GateError) Error() string {
	parts := make([]string, len(g.Failed))
	for i, f := range g.Failed {
		parts[i] = f.Error()
	}
	return strings.Join(parts, "; ")
}

// Is says that every GateError is an ErrGate.
func (g *GateError) Is(target error) bool { return target == ErrGate }

// Unwrap returns the messages.
func (g *GateError) Unwrap() []error {
	out := make([]error, len(g.Failed))
	for i, f := range g.Failed {
		out[i] = f
	}
	return out
}

// Gates are limits that a new model must keep; nil limits nothing.
type Gates struct {
	MinSQNR     *float64           // dB, worst output
	MinCos      *float64           // worst output
	MaxAbs      map[string]float64 // by output name; "" is every output
	MinAgree    *float64           // percent of samples
	MinAccuracy *float64           // percent of samples, with labels
	MaxSize     *Size
	MaxMACs     *int64
}

// numeric says whether a gate needs the model to be run.
func (g Gates) numeric() bool {
	return g.MinSQNR != nil || g.MinCos != nil || g.MinAgree != nil || g.MinAccuracy != nil || len(g.MaxAbs) > 0
}

// judge collects verdicts.
type judge struct {
	results []GateResult
	failed  []*diag.Error
}

func (j *judge) gate(gate, code, what string, ok bool, limit, found string) {
	j.results = append(j.results, GateResult{Gate: gate, Limit: limit, Found: found, Pass: ok, Code: code})
	if !ok {
		j.failed = append(j.failed, diag.New(code, what, "gate", "--"+gate, "limit", limit, "found", found))
	}
}

// err is nil when nothing failed.
func (j *judge) err() error {
	if len(j.failed) == 0 {
		return nil
	}
	return &GateError{j.failed}
}

// Judge measures a comparison against the numeric gates. A nil comparison
// fails every gate that was set: a gate that cannot be judged is not passed.
func (g Gates) Judge(v *Verification) ([]GateResult, error) {
	j := &judge{}
	g.numbers(j, v)
	return j.results, j.err()
}

func (g Gates) numbers(j *judge, v *Verification) {
	if v == nil {
		if g.numeric() {
			j.gate(strings.Join(g.names(), ", --"), "OP4011", "a numeric gate cannot be judged", false, "samples and a runtime", "the model was not run")
			j.failed[len(j.failed)-1].Hinted("give samples with -d, and see onnxpass runtime status")
		}
		return
	}
	if g.MinSQNR != nil {
		j.gate("min-sqnr", "OP4001", "the signal-to-noise ratio is too low", v.Worst >= *g.MinSQNR, fmt.Sprintf("%g dB", *g.MinSQNR), decibel(v.Worst)+" at output "+v.Output)
	}
	if g.MinCos != nil {
		j.gate("min-cos", "OP4002", "the cosine of the outputs is too low", v.Cosine >= *g.MinCos, fmt.Sprint(*g.MinCos), fmt.Sprintf("%.6f", v.Cosine))
	}
	if g.MinAgree != nil {
		found := "no output has classes"
		if v.Agree != nil {
			found = fmt.Sprintf("%.2f %%", *v.Agree)
		}
		j.gate("min-agree", "OP4004", "too few predictions agree", v.Agree != nil && *v.Agree >= *g.MinAgree, fmt.Sprintf("%g %%", *g.MinAgree), found)
	}
	g.differences(j, v)
	g.accuracy(j, v)
	if v.Broken > 0 {
		j.gate("finite outputs", "OP4009", "the new model computes values that are not finite", false, "0", fmt.Sprintf("%d elements", v.Broken))
	}
}

func (g Gates) names() []string {
	var out []string
	for name, set := range map[string]bool{"min-sqnr": g.MinSQNR != nil, "min-cos": g.MinCos != nil, "min-agree": g.MinAgree != nil,
		"min-accuracy": g.MinAccuracy != nil, "max-abs": len(g.MaxAbs) > 0} {
		if set {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// checkOutputs refuses a limit for an output that the model does not have: it would never be compared.
func (g Gates) checkOutputs(names []string) error {
	for _, name := range slices.Sorted(maps.Keys(g.MaxAbs)) {
		if name != "" && !slices.Contains(names, name) {
			return diag.New("OP2007", "max-abs of "+name+": the model has no output of this name", "outputs", strings.Join(names, ", ")).
				Hinted("name one of the outputs, or give a limit without a name for all of them")
		}
	}
	return nil
}

func (g Gates) differences(j *judge, v *Verification) {
	for _, o := range v.Outputs {
		limit, ok := g.MaxAbs[o.Name]
		if !ok {
			if limit, ok = g.MaxAbs[""]; !ok {
				continue
			}
		}
		j.gate("max-abs "+o.Name, "OP4003", fmt.Sprintf("output %s differs too much", o.Name), o.MaxAbs <= limit, fmt.Sprint(limit), fmt.Sprintf("%.6g", o.MaxAbs))
	}
}

func (g Gates) accuracy(j *judge, v *Verification) {
	if g.MinAccuracy == nil {
		return
	}
	if v.Accuracy == nil {
		j.gate("min-accuracy", "OP4011", "the accuracy cannot be judged", false, "labels", "none given")
		j.failed[len(j.failed)-1].Hinted("give them with --labels")
		return
	}
	j.gate("min-accuracy", "OP4012", "the accuracy is too low", v.Accuracy.After >= *g.MinAccuracy,
		fmt.Sprintf("%g %%", *g.MinAccuracy), fmt.Sprintf("%.2f %%", v.Accuracy.After))
}

// budget judges size and MACs.
func (g Gates) budget(j *judge, b Bill) {
	if g.MaxSize != nil {
		j.gate("max-size", "OP4005", "the file is too large", b.FileBytes <= int64(*g.MaxSize), g.MaxSize.String(), Bytes(b.FileBytes))
	}
	if g.MaxMACs == nil {
		return
	}
	found := "not known"
	if b.MACs != nil {
		found = Count(*b.MACs)
		if b.Uncounted > 0 {
			found += fmt.Sprintf(" and %d layers that cannot be counted", b.Uncounted)
		}
	}
	ok := b.MACs != nil && b.Uncounted == 0 && *b.MACs <= *g.MaxMACs
	j.gate("max-macs", "OP4006", "too many multiply-accumulates", ok, Count(*g.MaxMACs), found)
}

// perfect is what calib gives as SQNR when there is no error at all.
const perfect = 200

// decibel writes a ratio; a perfect one has no finite logarithm.
func decibel(x float64) string {
	if x >= perfect {
		return "no error"
	}
	return fmt.Sprintf("%.1f dB", x)
}

// Bytes writes a size for people: 18.3 MiB.
func Bytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, i := float64(n), 0
	for math.Abs(f) >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// Count writes a number for people, in decimal units: 4.11 G.
func Count(n int64) string {
	units := []string{"", " k", " M", " G", " T", " P"}
	f, i := float64(n), 0
	for math.Abs(f) >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	switch {
	case i == 0:
		return fmt.Sprint(n)
	case math.Abs(f) < 10:
		return fmt.Sprintf("%.2f%s", f, units[i])
	case math.Abs(f) < 100:
		return fmt.Sprintf("%.1f%s", f, units[i])
	}
	return fmt.Sprintf("%.0f%s", f, units[i])
}

// JudgeBudget measures a bill against the size and MAC gates.
func (g Gates) JudgeBudget(b Bill) ([]GateResult, error) {
	j := &judge{}
	g.budget(j, b)
	return j.results, j.err()
}
