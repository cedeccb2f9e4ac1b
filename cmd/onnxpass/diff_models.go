package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
)

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
