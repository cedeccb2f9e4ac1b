package text

import (
	"strconv"

	"github.com/onnxpass/onnxpass/onnx"
)

// maxDepth bounds the nesting of subgraphs and of types.
const maxDepth = 64

// parser is a recursive descent parser with one token of look-ahead.
type parser struct {
	scanner
	depth int
}

// Parse reads a model. The error is a *diag.Error that names line and column.
// Memory is proportional to the length of src; generated tensors are computed
// when they are read.
func Parse(src string) (*onnx.Model, error) {
	p := &parser{scanner: scanner{src: src}}
	p.next()
	m := p.model()
	if p.err != nil {
		return nil, p.err
	}
	return m, nil
}

// model ::= header? graph function*
func (p *parser) model() *onnx.Model {
	m := &onnx.Model{}
	p.header(func(key token) { p.modelField(m, key) })
	m.Graph = p.graph()
	for p.more() {
		m.Functions = append(m.Functions, p.function())
	}
	return m
}

// header ::= ('<' key ':' value (',' key ':' value)* '>')?
func (p *parser) header(field func(key token)) {
	if !p.accept("<") {
		return
	}
	for !p.accept(">") && p.more() {
		key := p.tok
		p.name()
		p.expect(":")
		field(key)
		p.separator(">")
	}
}

func (p *parser) modelField(m *onnx.Model, key token) {
	switch key.text {
	case "ir_version":
		m.IRVersion = p.int64()
	case "opset_import":
		m.OpsetImport = p.opsets()
	case "producer_name":
		m.ProducerName = p.str()
	case "producer_version":
		m.ProducerVersion = p.str()
	case "domain":
		m.Domain = p.str()
	case "model_version":
		m.ModelVersion = p.int64()
	case "doc_string":
		m.DocString = p.str()
	case "metadata_props":
		m.MetadataProps = p.entries()
	default:
		p.fail(key.pos, "model header has no field %q", key.text)
	}
}

func (p *parser) functionField(f *onnx.Function, key token) {
	switch key.text {
	case "domain":
		f.Domain = p.str()
	case "overload":
		f.Overload = p.str()
	case "opset_import":
		f.OpsetImport = p.opsets()
	case "doc_string":
		f.DocString = p.str()
	case "metadata_props":
		f.MetadataProps = p.entries()
	default:
		p.fail(key.pos, "function header has no field %q", key.text)
	}
}

// function ::= header? name ('<' (name | attr),* '>')? '(' params ')' '=>' '(' params ')' value-infos? node-list
func (p *parser) function() *onnx.Function {
	f := &onnx.Function{}
	p.header(func(key token) { p.functionField(f, key) })
	f.Name = p.name()
	if p.accept("<") {
		for !p.accept(">") && p.more() {
			p.functionAttr(f)
			p.separator(">")
		}
	}
	f.Input = p.params(f)
	p.expect("=>")
	f.Output = p.params(f)
	if p.is("<") {
		values, _, _ := p.declarations("<", ">")
		f.ValueInfo = append(f.ValueInfo, values.infos()...)
		if values.initialized() {
			p.fail(p.tok.pos, "a function has no initializers")
		}
	}
	f.Node = p.nodes()
	return f
}

func (p *parser) functionAttr(f *onnx.Function) {
	name := p.name()
	if p.is(":") || p.is("=") {
		f.AttributeProto = append(f.AttributeProto, p.attributeValue(name))
		return
	}
	f.Attribute = append(f.Attribute, name)
}

// params reads function inputs or outputs; the types of those that have one go to value_info.
func (p *parser) params(f *onnx.Function) []string {
	var names []string
	p.expect("(")
	for !p.accept(")") && p.more() {
		v := p.valueInfo()
		names = append(names, v.Name)
		if v.Type != nil {
			f.ValueInfo = append(f.ValueInfo, v)
		}
		p.separator(")")
	}
	return names
}

// opsets ::= '[' string ':' int (',' string ':' int)* ']'
func (p *parser) opsets() []*onnx.OperatorSet {
	var sets []*onnx.OperatorSet
	p.expect("[")
	for !p.accept("]") && p.more() {
		domain := p.str()
		p.expect(":")
		sets = append(sets, &onnx.OperatorSet{Domain: domain, Version: p.int64()})
		p.separator("]")
	}
	return sets
}

// entries ::= '[' string ':' string (',' string ':' string)* ']'
func (p *parser) entries() []onnx.Entry {
	var entries []onnx.Entry
	p.expect("[")
	for !p.accept("]") && p.more() {
		key := p.str()
		p.expect(":")
		entries = append(entries, onnx.Entry{Key: key, Value: p.str()})
		p.separator("]")
	}
	return entries
}

// more says whether reading can go on: no error, and not at the end of the source.
func (p *parser) more() bool { return p.err == nil && p.tok.kind != kindEOF }

func (p *parser) is(punct string) bool { return p.tok.kind == kindPunct && p.tok.text == punct }

func (p *parser) accept(punct string) bool {
	if !p.is(punct) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(punct string) {
	if !p.accept(punct) {
		p.fail(p.tok.pos, "expected %q, found %s", punct, p.found())
	}
}

// separator takes a comma, or sees that the list ends here.
func (p *parser) separator(end string) {
	if !p.accept(",") && !p.is(end) {
		p.fail(p.tok.pos, "expected \",\" or %q, found %s", end, p.found())
	}
}

// found names the current token for messages.
func (p *parser) found() string {
	if p.tok.kind == kindEOF {
		return "the end of the text"
	}
	text := p.tok.text
	if len(text) > 40 {
		text = text[:40]
	}
	return strconv.Quote(text)
}

// name is an identifier or a quoted string.
func (p *parser) name() string {
	t := p.tok
	if t.kind != kindIdent && t.kind != kindString {
		p.fail(t.pos, "expected a name, found %s", p.found())
		return ""
	}
	p.next()
	return t.text
}

func (p *parser) str() string {
	t := p.tok
	if t.kind != kindString {
		p.fail(t.pos, "expected a quoted string, found %s", p.found())
		return ""
	}
	p.next()
	return t.text
}

func (p *parser) int64() int64 {
	t := p.tok
	v, err := strconv.ParseInt(t.text, 10, 64)
	if t.kind != kindNumber || err != nil {
		p.fail(t.pos, "expected an integer, found %s", p.found())
		return 0
	}
	p.next()
	return v
}

// enter counts a level of nesting; the function it returns leaves it.
func (p *parser) enter() func() {
	p.depth++
	if p.depth > maxDepth {
		p.fail(p.tok.pos, "nested deeper than %d levels", maxDepth)
	}
	return func() { p.depth-- }
}
