package text

import (
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// elementNames are the names of element types in the syntax, by number.
var elementNames = [...]string{
	onnx.Float: "float", onnx.Uint8: "uint8", onnx.Int8: "int8", onnx.Uint16: "uint16", onnx.Int16: "int16",
	onnx.Int32: "int32", onnx.Int64: "int64", onnx.String: "string", onnx.Bool: "bool", onnx.Float16: "float16",
	onnx.Double: "double", onnx.Uint32: "uint32", onnx.Uint64: "uint64", onnx.Complex64: "complex64",
	onnx.Complex128: "complex128", onnx.BFloat16: "bfloat16", onnx.Float8E4M3FN: "float8e4m3fn",
	onnx.Float8E4M3FNUZ: "float8e4m3fnuz", onnx.Float8E5M2: "float8e5m2", onnx.Float8E5M2FNUZ: "float8e5m2fnuz",
	onnx.Uint4: "uint4", onnx.Int4: "int4", onnx.Float4E2M1: "float4e2m1", onnx.Float8E8M0: "float8e8m0",
	onnx.Uint2: "uint2", onnx.Int2: "int2", onnx.Undefined: "undefined",
}

// elementName is the name of t.
func elementName(t onnx.DataType) string {
	if t >= 0 && int(t) < len(elementNames) {
		return elementNames[t]
	}
	return "undefined"
}

// elementType looks a name up; ok is false when it is no element type.
func elementType(name string) (t onnx.DataType, ok bool) {
	for i, n := range elementNames {
		if n == name {
			return onnx.DataType(i), true
		}
	}
	return 0, false
}

// isTypeWord says whether an unquoted word starts a type.
func isTypeWord(word string) bool {
	switch word {
	case "seq", "map", "optional", "sparse_tensor", "opaque":
		return true
	}
	_, ok := elementType(word)
	return ok
}

func (p *parser) isType() bool { return p.tok.kind == kindIdent && isTypeWord(p.tok.text) }

// typ ::= element shape? | seq '(' type ')' | map '(' element ',' type ')' | optional '(' type ')'
// | sparse_tensor '(' element shape? ')' | opaque '(' ... ')'
func (p *parser) typ() *onnx.Type {
	defer p.enter()()
	word := p.tok
	p.name()
	t := &onnx.Type{}
	if elem, ok := elementType(word.text); ok {
		t.Tensor = &onnx.TensorType{Elem: elem, Shape: p.shape()}
		return t
	}
	p.expect("(")
	switch word.text {
	case "seq":
		t.Sequence = p.inner()
	case "optional":
		t.Optional = p.inner()
	case "map":
		key := p.element()
		p.expect(",")
		t.Map = &onnx.MapType{Key: key, Value: p.inner()}
	case "sparse_tensor":
		elem := p.element()
		t.SparseTensor = &onnx.TensorType{Elem: elem, Shape: p.shape()}
	case "opaque":
		t.Opaque = p.opaque()
	}
	p.expect(")")
	return t
}

func (p *parser) inner() *onnx.Type {
	if !p.isType() {
		p.fail(p.tok.pos, "expected a type, found %s", p.found())
		return nil
	}
	return p.typ()
}

func (p *parser) element() onnx.DataType {
	word := p.tok
	elem, ok := elementType(word.text)
	if word.kind != kindIdent || !ok {
		p.fail(word.pos, "expected an element type, found %s", p.found())
	}
	p.next()
	return elem
}

// shape ::= nothing (a scalar) | '[' ']' (rank unknown) | '[' dim (',' dim)* ']'
func (p *parser) shape() *onnx.Shape {
	s := &onnx.Shape{}
	if !p.accept("[") {
		return s
	}
	if p.accept("]") {
		return nil
	}
	for p.more() {
		s.Dim = append(s.Dim, p.dim())
		if !p.accept(",") {
			break
		}
	}
	p.expect("]")
	return s
}

func (p *parser) dim() onnx.Dim {
	switch {
	case p.accept("?"):
		return onnx.Dim{}
	case p.tok.kind == kindNumber:
		return onnx.Dim{Kind: onnx.DimValue, Value: p.int64()}
	default:
		return onnx.Dim{Kind: onnx.DimParam, Param: p.name()}
	}
}

// opaque ::= nothing | name | domain ',' name; unquoted names may be dotted.
func (p *parser) opaque() *onnx.OpaqueType {
	if p.is(")") {
		return &onnx.OpaqueType{}
	}
	first := []string{p.name()}
	for p.accept(".") {
		first = append(first, p.name())
	}
	word := strings.Join(first, ".")
	if p.accept(",") {
		return &onnx.OpaqueType{Domain: word, Name: p.name()}
	}
	return &onnx.OpaqueType{Name: word}
}
