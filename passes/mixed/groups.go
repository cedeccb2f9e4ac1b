package mixed

import (
	"context"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// group are weights that get the same form: usually one. Products of matrices
// with the same input, such as the queries, keys and values of attention, go
// together, because runtimes fuse them.
type group struct {
	weights  []int     // indices in mixer.found
	elements int64     // of all of them
	forms    []int     // indices in mixer.forms, one for each choice of the menu
	errors   []float64 // of the weights, relative, by choice
	bytes    []int64   // of codes, scales and tables, by choice
	outer    bool      // first or last of the model, which stays wide where nothing is measured

	tried   []attempt // choices that were tried alone, the widest first; one at least once forms are measured or guessed
	problem string    // why nothing was measured
}

// attempt is a choice that was tried in a group alone.
type attempt struct {
	choice   int
	measured bool
	damage   float64   // share of the noise that all groups make in their first attempts, mean over the outputs
	noise    []float64 // by output of the model
}

// gather finds the weights and groups them.
func (m *mixer) gather() {
	o := m.find()
	found, left := weights.Find(m.env.Model, o)
	for _, l := range left {
		m.env.Skip(l.Node, "the weight stays: "+l.Reason)
	}
	m.found = found
	same := map[string]*group{}
	for i, w := range m.found {
		key := together(w)
		g := same[key]
		if g == nil || key == "" {
			g = &group{}
			m.groups = append(m.groups, g)
			same[key] = g
		}
		g.weights = append(g.weights, i)
		g.elements += int64(w.Elements())
	}
	m.markOuter()
}

// find are the options with which weights are found in the model and in its clones.
func (m *mixer) find() weights.FindOptions {
	return weights.FindOptions{MinElements: m.opt.MinElems, Admit: m.env.Select.Match}
}

// together is a key that weights of one group have in common; empty: none.
func together(w *weights.Weight) string {
	n := w.Node()
	if len(w.Readers) != 1 || !n.Is("MatMul", "Gemm") || w.Readers[0].Index != 1 || n.In(0) == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %d", n.Op(), n.In(0).Name(), w.Cols)
}

// markOuter finds the groups before which, and those behind which, there is no other weight.
func (m *mixer) markOuter() {
	of := map[*graph.Node]*group{}
	for _, g := range m.groups {
		for _, i := range g.weights {
			for _, u := range m.found[i].Readers {
				of[lifted(u.Node)] = g
			}
		}
	}
	before := map[*graph.Value]bool{} // values computed from a weight
	after := map[*graph.Value]bool{}  // values from which a weight's layer computes
	var nodes []*graph.Node
	for n := range m.env.Model.Main.Nodes() {
		nodes = append(nodes, n)
		some := false
		for _, v := range n.Reads() {
			some = some || before[v]
		}
		if g := of[n]; g != nil {
			g.outer = g.outer || !some
			some = true
		}
		for _, v := range n.Outs() {
			if v != nil && some {
				before[v] = true
			}
		}
	}
	for k := len(nodes) - 1; k >= 0; k-- {
		n, some := nodes[k], false
		for _, v := range n.Outs() {
			some = some || v != nil && after[v]
		}
		if g := of[n]; g != nil {
			g.outer = g.outer || !some
			some = true
		}
		for _, v := range n.Reads() {
			if some {
				after[v] = true
			}
		}
	}
}

// lifted is the node of the main graph that n is, or in whose subgraphs it lies.
func lifted(n *graph.Node) *graph.Node {
	for n.Graph().Owner() != nil {
		n = n.Graph().Owner()
	}
	return n
}

// weigh fits every form to every weight, for bytes and errors, and finds what
// the form costs besides in the file: names and nodes.
func (m *mixer) weigh(ctx context.Context) error {
	float, err := fileSize(m.env.Model)
	if err != nil {
		return err
	}
	for _, g := range m.groups {
		g.forms, g.errors, g.bytes = nil, nil, nil
	}
	m.rest = float
	for _, w := range m.found {
		m.rest -= w.Bytes()
	}
	for f, form := range m.forms {
		if form.format == nil {
			m.stays(f)
			continue
		}
		if err := m.fitAll(ctx, f, float); err != nil {
			return err
		}
		m.env.Advance("fit forms", f+1, len(m.forms))
	}
	for _, g := range m.groups {
		if len(g.forms) == 0 { // no form suits it
			m.stay(g, -1)
		}
	}
	return nil
}

// stays gives all groups the choice to stay as they are.
func (m *mixer) stays(f int) {
	for _, g := range m.groups {
		m.stay(g, f)
	}
}

func (m *mixer) stay(g *group, f int) {
	var bytes int64
	for _, i := range g.weights {
		bytes += m.found[i].Bytes()
	}
	g.forms, g.errors, g.bytes = append(g.forms, f), append(g.errors, 0), append(g.bytes, bytes)
}

// fitAll fits one form to all weights and gives the groups that it suits the choice.
func (m *mixer) fitAll(ctx context.Context, f int, float int64) error {
	items := make([]*weights.Item, len(m.found))
	for i, w := range m.found {
		if err := ctx.Err(); err != nil {
			return err
		}
		items[i] = &weights.Item{Weight: w, Format: m.forms[f].format}
		if err := items[i].Plain(); err != nil {
			return err
		}
	}
	clone, err := m.stored(items)
	if err != nil {
		return err
	}
	size, err := fileSize(clone)
	if err != nil {
		return err
	}
	n, saved := int64(0), int64(0)
	for _, it := range items {
		if it.Why == "" {
			n, saved = n+1, saved+it.Bytes()-it.Coding.Bytes()
		}
	}
	m.nodes[f] = max(0, size-(float-saved)) / max(n, 1)
	for _, g := range m.groups {
		var bytes int64
		var relative float64
		suits := true
		for _, i := range g.weights {
			it := items[i]
			if suits = suits && it.Why == ""; suits {
				bytes += it.Coding.Bytes()
				relative += noiseOf(it.SQNR) * float64(it.Elements()) / float64(g.elements)
			}
		}
		if suits {
			g.forms, g.errors, g.bytes = append(g.forms, f), append(g.errors, relative), append(g.bytes, bytes)
		}
	}
	return nil
}

// noiseOf is the relative power that an SQNR in dB stands for.
func noiseOf(db float64) float64 {
	if math.IsNaN(db) || db >= 200 {
		return 0
	}
	return math.Pow(10, -db/10)
}

// fileSize is the size of the file that the model would be written to.
func fileSize(m *graph.Model) (int64, error) {
	proto, err := m.Export()
	if err != nil {
		return 0, err
	}
	var n counter
	if err = onnx.Write(&n, proto); err != nil { // beyond 2 GiB the weights lie beside the file, and all else is little
		return passes.Measure(m, nil, nil).ParamBytes, nil
	}
	return int64(n), nil
}

type counter int64

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
