package verify

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// oldestIR is the first IR version with operator set imports; newestIR is the
// one of the schema that package onnx is written from.
const (
	oldestIR = 3
	newestIR = 14
)

func (c *checker) header(m *onnx.Model) {
	if m.IRVersion < oldestIR {
		c.add("OP3110", "the IR version is too old", "wanted", fmt.Sprintf("%d or later", oldestIR), "found", fmt.Sprint(m.IRVersion))
	}
	if m.IRVersion > newestIR {
		c.add("OP3110", "the IR version is newer than this program knows", "wanted", fmt.Sprintf("%d or earlier", newestIR), "found", fmt.Sprint(m.IRVersion))
	}
	if len(m.OpsetImport) == 0 {
		c.add("OP3111", "the model imports no operator set")
	}
	c.imports(m.OpsetImport, "graph", m.Graph.Name)
	c.metadata(m.MetadataProps, "graph", m.Graph.Name)
	names := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		names[t.Name] = true
	}
	for _, t := range m.TrainingInfo {
		for _, list := range [][]onnx.Entry{t.InitializationBinding, t.UpdateBinding} {
			for _, e := range list {
				if !names[e.Key] {
					c.add("OP3129", "training_info binds a tensor that is no initializer", "tensor", e.Key)
				}
			}
		}
	}
}

// imports checks a list of operator set imports.
func (c *checker) imports(list []*onnx.OperatorSet, where ...string) {
	seen := map[string]bool{}
	for _, s := range list {
		domain := plain(s.Domain)
		switch {
		case seen[domain]:
			c.add("OP3111", "an operator set is imported twice", append(where, "domain", domainName(domain))...)
		case s.Version < 1:
			c.add("OP3111", "an operator set has no version", append(where, "domain", domainName(domain), "found", fmt.Sprint(s.Version))...)
		case schema.Latest(domain) > 0 && s.Version > schema.Latest(domain):
			c.add("OP3111", "an operator set is newer than this program knows",
				append(where, "domain", domainName(domain), "wanted", fmt.Sprintf("%d or earlier", schema.Latest(domain)), "found", fmt.Sprint(s.Version))...)
		}
		seen[domain] = true
	}
}

func plain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

func domainName(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

// mainInterface checks what the main graph declares of its inputs and outputs.
func (c *checker) mainInterface(g *onnx.Graph) {
	initialized := map[string]bool{}
	for _, t := range g.Initializer {
		initialized[t.Name] = true
	}
	for _, v := range g.Input {
		c.declaration("graph input", v)
		delete(initialized, v.Name)
	}
	if len(g.Output) == 0 {
		c.add("OP3114", "the model has no outputs", "graph", g.Name)
	}
	outputs := map[string]bool{}
	for _, v := range g.Output {
		c.declaration("graph output", v)
		if outputs[v.Name] {
			c.add("OP3114", "two graph outputs have one name", "graph output", v.Name)
		}
		outputs[v.Name] = true
	}
	if c.model.Header.IRVersion < 4 && len(initialized) > 0 {
		for _, t := range g.Initializer {
			if initialized[t.Name] {
				c.add("OP3119", "an initializer is not listed as a graph input, which IR version 3 demands", "initializer", t.Name)
			}
		}
	}
}

func (c *checker) declaration(what string, v *onnx.ValueInfo) {
	switch t := v.Type; {
	case v.Name == "":
		c.add("OP3114", "a "+what+" has no name")
	case t == nil || t.Tensor == nil && t.Sequence == nil && t.Map == nil && t.Optional == nil && t.SparseTensor == nil && t.Opaque == nil:
		c.add("OP3114", "a "+what+" has no type", what, v.Name)
	case t.Tensor == nil:
	case !t.Tensor.Elem.Known():
		c.add("OP3114", "a "+what+" has no element type", what, v.Name)
	case t.Tensor.Shape == nil:
		c.add("OP3114", "a "+what+" has no shape", what, v.Name)
	}
	c.metadata(v.MetadataProps, what, v.Name)
}
