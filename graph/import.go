package graph

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// maxDepth bounds how deep subgraphs may nest.
const maxDepth = 64

// Import builds the graph of m. Tensors and messages are shared, m is not
// changed. Nodes that are not in topological order are sorted; a cycle, a name
// that is defined twice or nowhere, and too deep nesting are errors that name
// the place.
func Import(m *onnx.Model) (*Model, error) {
	if m.Graph == nil {
		return nil, diag.New("OP3101", "the model has no graph")
	}
	out := &Model{Header: *m}
	out.Header.Graph, out.Header.Functions = nil, nil
	var err error
	if out.Main, err = importRoot(out, nil, m.Graph); err != nil {
		return nil, err
	}
	for _, f := range m.Functions {
		fn, err := importFunction(out, f)
		if err != nil {
			return nil, err
		}
		out.Functions = append(out.Functions, fn)
	}
	out.bindTraining()
	out.edits = 0
	return out, nil
}

func importRoot(m *Model, fn *Function, p *onnx.Graph) (*Graph, error) {
	im := importer{model: m, fn: fn, family: newFamily(len(p.Node) + len(p.Initializer))}
	return im.graph(p, nil, 0)
}

func importFunction(m *Model, p *onnx.Function) (*Function, error) {
	if p == nil {
		return nil, diag.New("OP3101", "the model has an empty function")
	}
	own := *p
	own.Node, own.ValueInfo = nil, nil
	fn := &Function{Proto: &own}
	body := &onnx.Graph{Name: p.Name, Node: p.Node, ValueInfo: p.ValueInfo}
	for _, name := range p.Input {
		body.Input = append(body.Input, &onnx.ValueInfo{Name: name})
	}
	for _, name := range p.Output {
		body.Output = append(body.Output, &onnx.ValueInfo{Name: name})
	}
	var err error
	if fn.Body, err = importRoot(m, fn, body); err != nil {
		return nil, fmt.Errorf("function %s: %w", p.Name, err)
	}
	return fn, nil
}

// bindTraining remembers which values training_info refers to.
func (m *Model) bindTraining() {
	for _, t := range m.Header.TrainingInfo {
		for _, list := range [][]onnx.Entry{t.InitializationBinding, t.UpdateBinding} {
			for _, e := range list {
				if v := m.Main.byName[e.Key]; v != nil {
					m.bound = append(m.bound, v)
				}
			}
		}
	}
}

type importer struct {
	model  *Model
	fn     *Function
	family *family
}

// graph imports p in two steps: first all names of the graph are defined,
// then nodes are linked, so that the order of nodes does not matter.
func (im *importer) graph(p *onnx.Graph, owner *Node, depth int) (*Graph, error) {
	if depth > maxDepth {
		return nil, diag.New("OP3105", "subgraphs are nested too deep", "node", owner.Label(), "limit", fmt.Sprint(maxDepth))
	}
	g := newGraph(im.model, im.fn, owner, im.family)
	g.byName = make(map[string]*Value, len(p.Node)+len(p.Initializer))
	g.proto = *p
	steps := []func(*onnx.Graph) error{g.importInputs, g.importInits, g.importSparse, g.importNodes}
	for _, step := range steps {
		if err := step(p); err != nil {
			return nil, err
		}
	}
	if err := im.link(g, depth); err != nil {
		return nil, err
	}
	if err := g.importOutputs(p); err != nil {
		return nil, err
	}
	g.importInfos(p)
	g.importAnnotations(p)
	g.proto.Node, g.proto.Initializer, g.proto.SparseInitializer = nil, nil, nil
	g.proto.Input, g.proto.Output, g.proto.ValueInfo, g.proto.QuantizationAnnotation = nil, nil, nil, nil
	if !g.sorted() {
		return g, g.Sort()
	}
	return g, nil
}

// define registers a value of the file under its name.
func (g *Graph) define(v *Value, name, what string) error {
	if name == "" {
		return diag.New("OP3106", "a "+what+" has no name", "graph", g.proto.Name)
	}
	if g.byName[name] != nil {
		return diag.New("OP3102", "a name is defined twice", "name", name, "second", what, "graph", g.proto.Name)
	}
	v.graph = g
	g.name(v, name)
	return nil
}

func (g *Graph) importInputs(p *onnx.Graph) error {
	values := make([]Value, len(p.Input))
	for i, info := range p.Input {
		if info == nil {
			return diag.New("OP3101", "an input is empty", "graph", g.proto.Name)
		}
		v := &values[i]
		if err := g.define(v, info.Name, "graph input"); err != nil {
			return err
		}
		v.input, v.info, v.typ = true, info, typeOfInfo(info)
		v.declared = v.typ
		g.inputs = append(g.inputs, v)
	}
	return nil
}

func (g *Graph) importInits(p *onnx.Graph) error {
	values := make([]Value, len(p.Initializer))
	for i, t := range p.Initializer {
		if t == nil {
			return diag.New("OP3101", "an initializer is empty", "graph", g.proto.Name)
		}
		v := g.byName[t.Name]
		if v == nil || v.init != nil {
			v = &values[i]
			if err := g.define(v, t.Name, "initializer"); err != nil {
				return err
			}
		}
		v.init, v.pos, v.typ = t, i, tensorType(t)
		if !v.input {
			v.declared = v.typ
		}
		g.inits = append(g.inits, v)
	}
	return nil
}

func (g *Graph) importSparse(p *onnx.Graph) error {
	for _, t := range p.SparseInitializer {
		if t == nil || t.Values == nil {
			return diag.New("OP3101", "a sparse initializer has no values", "graph", g.proto.Name)
		}
		v := &Value{sparse: t}
		if err := g.define(v, t.Values.Name, "sparse initializer"); err != nil {
			return err
		}
		v.typ = Type{Elem: t.Values.Type, Shape: fixedShape(t.Dims)}
		v.declared = v.typ
		g.sparse = append(g.sparse, v)
	}
	return nil
}

