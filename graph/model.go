package graph

import (
	"iter"

	"github.com/onnxpass/onnxpass/onnx"
)

// Model is a whole model: header, main graph, functions.
type Model struct {
	Header    onnx.Model // IR version, producer, metadata, doc; Graph and Functions unset
	Main      *Graph
	Functions []*Function

	edits int
	bound []*Value // what training_info binds
}

// Function is a model-local function; its body is a Graph of its own.
type Function struct {
	Proto *onnx.Function // name, domain, attributes, opset imports; the lists of nodes, inputs, outputs and value_info are those of Body
	Body  *Graph
}

// Edits counts every change made since Import.
func (m *Model) Edits() int { return m.edits }

// Touch counts a change that was made past the methods of this package, such as one of Header.
func (m *Model) Touch() { m.edits++ }

// Opset is the imported version of a domain ("" is ai.onnx), 0 when not imported.
func (m *Model) Opset(domain string) int64 { return opset(m.Header.OpsetImport, domain) }

func opset(imports []*onnx.OperatorSet, domain string) int64 {
	domain = plainDomain(domain)
	for _, s := range imports {
		if plainDomain(s.Domain) == domain {
			return s.Version
		}
	}
	return 0
}

// SetOpset records an import. It converts nothing: see passes/opset.
func (m *Model) SetOpset(domain string, version int64) {
	m.Header.OpsetImport = withOpset(m.Header.OpsetImport, domain, version)
	m.edits++
}

// SetOpset records an import of the function. It converts nothing.
func (f *Function) SetOpset(domain string, version int64) {
	p := *f.Proto
	p.OpsetImport = withOpset(p.OpsetImport, domain, version)
	f.Proto = &p
	f.Body.model.edits++
}

func withOpset(imports []*onnx.OperatorSet, domain string, version int64) []*onnx.OperatorSet {
	out := append([]*onnx.OperatorSet(nil), imports...)
	for i, s := range out {
		if plainDomain(s.Domain) == plainDomain(domain) {
			changed := *s
			changed.Version = version
			out[i] = &changed
			return out
		}
	}
	return append(out, &onnx.OperatorSet{Domain: plainDomain(domain), Version: version})
}

// plainDomain maps the two spellings of the standard domain to one.
func plainDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// All yields the nodes of the main graph, its subgraphs (outer node first) and the functions.
func (m *Model) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for _, g := range m.roots() {
			if !g.walk(yield) {
				return
			}
		}
	}
}

// Graphs yields the main graph, all subgraphs and function bodies, outer before inner.
func (m *Model) Graphs() iter.Seq[*Graph] {
	return func(yield func(*Graph) bool) {
		for _, g := range m.roots() {
			if !g.walkGraphs(yield) {
				return
			}
		}
	}
}

func (m *Model) roots() []*Graph {
	roots := []*Graph{m.Main}
	for _, f := range m.Functions {
		roots = append(roots, f.Body)
	}
	return roots
}

// Function finds the function that a node of this domain, type and overload calls; nil when there is none.
func (m *Model) Function(domain, name, overload string) *Function {
	for _, f := range m.Functions {
		if f.Proto.Name == name && plainDomain(f.Proto.Domain) == plainDomain(domain) && f.Proto.Overload == overload {
			return f
		}
	}
	return nil
}

// DropFunction removes function i. No node may call it.
func (m *Model) DropFunction(i int) {
	m.Functions = append(m.Functions[:i:i], m.Functions[i+1:]...)
	m.edits++
}
