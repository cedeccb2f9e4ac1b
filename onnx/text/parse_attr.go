package text

import (
	"math"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// attributeNames are the names of attribute types in the syntax, by number.
var attributeNames = [...]string{
	onnx.AttrFloat: "float", onnx.AttrInt: "int", onnx.AttrString: "string", onnx.AttrTensor: "tensor",
	onnx.AttrGraph: "graph", onnx.AttrFloats: "floats", onnx.AttrInts: "ints", onnx.AttrStrings: "strings",
	onnx.AttrTensors: "tensors", onnx.AttrGraphs: "graphs", onnx.AttrSparseTensor: "sparse_tensor",
	onnx.AttrSparseTensors: "sparse_tensors", onnx.AttrTypeProto: "type_proto", onnx.AttrTypeProtos: "type_protos",
}

// listOf is the type of a list whose elements have type t.
func listOf(t onnx.AttributeType) onnx.AttributeType {
	switch t {
	case onnx.AttrFloat, onnx.AttrInt, onnx.AttrString, onnx.AttrTensor, onnx.AttrGraph:
		return t + 5
	case onnx.AttrSparseTensor, onnx.AttrTypeProto:
		return t + 1
	}
	return onnx.AttrUndefined
}

// attributes ::= ('<' name (':' type)? '=' value (',' ...)* '>')?
func (p *parser) attributes() []*onnx.Attribute {
	var attrs []*onnx.Attribute
	if p.accept("<") {
		for !p.accept(">") && p.more() {
			attrs = append(attrs, p.attributeValue(p.name()))
			p.separator(">")
		}
	}
	return attrs
}

// attributeValue reads what follows the name of an attribute.
func (p *parser) attributeValue(name string) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	if p.accept(":") {
		a.Type = p.attributeType()
	}
	at := p.tok.pos
	p.expect("=")
	switch {
	case p.accept("@"):
		a.RefAttrName = p.name()
	case p.is("["):
		p.attributeList(a)
	default:
		declared := a.Type
		p.single(a, declared)
		if declared != onnx.AttrUndefined && declared != a.Type {
			p.fail(at, "attribute %q is declared %s, its value is %s", name, attributeNames[declared], attributeNames[a.Type])
		}
	}
	return a
}

func (p *parser) attributeType() onnx.AttributeType {
	word := p.tok
	p.name()
	for i, n := range attributeNames {
		if n != "" && n == word.text {
			return onnx.AttributeType(i)
		}
	}
	p.fail(word.pos, "%q is no attribute type", word.text)
	return onnx.AttrUndefined
}

func (p *parser) attributeList(a *onnx.Attribute) {
	at := p.tok.pos
	declared := a.Type
	p.expect("[")
	for !p.accept("]") && p.more() {
		var e onnx.Attribute
		p.single(&e, elementOf(declared))
		t := listOf(e.Type)
		if a.Type != onnx.AttrUndefined && a.Type != t {
			p.fail(at, "attribute %q is a list of %s that holds a %s", a.Name, attributeNames[a.Type], attributeNames[e.Type])
			return
		}
		a.Type = t
		appendValue(a, &e)
		p.separator("]")
	}
	if listOf(elementOf(a.Type)) == onnx.AttrUndefined {
		p.fail(at, "the empty list of attribute %q needs a list type, for instance %s: ints = []", a.Name, a.Name)
	}
}

// elementOf is the type of the elements of list type t.
func elementOf(t onnx.AttributeType) onnx.AttributeType {
	for e := onnx.AttrFloat; e <= onnx.AttrTypeProto; e++ {
		if t != onnx.AttrUndefined && listOf(e) == t {
			return e
		}
	}
	return onnx.AttrUndefined
}

func appendValue(a, e *onnx.Attribute) {
	switch e.Type {
	case onnx.AttrFloat:
		a.Floats = append(a.Floats, e.F)
	case onnx.AttrInt:
		a.Ints = append(a.Ints, e.I)
	case onnx.AttrString:
		a.Strings = append(a.Strings, e.S)
	case onnx.AttrTensor:
		a.Tensors = append(a.Tensors, e.T)
	case onnx.AttrGraph:
		a.Graphs = append(a.Graphs, e.G)
	case onnx.AttrSparseTensor:
		a.SparseTensors = append(a.SparseTensors, e.SparseTensor)
	case onnx.AttrTypeProto:
		a.TypeProtos = append(a.TypeProtos, e.TypeProto)
	}
}

