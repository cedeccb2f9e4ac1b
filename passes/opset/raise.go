package opset

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// PassName is what nodes that raising adds carry in their metadata.
const PassName = "opset"

// Change is one rewrite of a node.
type Change struct {
	Node    string // its label
	Op      string // the operator before the rewrite
	Version int64  // the opset version that made it necessary
	What    string // what is done
}

// Raise converts m, main graph, subgraphs and functions, to version to of the
// ai.onnx operator set, and raises the IR version to the least one of that
// opset. Graphs and functions of that or a later version stay as they are.
//
// On error m is unchanged. A node that cannot be converted gives a
// *diag.Error of code OP3301 that names all such nodes with the reason.
func Raise(ctx context.Context, m *graph.Model, to int64) error {
	if _, err := Plan(ctx, m, to); err != nil || !below(m, to) {
		return err
	}
	return raise(ctx, m, to)
}

// raise is Raise after a successful Plan.
func raise(ctx context.Context, m *graph.Model, to int64) error {
	r, err := convert(ctx, m, to)
	if err != nil {
		return fmt.Errorf("raise opset: conversion failed after a successful rehearsal: %w", err)
	}
	return r.check(nil)
}

// Plan says what Raise would do, or why it would fail. It leaves m as it is.
func Plan(ctx context.Context, m *graph.Model, to int64) ([]Change, error) {
	if err := admissible(m, to); err != nil || !below(m, to) {
		return nil, err
	}
	rehearsal := m.Clone()
	sound := soundNodes(rehearsal)
	r, err := convert(ctx, rehearsal, to)
	if err != nil {
		return nil, err
	}
	return r.changes, r.check(sound)
}

func admissible(m *graph.Model, to int64) error {
	latest := schema.Latest("")
	if to < 1 || to > latest {
		return diag.New("OP3302", "unknown opset version", "wanted", fmt.Sprintf("1 to %d", latest), "found", fmt.Sprint(to)).
			Hinted("give a version that the target reads, for instance 13, 17 or 21")
	}
	if len(m.Header.TrainingInfo) > 0 && m.Opset("") < to {
		return diag.New("OP3303", "the opset of a model with training information cannot be raised").
			Hinted("export the model for inference")
	}
	return nil
}

// below says whether the model or a function has a version before to.
func below(m *graph.Model, to int64) bool {
	for _, f := range m.Functions {
		if v := functionOpset(f); v > 0 && v < to {
			return true
		}
	}
	return m.Opset("") < to
}

// raiser is one conversion in progress.
type raiser struct {
	m        *graph.Model
	from     int64 // version of the main graph at the start
	to       int64
	ir       int64 // least IR version of the result
	changes  []Change
	blocked  []refusal
	stuck    map[*graph.Node]bool
	enlarges map[*graph.Node]bool                     // what was Upsample
	inits    map[*graph.Graph]map[string]*graph.Value // constants that were added, by content
	calls    map[*graph.Function][]*graph.Node        // nil until asked for
}

// refusal says why a node cannot be converted.
type refusal struct {
	node    *graph.Node
	version int64 // that the node has
	reason  string
}

// convert rewrites m in place as far as it goes. Nodes that refuse stay in
// their old form and are collected. The error is the context's.
func convert(ctx context.Context, m *graph.Model, to int64) (*raiser, error) {
	_ = m.Infer() // types are a help; contradictions are for verification to report
	r := &raiser{m: m, from: m.Opset(""), to: to, ir: minIR(to),
		stuck: map[*graph.Node]bool{}, enlarges: map[*graph.Node]bool{}, inits: map[*graph.Graph]map[string]*graph.Value{}}
	byVersion := rules()
	if err := r.raise(ctx, byVersion, m.Main, r.from, m.SetOpset); err != nil {
		return r, err
	}
	for _, f := range m.Functions {
		if from := functionOpset(f); from > 0 {
			if err := r.raise(ctx, byVersion, f.Body, from, f.SetOpset); err != nil {
				return r, err
			}
		}
	}
	if r.from < to && m.Header.IRVersion < r.ir {
		m.Header.IRVersion = r.ir
		m.Touch()
	}
	return r, nil
}

func functionOpset(f *graph.Function) int64 {
	for _, s := range f.Proto.OpsetImport {
		if s.Domain == "" || s.Domain == "ai.onnx" {
			return s.Version
		}
	}
	return 0
}

// raise takes one root graph through all versions. Nodes that a rule adds have
// the form of the rule's version, and later versions convert them further.
func (r *raiser) raise(ctx context.Context, byVersion map[int64]map[string]rule, root *graph.Graph, from int64, set func(string, int64)) error {
	for v := max(from, 0) + 1; v <= r.to; v++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		set("", v)
		if len(byVersion[v]) == 0 || from == 0 {
			continue
		}
		for n := range root.All() {
			if rule, ok := byVersion[v][n.Op()]; ok && n.Domain() == "" && !r.stuck[n] {
				r.apply(rule, n)
			}
		}
	}
	return nil
}

func (r *raiser) apply(rule rule, n *graph.Node) {
	label, op, edits := n.Label(), n.Op(), r.m.Edits()
	if err := rule.convert(&conversion{raiser: r, n: n}); err != nil {
		r.refuse(n, rule.version-1, err.Error())
		return
	}
	if r.m.Edits() > edits {
		r.changes = append(r.changes, Change{Node: label, Op: op, Version: rule.version, What: rule.what})
	}
}

func (r *raiser) refuse(n *graph.Node, version int64, reason string) {
	r.stuck[n] = true
	r.blocked = append(r.blocked, refusal{n, version, reason})
}

// irVersions holds the least IR version for each opset, from the table in
// onnx docs/Versioning.md.
var irVersions = [...]struct{ opset, ir int64 }{
	{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}, {9, 4}, {1, 3},
}

func minIR(opset int64) int64 {
	for _, e := range irVersions {
		if opset >= e.opset {
			return e.ir
		}
	}
	return 3
}
