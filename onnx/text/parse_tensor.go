package text

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// content ::= '{' literals '}' | generator '(' numbers ')'
func (p *parser) content(at int, name string, t *onnx.TensorType) *onnx.Tensor {
	out := &onnx.Tensor{Name: name, Type: t.Elem}
	n := p.dims(at, out, t.Shape)
	switch {
	case p.err != nil:
	case p.tok.kind == kindIdent:
		p.generated(out, n)
	case p.is("["):
		p.fail(p.tok.pos, "a tensor in an external file cannot be read from text")
	default:
		p.literals(out, n)
	}
	return out
}

// dims checks that the shape is one of numbers and returns the number of elements.
func (p *parser) dims(at int, out *onnx.Tensor, s *onnx.Shape) int64 {
	if s == nil {
		p.fail(at, "a tensor with content needs a shape")
		return 0
	}
	n := uint64(1)
	for _, d := range s.Dim {
		if d.Kind != onnx.DimValue || d.Value < 0 {
			p.fail(at, "a tensor with content needs dimensions that are numbers")
			return 0
		}
		hi, lo := bits.Mul64(n, uint64(d.Value))
		if hi != 0 || lo > math.MaxInt64/16 {
			p.fail(at, "the shape has too many elements")
			return 0
		}
		out.Dims, n = append(out.Dims, d.Value), lo
	}
	return int64(n)
}

// literals reads n elements (2n numbers for complex types).
func (p *parser) literals(out *onnx.Tensor, n int64) {
	at := p.tok.pos
	p.expect("{")
	if p.is("...") {
		p.fail(p.tok.pos, "the content of tensor %q was left out when this text was printed", out.Name)
		return
	}
	if out.Type == onnx.Complex64 || out.Type == onnx.Complex128 {
		n *= 2
	}
	var data []byte
	var count int64
	for !p.accept("}") && p.more() {
		if out.Type == onnx.String {
			out.Strings = append(out.Strings, []byte(p.str()))
		} else {
			data = p.literal(data, out.Type)
		}
		count++
		p.separator("}")
	}
	if count != n {
		p.fail(at, "tensor %q of this shape has %d values, found %d", out.Name, n, count)
	}
	if out.Type != onnx.String && count > 0 {
		out.Data = onnx.RawBytes(pack(data, out.Type))
	}
}

// literal appends one literal in the form of raw data, except that types of
// 4 and 2 bits take a byte each: see pack.
func (p *parser) literal(data []byte, t onnx.DataType) []byte {
	at := p.tok.pos
	switch t {
	case onnx.Float, onnx.Complex64:
		v, _ := p.float(32)
		return binary.LittleEndian.AppendUint32(data, uint32(v))
	case onnx.Double, onnx.Complex128:
		v, _ := p.float(64)
		return binary.LittleEndian.AppendUint64(data, v)
	}
	f, ok := formatOf(t)
	if !ok {
		p.fail(at, "tensors of type %s have no literals", elementName(t))
		return data
	}
	if f.decode != nil && !isInteger(p.tok.text) {
		_, v := p.float(64)
		return appendLow(data, f.encode(v), f.bits)
	}
	return appendLow(data, p.integer(f), f.bits)
}

// integer reads a literal in the range of f and returns its two's complement.
func (p *parser) integer(f format) uint64 {
	t := p.tok
	var v uint64
	var err error
	if strings.HasPrefix(t.text, "-") && f.signed {
		var s int64
		s, err = strconv.ParseInt(t.text, 10, f.bits)
		v = uint64(s)
	} else {
		limit := f.bits
		if f.signed {
			limit--
		}
		v, err = strconv.ParseUint(t.text, 10, limit)
	}
	if t.kind != kindNumber || err != nil {
		p.fail(t.pos, "expected a number of type %s, found %s", elementName(f.elem), p.found())
		return 0
	}
	p.next()
	return v
}

// appendLow appends the lowest bits of v, in whole bytes.
func appendLow(data []byte, v uint64, size int) []byte {
	if size < 8 {
		return append(data, byte(v)&(1<<size-1))
	}
	for ; size > 0; size -= 8 {
		data = append(data, byte(v))
		v >>= 8
	}
	return data
}

// pack puts elements of less than 8 bits together, the first in the low bits.
func pack(data []byte, t onnx.DataType) []byte {
	f, ok := formatOf(t)
	if !ok || f.bits >= 8 {
		return data
	}
	per := 8 / f.bits
	out := make([]byte, (len(data)+per-1)/per)
	for i, b := range data {
		out[i/per] |= b << (i % per * f.bits)
	}
	return out
}

// sparseContent ::= '{' tensor ',' tensor '}': values, then indices.
func (p *parser) sparseContent(at int, name string, t *onnx.TensorType) *onnx.SparseTensor {
	var shape onnx.Tensor
	p.dims(at, &shape, t.Shape)
	s := &onnx.SparseTensor{Dims: shape.Dims}
	p.expect("{")
	s.Values = p.part()
	p.expect(",")
	s.Indices = p.part()
	p.expect("}")
	if p.err == nil {
		s.Values.Name = name
	}
	return s
}

func (p *parser) part() *onnx.Tensor {
	at := p.tok.pos
	elem := p.element()
	return p.content(at, "", &onnx.TensorType{Elem: elem, Shape: p.shape()})
}