// single reads one value. An integer literal becomes a float where want says so.
func (p *parser) single(a *onnx.Attribute, want onnx.AttributeType) {
	t := p.tok
	switch {
	case p.isType():
		p.typedValue(a)
	case t.kind == kindNumber && want != onnx.AttrFloat && isInteger(t.text):
		a.Type, a.I = onnx.AttrInt, p.int64()
	case t.kind == kindNumber || t.kind == kindIdent && isFloatWord(t.text):
		bits, _ := p.float(32)
		a.Type, a.F = onnx.AttrFloat, math.Float32frombits(uint32(bits))
	case t.kind == kindIdent:
		a.Type, a.G = onnx.AttrGraph, p.graph()
	case t.kind == kindString:
		p.next()
		if p.is("(") {
			a.Type, a.G = onnx.AttrGraph, p.graphNamed(t.text)
			return
		}
		a.Type, a.S = onnx.AttrString, []byte(t.text)
	default:
		p.fail(t.pos, "expected a value, found %s", p.found())
	}
}

// typedValue is a type, or a tensor when a name or content follows the type.
func (p *parser) typedValue(a *onnx.Attribute) {
	at := p.tok.pos
	t := p.typ()
	tensor := p.is("=") || p.is("{") || p.tok.kind == kindIdent || p.tok.kind == kindString
	if !tensor {
		a.Type, a.TypeProto = onnx.AttrTypeProto, t
		return
	}
	name := ""
	// A word right before content is the generator, not the tensor's name.
	if p.tok.kind == kindString || p.tok.kind == kindIdent && !isGenerator(p.tok.text) {
		name = p.name()
	}
	p.accept("=")
	switch {
	case t.SparseTensor != nil:
		a.Type, a.SparseTensor = onnx.AttrSparseTensor, p.sparseContent(at, name, t.SparseTensor)
	case t.Tensor != nil:
		a.Type, a.T = onnx.AttrTensor, p.content(at, name, t.Tensor)
	default:
		p.fail(at, "content needs a tensor type")
	}
}

func isInteger(literal string) bool { return !strings.ContainsAny(literal, ".eEinfa") }

// isFloatWord says whether a word is a float literal.
func isFloatWord(word string) bool {
	switch strings.ToLower(word) {
	case "inf", "infinity", "nan":
		return true
	}
	return false
}

// float reads a literal of IEEE format with the given number of bits and returns its bit pattern.
func (p *parser) float(size int) (bits uint64, value float64) {
	t := p.tok
	word := strings.TrimPrefix(t.text, "-")
	if t.kind == kindString || t.kind == kindPunct || t.kind == kindEOF {
		p.fail(t.pos, "expected a number, found %s", p.found())
		return 0, 0
	}
	if strings.EqualFold(word, "nan") {
		p.next()
		return p.nan(size, len(word) < len(t.text)), math.NaN()
	}
	v, err := strconv.ParseFloat(t.text, size)
	if err != nil || isHexFloat(word) {
		p.fail(t.pos, "expected a number, found %s", p.found())
		return 0, 0
	}
	p.next()
	if size == 32 {
		return uint64(math.Float32bits(float32(v))), v
	}
	return math.Float64bits(v), v
}

func isHexFloat(word string) bool { return strings.ContainsAny(word, "xX_") }

// nan reads the optional (bits) behind the word.
func (p *parser) nan(size int, negative bool) uint64 {
	quiet, sign := uint64(0x7fc00000), uint64(1)<<31
	if size == 64 {
		quiet, sign = 0x7ff8000000000000, 1<<63
	}
	if p.accept("(") {
		t := p.tok
		bits, err := strconv.ParseUint(t.text, 10, size)
		if t.kind != kindNumber || err != nil {
			p.fail(t.pos, "expected the bits of a NaN, found %s", p.found())
		}
		p.next()
		p.expect(")")
		return bits
	}
	if negative {
		quiet |= sign
	}
	return quiet
}
