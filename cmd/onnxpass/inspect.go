package main

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

func (a *app) inspectCommand() *cobra.Command {
	f := &dataFlags{}
	c := &cobra.Command{
		Use: "inspect MODEL...", Short: "what is in a model; readiness for each target", Args: cobra.ArbitraryArgs,
		Long:    "Show interface, size, parameters, MACs, operators and provenance of models, and\nwhat the rules of each target say about them.",
		Example: "  onnxpass inspect model.onnx\n  onnxpass inspect detector.onnx --shape images=1x3x640x640 --json",
		RunE:    func(_ *cobra.Command, args []string) error { return a.inspect(f, args) },
	}
	c.Flags().StringArrayVar(&f.shapes, "shape", nil, "count MACs for the shape `IN=1x3x224x224`; repeatable")
	c.Flags().StringArrayVar(&f.dims, "dim", nil, "the same for a symbolic dimension, as `NAME=SIZE`; repeatable")
	return c
}

// inspection is what inspect says of one model.
type inspection struct {
	Schema     string            `json:"schema"`
	Input      passes.FileInfo   `json:"input"`
	Producer   string            `json:"producer"`
	Domains    map[string]int64  `json:"opset_imports"`
	Bill       passes.Bill       `json:"bill"`
	Ops        []opCount         `json:"ops"`
	Regions    []kindCount       `json:"regions"`
	Quantized  bool              `json:"quantized"`
	Targets    []readiness       `json:"targets"`
	Provenance map[string]string `json:"provenance"`
}

type opCount struct {
	Op    string `json:"op"`
	Count int    `json:"count"`
}

// kindCount is how often the model holds a LayerNorm, a SiLU and so on, fused or written out.
type kindCount struct {
	Kind  region.Kind `json:"kind"`
	Count int         `json:"count"`
}

// readiness is what one target's rules say.
type readiness struct {
	Target   string `json:"target"`
	Errors   int    `json:"errors"`
	Warnings int    `json:"warnings"`
	First    string `json:"first,omitempty"`
}

func (a *app) inspect(f *dataFlags, args []string) error {
	shapes, sizes, err := f.parseShapes()
	if err != nil {
		return err
	}
	models, err := inputs(args)
	if err != nil {
		return err
	}
	var docs []*inspection
	for _, in := range models {
		d, err := a.inspectOne(in, shapes, sizes)
		if err != nil {
			return located(err, in.path)
		}
		docs = append(docs, d)
		if !a.global.json {
			a.printInspection(d)
		}
	}
	switch {
	case !a.global.json:
		return nil
	case len(docs) == 1:
		return a.printJSON(docs[0])
	}
	return a.printJSON(docs)
}

func (a *app) inspectOne(in input, shapes map[string][]int64, sizes map[string]int64) (*inspection, error) {
	m, err := a.open(in.path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	g, _, err := passes.Load(m)
	if err != nil {
		return nil, err
	}
	d := &inspection{Schema: "onnxpass.inspect/1", Input: passes.Describe(m, in.path), Producer: strings.TrimSpace(m.ProducerName + " " + m.ProducerVersion),
		Domains: map[string]int64{}, Provenance: map[string]string{}}
	d.Input.Bytes = sizeOf(in.path, m)
	for _, o := range m.OpsetImport {
		d.Domains[o.Domain] = o.Version
	}
	for _, e := range m.MetadataProps {
		if strings.HasPrefix(e.Key, "onnxpass.") {
			d.Provenance[strings.TrimPrefix(e.Key, "onnxpass.")] = e.Value
		}
	}
	if err := checkNames(g, shapes, sizes); err != nil {
		return nil, err
	}
	d.Bill = passes.Measure(g, shapes, sizes)
	d.Bill.FileBytes = d.Input.Bytes
	d.Ops, d.Regions = operators(g), regions(g)
	d.Quantized = d.Bill.Dequantize > 0 || d.Bill.Int8Pct > 0
	for _, name := range target.Names() {
		d.Targets = append(d.Targets, ready(target.Lookup(name), g))
	}
	return d, nil
}

// regions counts groups of nodes that belong together, by name of the kind.
func regions(g *graph.Model) []kindCount {
	counts := map[region.Kind]int{}
	for sub := range g.Graphs() {
		for _, r := range region.Find(sub).All() {
			counts[r.Kind]++
		}
	}
	out := []kindCount{}
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, kindCount{k, counts[k]})
	}
	return out
}

// operators counts the operator types, most frequent first.
func operators(g *graph.Model) []opCount {
	counts := map[string]int{}
	for n := range g.All() {
		op := n.Op()
		if n.Domain() != "" {
			op = n.Domain() + "." + op
		}
		counts[op]++
	}
	out := []opCount{}
	for op, n := range counts {
		out = append(out, opCount{op, n})
	}
	sort.Slice(out, func(i, j int) bool {
		return out[i].Count > out[j].Count || out[i].Count == out[j].Count && out[i].Op < out[j].Op
	})
	return out
}

func ready(p *target.Profile, g *graph.Model) readiness {
	r := readiness{Target: p.Name}
	for _, f := range p.Lint(g) {
		switch {
		case f.Severity.Failing():
			if r.Errors == 0 {
				r.First = f.String()
			}
			r.Errors++
		case f.Severity == target.Slow:
			r.Warnings++
			if r.First == "" {
				r.First = f.String()
			}
		}
	}
	return r
}

func (a *app) printInspection(d *inspection) {
	s := &sheet{w: a.out}
	path := d.Input.Path
	if path == "-" {
		path = "standard input"
	}
	s.line("model", "%s  %s  IR %d  opset %d", path, passes.Bytes(d.Input.Bytes), d.Input.IR, d.Input.Opset)
	if d.Producer != "" {
		s.line("", "made by %s", d.Producer)
	}
	for _, in := range d.Input.Inputs {
		s.line("in", "%s", in)
	}
	for _, out := range d.Input.Outputs {
		s.line("out", "%s", out)
	}
	s.line("weights", "%s parameters, %s", passes.Count(d.Bill.Params), passes.Bytes(d.Bill.ParamBytes))
	s.line("work", "%s MACs for %s, %.1f %% of them in int8", macs(d.Bill), d.Bill.Shapes, d.Bill.Int8Pct)
	var ops []string
	for _, o := range d.Ops {
		ops = append(ops, fmt.Sprintf("%s %d", o.Op, o.Count))
	}
	s.line("nodes", "%d: %s", d.Bill.Nodes, wrap(ops, ", ", 66))
	var groups []string
	for _, r := range d.Regions {
		groups = append(groups, fmt.Sprintf("%d %s", r.Count, r.Kind))
	}
	if len(groups) > 0 {
		s.line("", "among them %s", wrap(groups, ", ", 60))
	}
	if d.Quantized {
		s.line("", "already quantized: %d QuantizeLinear, %d DequantizeLinear", d.Bill.Quantize, d.Bill.Dequantize)
	}
	for _, t := range d.Targets {
		text := "ready"
		if t.Errors+t.Warnings > 0 {
			text = fmt.Sprintf("%s, %s: %s", count(t.Errors, "error", "errors"), count(t.Warnings, "warning", "warnings"), t.First)
		}
		s.line("target", "%-9s %s", t.Target, text)
	}
	keys := make([]string, 0, len(d.Provenance))
	for k := range d.Provenance {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		s.line("made by", "onnxpass %s: %s", k, d.Provenance[k])
	}
	if !d.Quantized && path != "standard input" {
		s.line("next", "onnxpass -p quant %s -d SAMPLES --target NAME", path)
	}
}
