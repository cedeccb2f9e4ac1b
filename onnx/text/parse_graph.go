package text

import (
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// declaration is one entry of an input list or of the list between outputs
// and nodes: a typed name, which is an initializer when it has content.
type declaration struct {
	info    *onnx.ValueInfo
	content bool
}

type declarations []declaration

// infos are the entries that are not initializers.
func (d declarations) infos() []*onnx.ValueInfo {
	var infos []*onnx.ValueInfo
	for _, e := range d {
		if !e.content {
			infos = append(infos, e.info)
		}
	}
	return infos
}

func (d declarations) initialized() bool { return len(d.infos()) < len(d) }

// graph ::= name '(' declarations ')' '=>' '(' value-infos ')' ('<' declarations '>')? '{' node* '}'
func (p *parser) graph() *onnx.Graph { return p.graphNamed(p.name()) }

func (p *parser) graphNamed(name string) *onnx.Graph {
	defer p.enter()()
	g := &onnx.Graph{Name: name}
	inputs, initial, sparse := p.declarations("(", ")")
	for _, d := range inputs {
		g.Input = append(g.Input, d.info)
	}
	g.Initializer, g.SparseInitializer = initial, sparse
	p.expect("=>")
	outputs, _, _ := p.declarations("(", ")")
	if outputs.initialized() {
		p.fail(p.tok.pos, "an output has no content")
	}
	g.Output = outputs.infos()
	if p.is("<") {
		values, initial, sparse := p.declarations("<", ">")
		g.Initializer = append(g.Initializer, initial...)
		g.SparseInitializer = append(g.SparseInitializer, sparse...)
		g.ValueInfo = values.infos()
	}
	g.Node = p.nodes()
	return g
}

// declarations ::= open (type? name ('=' content)?),* close
func (p *parser) declarations(open, end string) (all declarations, dense []*onnx.Tensor, sparse []*onnx.SparseTensor) {
	p.expect(open)
	for !p.accept(end) && p.more() {
		at := p.tok.pos
		info := p.valueInfo()
		content := p.accept("=")
		if content {
			switch t := info.Type; {
			case t == nil || t.Tensor == nil && t.SparseTensor == nil:
				p.fail(at, "initializer %q needs a tensor type", info.Name)
			case t.SparseTensor != nil:
				sparse = append(sparse, p.sparseContent(at, info.Name, t.SparseTensor))
			default:
				dense = append(dense, p.content(at, info.Name, t.Tensor))
			}
		}
		all = append(all, declaration{info, content})
		p.separator(end)
	}
	return all, dense, sparse
}

// valueInfo ::= type? name
func (p *parser) valueInfo() *onnx.ValueInfo {
	v := &onnx.ValueInfo{}
	if p.isType() {
		v.Type = p.typ()
	}
	v.Name = p.name()
	return v
}

// nodes ::= '{' node* '}'
func (p *parser) nodes() []*onnx.Node {
	var nodes []*onnx.Node
	p.expect("{")
	for !p.accept("}") {
		if !p.more() {
			p.fail(p.tok.pos, "expected a node or \"}\", found %s", p.found())
			break
		}
		nodes = append(nodes, p.node())
	}
	return nodes
}

// node ::= ('[' name ']')? names '=' (name '.')* op (':' overload)? attributes? '(' names ')' attributes?
func (p *parser) node() *onnx.Node {
	n := &onnx.Node{}
	if p.accept("[") {
		n.Name = p.name()
		p.expect("]")
	}
	n.Output = p.names()
	p.expect("=")
	path := []string{p.name()}
	for p.accept(".") {
		path = append(path, p.name())
	}
	last := len(path) - 1
	n.Domain, n.OpType = strings.Join(path[:last], "."), path[last]
	if p.accept(":") {
		n.Overload = p.name()
	}
	n.Attribute = p.attributes()
	p.expect("(")
	n.Input = p.names()
	p.expect(")")
	if n.Attribute == nil {
		n.Attribute = p.attributes()
	}
	return n
}

// names reads operands. An absent one is "" or nothing before a comma; a comma at the end adds none.
func (p *parser) names() []string {
	var names []string
	for {
		switch {
		case p.tok.kind == kindIdent || p.tok.kind == kindString:
			names = append(names, p.name())
		case p.is(","):
			names = append(names, "")
		default:
			return names
		}
		if !p.accept(",") {
			return names
		}
	}
}
