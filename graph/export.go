package graph

import (
	"strconv"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Export writes the graph back into messages. Messages that nothing touched
// are those that Import was given. The graph is not changed, and later edits
// do not change what was exported.
//
// Outputs keep their public names: a value that feeds an output of another
// name is renamed when it is a node's output and feeds no other output, else
// an Identity node is added behind the last node. An error says that an output
// cannot have its name.
func (m *Model) Export() (*onnx.Model, error) {
	e := &exporter{names: map[*Value]string{}, taken: map[string]bool{}, extra: map[*Graph][]identity{}}
	for g := range m.Graphs() {
		if err := e.planOutputs(g); err != nil {
			return nil, err
		}
	}
	for g := range m.Graphs() {
		e.planCaptures(g)
	}
	out := m.Header
	out.TrainingInfo = m.training()
	out.Graph = e.graph(m.Main)
	out.Functions = nil
	for _, f := range m.Functions {
		out.Functions = append(out.Functions, e.function(f))
	}
	return &out, nil
}

// training is the training_info to write: none as soon as a value that it binds is gone.
func (m *Model) training() []*onnx.TrainingInfo {
	for _, v := range m.bound {
		if v.gone {
			return nil
		}
	}
	return m.Header.TrainingInfo
}

type exporter struct {
	names map[*Value]string // names that differ from Value.name
	taken map[string]bool   // new names that are in no family yet
	extra map[*Graph][]identity
}

// identity is a node to add: it gives value the public name of an output. Its
// message is made last, when value has its final name.
type identity struct {
	value      *Value
	node, name string
}

func (e *exporter) name(v *Value) string {
	if len(e.names) > 0 {
		if name, ok := e.names[v]; ok {
			return name
		}
	}
	return v.name
}

// rename gives v a name that is free everywhere.
func (e *exporter) rename(v *Value) {
	for i := 1; ; i++ {
		name := v.name + "_" + strconv.Itoa(i)
		if v.graph.family.values[name] == 0 && !e.taken[name] {
			e.taken[name] = true
			e.names[v] = name
			return
		}
	}
}

// planOutputs decides for every output whose value has another name: rename or Identity.
func (e *exporter) planOutputs(g *Graph) error {
	settled := map[*Value]bool{} // values that keep the name of a slot
	open := false
	for i, s := range g.slots {
		if v := g.ret.In(i); v.name == s.name {
			settled[v] = true
		} else {
			open = true
		}
	}
	if !open {
		return nil
	}
	for i, s := range g.slots {
		v := g.ret.In(i)
		if v.name == s.name {
			continue
		}
		if err := e.vacate(g, s.name, settled); err != nil {
			return err
		}
		if v.graph == g && v.def != nil && !settled[v] {
			settled[v] = true
			e.names[v] = s.name
			continue
		}
		e.extra[g] = append(e.extra[g], e.identity(g, v, s.name))
	}
	return nil
}

// vacate renames whatever else has the public name.
func (e *exporter) vacate(g *Graph, name string, settled map[*Value]bool) error {
	holder := g.byName[name]
	if holder == nil || e.name(holder) != name {
		return nil
	}
	if settled[holder] || holder.input && g.owner == nil {
		return diag.New("OP3107", "an output cannot keep its name: another input or output has it", "output", name, "graph", g.proto.Name)
	}
	e.rename(holder)
	return nil
}

func (e *exporter) identity(g *Graph, v *Value, name string) identity {
	node := g.family.freshNode(name+"_identity", "")
	for i := 1; e.taken["\x00"+node]; i++ {
		node = g.family.freshNode(name+"_identity"+strconv.Itoa(i), "")
	}
	e.taken["\x00"+node] = true
	return identity{v, node, name}
}

// planCaptures renames values of inner scopes that would hide an outer value from its reader.
func (e *exporter) planCaptures(g *Graph) {
	if g.owner == nil {
		return
	}
	check := func(n *Node) {
		for _, edge := range n.ins {
			if edge == nil || edge.value.graph == g {
				continue
			}
			name := e.name(edge.value)
			for in := g; in != nil && in != edge.value.graph; in = in.parent() {
				if w := in.byName[name]; w != nil && e.name(w) == name {
					e.rename(w)
				}
			}
		}
	}
	for n := range g.Nodes() {
		check(n)
	}
	check(g.ret)
}

func (e *exporter) graph(g *Graph) *onnx.Graph {
	out := g.proto
	out.Node = e.nodes(g)
	out.Input = e.inputs(g)
	out.Output = e.outputs(g)
	for _, v := range g.Initializers() {
		out.Initializer = append(out.Initializer, e.init(v))
	}
	for _, v := range g.sparse {
		out.SparseInitializer = append(out.SparseInitializer, e.sparse(v))
	}
	for _, entry := range g.infos {
		if info := e.info(g, entry); info != nil {
			out.ValueInfo = append(out.ValueInfo, info)
		}
	}
	for _, a := range g.annots {
		if p := e.annotation(a); p != nil {
			out.QuantizationAnnotation = append(out.QuantizationAnnotation, p)
		}
	}
	return &out
}

func (e *exporter) function(f *Function) *onnx.Function {
	body := e.graph(f.Body)
	out := *f.Proto
	out.Node, out.ValueInfo = body.Node, body.ValueInfo
	out.Input, out.Output = nil, nil
	for _, info := range body.Input {
		out.Input = append(out.Input, info.Name)
	}
	for _, info := range body.Output {
		out.Output = append(out.Output, info.Name)
	}
	return &out
}

func (e *exporter) nodes(g *Graph) []*onnx.Node {
	if g.count+len(e.extra[g]) == 0 {
		return nil
	}
	out := make([]*onnx.Node, 0, g.count+len(e.extra[g]))
	for n := range g.Nodes() {
		out = append(out, e.node(n))
	}
	for _, x := range e.extra[g] {
		out = append(out, &onnx.Node{OpType: "Identity", Name: x.node, Input: []string{e.name(x.value)}, Output: []string{x.name}})
	}
	return out
}

// node is the message itself while it still says what the graph says.
func (e *exporter) node(n *Node) *onnx.Node {
	if len(n.subs) == 0 && e.sameIns(n) && e.sameOuts(n) {
		return n.proto
	}
	p := *n.proto
	p.Input, p.Output = nil, nil
	for i := range n.ins {
		p.Input = append(p.Input, e.label(n.In(i)))
	}
	for _, v := range n.outs {
		p.Output = append(p.Output, e.label(v))
	}
	if len(n.subs) > 0 {
		p.Attribute = e.attributes(n)
	}
	return &p
}

func (e *exporter) label(v *Value) string {
	if v == nil {
		return ""
	}
	return e.name(v)
}

func (e *exporter) sameIns(n *Node) bool {
	if len(n.ins) != len(n.proto.Input) {
		return false
	}
	for i, name := range n.proto.Input {
		if e.label(n.In(i)) != name {
			return false
		}
	}
	return true
}

func (e *exporter) sameOuts(n *Node) bool {
	if len(n.outs) != len(n.proto.Output) {
		return false
	}
	for i, name := range n.proto.Output {
		if e.label(n.outs[i]) != name {
			return false
		}
	}
	return true
}

func (e *exporter) attributes(n *Node) []*onnx.Attribute {
	out := append([]*onnx.Attribute(nil), n.proto.Attribute...)
	for i, a := range out {
		full := *a
		for _, s := range n.subs {
			if s.attr != a.Name {
				continue
			}
			if s.index < 0 {
				full.G = e.graph(s.graph)
			} else {
				full.Graphs = append(full.Graphs, e.graph(s.graph))
			}
			out[i] = &full
		}
	}
	return out
}

func (e *exporter) inputs(g *Graph) []*onnx.ValueInfo {
	var out []*onnx.ValueInfo
	for _, v := range g.inputs {
		info := v.info
		name := e.name(v)
		if info.Name != name || v.retyped {
			changed := *info
			changed.Name = name
			if v.retyped {
				changed.Type = protoType(v.declared)
			}
			info = &changed
		}
		out = append(out, info)
	}
	return out
}

func (e *exporter) outputs(g *Graph) []*onnx.ValueInfo {
	var out []*onnx.ValueInfo
	for i, s := range g.slots {
		info := s.info
		// A value of a subgraph that had to give its name up takes the slot along: these names are not public.
		if v := g.ret.In(i); g.owner != nil && v.graph == g && v.name == s.name && e.name(v) != s.name {
			changed := *info
			changed.Name = e.name(v)
			info = &changed
		}
		out = append(out, info)
	}
	return out
}

func (e *exporter) init(v *Value) *onnx.Tensor {
	if name := e.name(v); v.init.Name != name {
		t := *v.init
		t.Name = name
		return &t
	}
	return v.init
}

func (e *exporter) sparse(v *Value) *onnx.SparseTensor {
	if name := e.name(v); v.sparse.Values.Name != name {
		t, values := *v.sparse, *v.sparse.Values
		values.Name = name
		t.Values = &values
		return &t
	}
	return v.sparse
}

// info is the value_info entry to write: as read when it still holds, with the
// new type after SetType, nil when the value is gone, is now named as an
// output, or is known to have another type.
func (e *exporter) info(g *Graph, entry infoEntry) *onnx.ValueInfo {
	v, info := entry.value, entry.info
	if v == nil {
		return info
	}
	renamed, moved := e.names[v]
	if v.gone || v.graph != g || !v.retyped && !v.confirms(info) || moved && g.isSlot(renamed) {
		return nil
	}
	if v.name == info.Name && !moved && !v.retyped {
		return info
	}
	changed := *info
	changed.Name = e.name(v)
	if v.retyped {
		if changed.Type = protoType(v.declared); changed.Type == nil {
			return nil
		}
	}
	return &changed
}

// confirms reports whether an entry of the file still holds: it does not
// contradict what is known, and after Forget it says nothing that is not known.
func (v *Value) confirms(info *onnx.ValueInfo) bool {
	said := typeOf(info.Type)
	joined, ok := refine(v.typ, said)
	return ok && (!v.forgotten || sameType(joined, v.typ))
}

func (g *Graph) isSlot(name string) bool {
	for _, s := range g.slots {
		if s.name == name {
			return true
		}
	}
	return false
}

// annotation is the entry to write: nil as soon as a value that it names is gone.
func (e *exporter) annotation(a annotation) *onnx.TensorAnnotation {
	p := *a.proto
	p.QuantParameterTensorName = append([]onnx.Entry(nil), p.QuantParameterTensorName...)
	changed := false
	if a.value != nil {
		if a.value.gone {
			return nil
		}
		changed = changed || p.TensorName != e.name(a.value)
		p.TensorName = e.name(a.value)
	}
	for i, v := range a.params {
		if v == nil {
			continue
		}
		if v.gone {
			return nil
		}
		changed = changed || p.QuantParameterTensorName[i].Value != e.name(v)
		p.QuantParameterTensorName[i].Value = e.name(v)
	}
	if !changed {
		return a.proto
	}
	return &p
}
