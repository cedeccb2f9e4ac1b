package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
)

func (a *app) diffCommand() *cobra.Command {
	var breaking bool
	c := &cobra.Command{
		Use: "diff A B", Short: "structural difference of two models", Args: exactly(2, "two models"),
		Long: "Show how model B differs from A: interface, header, nodes, weights and cost.\n" +
			"Nodes are paired by name, unnamed ones by what they compute. Runs nothing: see verify.",
		Example: "  onnxpass diff model.onnx model.int8.onnx\n  onnxpass diff --breaking old.onnx new.onnx   # exit 4 when the interface changed",
		RunE:    func(_ *cobra.Command, args []string) error { return a.diff(args[0], args[1], breaking) },
	}
	c.Flags().BoolVar(&breaking, "breaking", false, "fail when inputs or outputs changed in name, order, type or shape")
	return c
}

// difference is what diff says.
type difference struct {
	Schema    string      `json:"schema"`
	A         string      `json:"a"`
	B         string      `json:"b"`
	Interface []string    `json:"interface"`
	Header    []string    `json:"header"`
	Before    passes.Bill `json:"before"`
	After     passes.Bill `json:"after"`
	Removed   []string    `json:"nodes_removed"`
	Added     []string    `json:"nodes_added"`
	Changed   []change    `json:"nodes_changed"`
	Weights   []string    `json:"weights"`
}