// importNodes makes the nodes and their outputs; link adds inputs and subgraphs.
func (g *Graph) importNodes(p *onnx.Graph) error {
	outs := 0
	for i, np := range p.Node {
		if np == nil {
			return diag.New("OP3101", fmt.Sprintf("node %d is empty", i), "graph", g.proto.Name)
		}
		outs += len(np.Output)
	}
	nodes := make([]Node, len(p.Node))
	values := make([]Value, outs)
	for i, np := range p.Node {
		n := &nodes[i]
		n.graph, n.proto = g, np
		n.constant = constantOf(n)
		g.push(n)
		if np.Name != "" {
			g.family.nodes[np.Name]++
		}
		n.outs = make([]*Value, len(np.Output))
		for j, name := range np.Output {
			if name == "" {
				continue
			}
			v := &values[0]
			values = values[1:]
			v.def, v.index = n, j
			if err := g.define(v, name, "output of node "+np.OpType); err != nil {
				return err.(*diag.Error).With("node", n.Label())
			}
			if v.index == 0 && n.constant != nil {
				v.typ = tensorType(n.constant)
			}
			n.outs[j] = v
		}
	}
	return nil
}

// push appends n, which is in no list.
func (g *Graph) push(n *Node) {
	last := g.ret.prev
	n.prev, n.next = last, g.ret
	last.next, g.ret.prev = n, n
	g.count++
}

func (im *importer) link(g *Graph, depth int) error {
	uses := 0
	for n := range g.Nodes() {
		uses += len(n.proto.Input)
	}
	edges := make([]edge, uses)
	for n := range g.Nodes() {
		n.ins = make([]*edge, len(n.proto.Input))
		for i, name := range n.proto.Input {
			if name == "" {
				continue
			}
			v := g.Value(name)
			if v == nil {
				return diag.New("OP3103", "a node reads a value that nothing defines", "node", n.Label(), "operator", n.Op(), "value", name)
			}
			n.linkEdge(&edges[0], i, v)
			edges = edges[1:]
		}
		if err := im.subgraphs(n, depth); err != nil {
			return err
		}
	}
	return nil
}

// subgraphs imports graph attributes and leaves copies without graphs behind.
func (im *importer) subgraphs(n *Node, depth int) error {
	var attrs []*onnx.Attribute
	for i, a := range n.proto.Attribute {
		if a == nil {
			return diag.New("OP3101", "an attribute is empty", "node", n.Label())
		}
		if a.G == nil && len(a.Graphs) == 0 {
			continue
		}
		if attrs == nil {
			attrs = append(attrs, n.proto.Attribute...)
		}
		if err := im.attribute(n, a, depth); err != nil {
			return err
		}
		bare := *a
		bare.G, bare.Graphs = nil, nil
		attrs[i] = &bare
	}
	if attrs != nil {
		p := *n.proto
		p.Attribute = attrs
		n.proto = &p
	}
	return nil
}

func (im *importer) attribute(n *Node, a *onnx.Attribute, depth int) error {
	for i := -1; i < len(a.Graphs); i++ {
		p := a.G
		if i >= 0 {
			p = a.Graphs[i]
		}
		if p == nil {
			if i >= 0 {
				return diag.New("OP3101", "a subgraph is empty", "node", n.Label(), "attribute", a.Name)
			}
			continue
		}
		g, err := im.graph(p, n, depth+1)
		if err != nil {
			return err
		}
		n.subs = append(n.subs, sub{a.Name, i, g})
	}
	return nil
}

func (g *Graph) importOutputs(p *onnx.Graph) error {
	g.ret.ins = make([]*edge, len(p.Output))
	edges := make([]edge, len(p.Output))
	for i, info := range p.Output {
		if info == nil {
			return diag.New("OP3101", "an output is empty", "graph", g.proto.Name)
		}
		v := g.Value(info.Name)
		if v == nil {
			return diag.New("OP3103", "a graph output is a value that nothing defines", "graph", g.proto.Name, "value", info.Name)
		}
		g.slots = append(g.slots, slot{info.Name, info})
		g.family.values[info.Name]++
		g.ret.linkEdge(&edges[i], i, v)
		if v.graph == g {
			v.declare(typeOfInfo(info))
		}
	}
	return nil
}

// declare adds what an entry of the file says about v. The first entry wins a contradiction.
func (v *Value) declare(t Type) {
	if joined, ok := refine(v.declared, t); ok {
		v.declared = joined
	}
	if joined, ok := refine(v.typ, v.declared); ok {
		v.typ = joined
	}
}

func (g *Graph) importInfos(p *onnx.Graph) {
	g.infos = make([]infoEntry, 0, len(p.ValueInfo))
	for _, info := range p.ValueInfo {
		if info == nil {
			continue
		}
		v := g.byName[info.Name]
		if v == nil {
			g.family.values[info.Name]++
		} else {
			v.declare(typeOfInfo(info))
		}
		g.infos = append(g.infos, infoEntry{info, v})
	}
}

func (g *Graph) importAnnotations(p *onnx.Graph) {
	for _, a := range p.QuantizationAnnotation {
		if a == nil {
			continue
		}
		entry := annotation{proto: a, value: g.byName[a.TensorName]}
		for _, e := range a.QuantParameterTensorName {
			entry.params = append(entry.params, g.byName[e.Value])
		}
		g.annots = append(g.annots, entry)
	}
}
