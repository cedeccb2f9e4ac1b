package text

import (
	"math"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// graph prints g; indent stands before its closing brace.
func (p *printer) graph(g *onnx.Graph, indent string) {
	p.put(id(g.Name), " (")
	p.valueInfos(g.Input)
	p.put(") => (")
	p.valueInfos(g.Output)
	p.put(")")
	if len(g.Initializer)+len(g.SparseInitializer)+len(g.ValueInfo) > 0 {
		p.put("\n")
		p.declarations(g.Initializer, g.SparseInitializer, g.ValueInfo, indent)
		p.put(indent)
	} else {
		p.put(" ")
	}
	p.nodes(g.Node, indent)
}

func (p *printer) valueInfos(values []*onnx.ValueInfo) {
	sep := ""
	for _, v := range values {
		p.put(sep)
		p.valueInfo(v)
		sep = ", "
	}
}

func (p *printer) valueInfo(v *onnx.ValueInfo) {
	if t := typeText(v.Type); t != "" {
		p.put(t, " ")
	}
	p.put(id(v.Name))
}

// declarations prints the list between outputs and nodes, a line for each entry.
func (p *printer) declarations(dense []*onnx.Tensor, sparse []*onnx.SparseTensor, values []*onnx.ValueInfo, indent string) {
	sep := indent + "<\n"
	line := func() {
		p.put(sep, indent, indentation)
		sep = ",\n"
	}
	for _, t := range dense {
		line()
		p.put(tensorType(t), " ", id(t.Name), " = ")
		p.content(t)
	}
	for _, s := range sparse {
		line()
		p.sparse(s, " = ")
	}
	for _, v := range values {
		line()
		p.valueInfo(v)
	}
	if sep == ",\n" {
		p.put("\n", indent, ">\n")
	}
}

func (p *printer) nodes(nodes []*onnx.Node, indent string) {
	p.put("{\n")
	for _, n := range nodes {
		p.put(indent, indentation)
		p.node(n, indent+indentation)
		p.put("\n")
	}
	p.put(indent, "}")
}

// node prints attributes before the inputs, unless one is a graph.
func (p *printer) node(n *onnx.Node, indent string) {
	if n.Name != "" {
		p.put("[", id(n.Name), "] ")
	}
	if len(n.Output) > 0 {
		p.put(idList(n.Output), " ")
	}
	p.put("= ", operator(n))
	last := false
	for _, a := range n.Attribute {
		last = last || a.G != nil || len(a.Graphs) > 0
	}
	if !last {
		p.attributes(n.Attribute, indent)
	}
	p.put(" (", idList(n.Input), ")")
	if last {
		p.attributes(n.Attribute, indent)
	}
}

// operator is domain.op:overload.
func operator(n *onnx.Node) string {
	s := id(n.OpType)
	if n.Domain != "" {
		s = domainText(n.Domain) + "." + s
	}
	if n.Overload != "" {
		s += ":" + id(n.Overload)
	}
	return s
}

func domainText(domain string) string {
	for _, part := range strings.Split(domain, ".") {
		if !isIdent(part) {
			return quote(domain)
		}
	}
	return domain
}

func (p *printer) attributes(attrs []*onnx.Attribute, indent string) {
	if len(attrs) == 0 {
		return
	}
	sep := " <"
	for _, a := range attrs {
		p.put(sep)
		p.attribute(a, indent)
		sep = ", "
	}
	p.put(">")
}

func (p *printer) attribute(a *onnx.Attribute, indent string) {
	t := typeOf(a)
	p.put(id(a.Name))
	if count(a, t) == 0 || a.RefAttrName != "" {
		if t > 0 && int(t) < len(attributeNames) {
			p.put(": ", attributeNames[t])
		}
	}
	p.put(" = ")
	if a.RefAttrName != "" {
		p.put("@", id(a.RefAttrName))
		return
	}
	p.attributeValue(a, t, indent)
}

// typeOf is the attribute's type, guessed from its content when it is not declared.
func typeOf(a *onnx.Attribute) onnx.AttributeType {
	if a.Type != onnx.AttrUndefined {
		return a.Type
	}
	for t := onnx.AttrFloats; t <= onnx.AttrTypeProtos; t++ {
		if count(a, t) > 0 && elementOf(t) != onnx.AttrUndefined {
			return t
		}
	}
	switch {
	case a.T != nil:
		return onnx.AttrTensor
	case a.G != nil:
		return onnx.AttrGraph
	case a.SparseTensor != nil:
		return onnx.AttrSparseTensor
	case a.TypeProto != nil:
		return onnx.AttrTypeProto
	case a.S != nil:
		return onnx.AttrString
	case a.F != 0:
		return onnx.AttrFloat
	}
	return onnx.AttrInt
}

// count is the length of a list value of type t, 1 for single values.
func count(a *onnx.Attribute, t onnx.AttributeType) int {
	switch t {
	case onnx.AttrFloats:
		return len(a.Floats)
	case onnx.AttrInts:
		return len(a.Ints)
	case onnx.AttrStrings:
		return len(a.Strings)
	case onnx.AttrTensors:
		return len(a.Tensors)
	case onnx.AttrGraphs:
		return len(a.Graphs)
	case onnx.AttrSparseTensors:
		return len(a.SparseTensors)
	case onnx.AttrTypeProtos:
		return len(a.TypeProtos)
	}
	return 1
}

func (p *printer) attributeValue(a *onnx.Attribute, t onnx.AttributeType, indent string) {
	switch t {
	case onnx.AttrFloat:
		p.put(floatLiteral(a.F))
	case onnx.AttrInt:
		p.put(strconv.FormatInt(a.I, 10))
	case onnx.AttrString:
		p.put(quote(string(a.S)))
	case onnx.AttrFloats:
		p.put(list(a.Floats, floatLiteral))
	case onnx.AttrInts:
		p.put(list(a.Ints, func(v int64) string { return strconv.FormatInt(v, 10) }))
	case onnx.AttrStrings:
		p.put(list(a.Strings, func(s []byte) string { return quote(string(s)) }))
	case onnx.AttrTypeProto:
		p.put(typeText(a.TypeProto))
	case onnx.AttrTypeProtos:
		p.put(list(a.TypeProtos, typeText))
	case onnx.AttrTensor:
		p.tensor(a.T)
	case onnx.AttrTensors:
		putList(p, a.Tensors, p.tensor)
	case onnx.AttrSparseTensor:
		p.sparse(a.SparseTensor, " ")
	case onnx.AttrSparseTensors:
		putList(p, a.SparseTensors, func(s *onnx.SparseTensor) { p.sparse(s, " ") })
	case onnx.AttrGraph:
		p.subgraph(a.G, indent)
	case onnx.AttrGraphs:
		putList(p, a.Graphs, func(g *onnx.Graph) { p.subgraph(g, indent) })
	default:
		p.put(quote("attribute type " + strconv.Itoa(int(t))))
	}
}

func putList[E any](p *printer, all []E, put func(E)) {
	sep := "["
	for _, e := range all {
		p.put(sep)
		put(e)
		sep = ", "
	}
	if sep == "[" {
		p.put(sep)
	}
	p.put("]")
}

func (p *printer) subgraph(g *onnx.Graph, indent string) {
	if g == nil {
		g = &onnx.Graph{}
	}
	p.graph(g, indent)
}

// floatLiteral always has a point, an exponent or a word, so that it does not read as an integer.
func floatLiteral(v float32) string {
	if v != v {
		return nanLiteral(uint64(math.Float32bits(v)), 0x7fc00000, 1<<31)
	}
	return pointed(strconv.FormatFloat(float64(v), 'g', -1, 32))
}

func pointed(s string) string {
	if isInteger(s) {
		return s + ".0"
	}
	return strings.ToLower(strings.TrimPrefix(s, "+"))
}

func nanLiteral(code, quiet, sign uint64) string {
	switch code {
	case quiet:
		return "nan"
	case quiet | sign:
		return "-nan"
	}
	return "nan(" + strconv.FormatUint(code, 10) + ")"
}