// change is one node before and after, in text form.
type change struct {
	Node   string `json:"node"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func (a *app) diff(pathA, pathB string, breaking bool) error {
	ma, err := a.open(pathA)
	if err != nil {
		return err
	}
	defer ma.Close()
	mb, err := a.open(pathB)
	if err != nil {
		return err
	}
	defer mb.Close()
	d, err := compareModels(ma, mb)
	if err != nil {
		return err
	}
	d.A, d.B = pathA, pathB
	d.Before.FileBytes, d.After.FileBytes = sizeOf(pathA, ma), sizeOf(pathB, mb)
	if a.global.json {
		err = a.printJSON(d)
	} else {
		a.printDiff(d)
	}
	if err == nil && breaking && len(d.Interface) > 0 {
		return diag.New("OP4010", "the interface of the model changed", "changes", strings.Join(d.Interface, "\n"))
	}
	return err
}

func compareModels(a, b *onnx.Model) (*difference, error) {
	d := &difference{Schema: "onnxpass.diff/1", Interface: passes.InterfaceChanges(a, b), Header: headerChanges(a, b)}
	ga, err := imported(a)
	if err != nil {
		return nil, err
	}
	gb, err := imported(b)
	if err != nil {
		return nil, err
	}
	d.Before, d.After = passes.Measure(ga, nil, nil), passes.Measure(gb, nil, nil)
	d.nodes(lines(a.Graph), lines(b.Graph))
	return d, d.weights(a.Graph, b.Graph)
}

func imported(m *onnx.Model) (*graph.Model, error) {
	g, err := graph.Import(m)
	if err != nil {
		return nil, err
	}
	return g, g.Infer()
}

func headerChanges(a, b *onnx.Model) []string {
	var out []string
	say := func(what string, x, y any) {
		if x != y {
			out = append(out, fmt.Sprintf("%s: %v -> %v", what, x, y))
		}
	}
	say("IR version", a.IRVersion, b.IRVersion)
	say("producer", a.ProducerName+" "+a.ProducerVersion, b.ProducerName+" "+b.ProducerVersion)
	say("model version", a.ModelVersion, b.ModelVersion)
	say("opsets", opsets(a), opsets(b))
	old, now := properties(a), properties(b)
	for _, k := range sorted(old) {
		if v, ok := now[k]; !ok {
			out = append(out, "metadata "+k+" removed")
		} else if v != old[k] {
			out = append(out, fmt.Sprintf("metadata %s: %s -> %s", k, old[k], v))
		}
	}
	for _, k := range sorted(now) {
		if _, ok := old[k]; !ok {
			out = append(out, fmt.Sprintf("metadata %s added: %s", k, now[k]))
		}
	}
	return out
}

func opsets(m *onnx.Model) string {
	var out []string
	for _, o := range m.OpsetImport {
		name := o.Domain
		if name == "" {
			name = "ai.onnx"
		}
		out = append(out, fmt.Sprintf("%s %d", name, o.Version))
	}
	return strings.Join(out, ", ")
}

func properties(m *onnx.Model) map[string]string {
	out := map[string]string{}
	for _, e := range m.MetadataProps {
		out[e.Key] = e.Value
	}
	return out
}

// nodeLine is a node with the key that pairs it.
type nodeLine struct{ key, text string }

// lines are the nodes of g and its subgraphs, outer before inner.
func lines(g *onnx.Graph) []nodeLine {
	if g == nil {
		return nil
	}
	var out []nodeLine
	for _, n := range g.Node {
		key := n.Name
		if key == "" {
			key = "= " + strings.Join(n.Output, ",")
		}
		var b bytes.Buffer
		flat := *n
		flat.Attribute = withoutGraphs(n.Attribute)
		if err := text.PrintNode(&b, &flat, text.Options{Elide: 16}); err != nil {
			fmt.Fprintf(&b, "%s: %v", n.OpType, err)
		}
		out = append(out, nodeLine{key, strings.TrimSpace(b.String())})
		for _, at := range n.Attribute {
			for _, sub := range append(at.Graphs[:len(at.Graphs):len(at.Graphs)], at.G) {
				for _, l := range lines(sub) {
					out = append(out, nodeLine{key + "/" + at.Name + "/" + l.key, l.text})
				}
			}
		}
	}
	return out
}

// withoutGraphs leaves out the attributes whose nodes are listed one by one.
func withoutGraphs(list []*onnx.Attribute) []*onnx.Attribute {
	var out []*onnx.Attribute
	for _, at := range list {
		if at.G == nil && len(at.Graphs) == 0 {
			out = append(out, at)
		}
	}
	return out
}

// nodes pairs the nodes of both models by key; of several with one key the first of each.
func (d *difference) nodes(a, b []nodeLine) {
	now := map[string][]string{}
	for _, l := range b {
		now[l.key] = append(now[l.key], l.text)
	}
	matched := map[string]int{}
	for _, l := range a {
		i := matched[l.key]
		if i >= len(now[l.key]) {
			d.Removed = append(d.Removed, l.text)
			continue
		}
		matched[l.key]++
		if t := now[l.key][i]; t != l.text {
			d.Changed = append(d.Changed, change{l.key, l.text, t})
		}
	}
	seen := map[string]int{}
	for _, l := range b {
		if seen[l.key]++; seen[l.key] > matched[l.key] {
			d.Added = append(d.Added, l.text)
		}
	}
}

// weights compares the initializers of the main graphs by name.
func (d *difference) weights(a, b *onnx.Graph) error {
	now := map[string]*onnx.Tensor{}
	for _, t := range b.Initializer {
		now[t.Name] = t
	}
	old := map[string]bool{}
	for _, t := range a.Initializer {
		old[t.Name] = true
		n := now[t.Name]
		switch {
		case n == nil:
			d.Weights = append(d.Weights, "removed "+tensorText(t))
		case tensorText(n) != tensorText(t):
			d.Weights = append(d.Weights, tensorText(t)+" became "+tensorText(n))
		default:
			same, err := sameContent(t, n)
			if err != nil {
				return err
			}
			if !same {
				d.Weights = append(d.Weights, tensorText(t)+" has other content")
			}
		}
	}
	for _, t := range b.Initializer {
		if !old[t.Name] {
			d.Weights = append(d.Weights, "added "+tensorText(t))
		}
	}
	return nil
}

func tensorText(t *onnx.Tensor) string {
	return fmt.Sprintf("%s %s%s", t.Name, t.Type, strings.ReplaceAll(fmt.Sprint(t.Dims), " ", ","))
}

func sameContent(a, b *onnx.Tensor) (bool, error) {
	x, errX := contentDigest(a)
	y, errY := contentDigest(b)
	return x == y, errors.Join(errX, errY)
}

func contentDigest(t *onnx.Tensor) (string, error) {
	h := sha256.New()
	for _, s := range t.Strings {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	if t.Data != nil {
		b, err := t.Data.Bytes()
		if err != nil {
			return "", fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// mostDifferences is how many entries of one kind are printed without -v.
const mostDifferences = 20

func (a *app) printDiff(d *difference) {
	w := a.out
	if len(d.Interface) == 0 {
		fmt.Fprintln(w, "interface  unchanged")
	}
	for _, c := range d.Interface {
		fmt.Fprintf(w, "interface  %s\n", printable(c))
	}
	for _, c := range d.Header {
		fmt.Fprintf(w, "header     %s\n", printable(c))
	}
	s := &sheet{w: w}
	fmt.Fprintln(w)
	s.row("", "A", "B", "change")
	for _, r := range comparisonRows(d.Before, d.After) {
		s.row(r[0], r[1], r[2], r[3])
	}
	fmt.Fprintf(w, "\nnodes: %d removed, %d added, %d changed; weights: %d differ\n", len(d.Removed), len(d.Added), len(d.Changed), len(d.Weights))
	var changed []string
	for _, c := range d.Changed {
		changed = append(changed, c.Before+"\n  > "+c.After)
	}
	for _, part := range []struct {
		mark  string
		lines []string
	}{{"- ", d.Removed}, {"+ ", d.Added}, {"~ ", changed}, {"w ", d.Weights}} {
		a.printSome(part.mark, part.lines)
	}
}

func (a *app) printSome(mark string, lines []string) {
	for i, l := range lines {
		if i == mostDifferences && !a.global.verbose {
			fmt.Fprintf(a.out, "%sand %d more (-v prints all)\n", mark, len(lines)-i)
			return
		}
		fmt.Fprintf(a.out, "%s%s\n", mark, printable(l))
	}
}
