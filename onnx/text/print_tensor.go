package text

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/onnxpass/onnxpass/onnx"
)

func tensorType(t *onnx.Tensor) string { return elementName(t.Type) + shapeText(t.Dims) }

// tensor prints an attribute value.
func (p *printer) tensor(t *onnx.Tensor) {
	if t == nil {
		p.put("undefined {... missing}")
		return
	}
	p.put(tensorType(t), " ")
	if t.Name != "" {
		p.put(id(t.Name), " ")
	}
	p.content(t)
}

// sparse prints type, name, sep and both parts.
func (p *printer) sparse(s *onnx.SparseTensor, sep string) {
	if s == nil || s.Values == nil || s.Indices == nil {
		p.put("sparse_tensor(undefined) {... missing}")
		return
	}
	p.put("sparse_tensor(", elementName(s.Values.Type), shapeText(s.Dims), ")")
	if s.Values.Name != "" || sep != " " {
		p.put(" ", id(s.Values.Name))
	}
	p.put(sep, "{ ", tensorType(s.Values), " ")
	p.content(s.Values)
	p.put(", ", tensorType(s.Indices), " ")
	p.content(s.Indices)
	p.put(" }")
}

// content prints what stands behind the type and the name of a tensor.
func (p *printer) content(t *onnx.Tensor) {
	n, ok := elements(t)
	g, generated := t.Data.(*Generated)
	switch {
	case !ok:
		p.put("{... impossible shape}")
	case generated:
		p.put(g.String())
	case n == 0:
		p.put("{}")
	case p.Elide > 0 && n > int64(p.Elide) && p.NoContent:
		p.put("{...}")
	case t.Type == onnx.String:
		p.strings(t, n)
	default:
		p.numbers(t, n)
	}
}

// elements is the number of elements of t's shape.
func elements(t *onnx.Tensor) (n int64, ok bool) {
	total := uint64(1)
	for _, d := range t.Dims {
		if d < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(total, uint64(d))
		if hi != 0 || lo > math.MaxInt64/16 {
			return 0, false
		}
		total = lo
	}
	return int64(total), true
}

func (p *printer) strings(t *onnx.Tensor, n int64) {
	switch {
	case int64(len(t.Strings)) != n:
		p.put(fmt.Sprintf("{... %d strings, %d expected}", len(t.Strings), n))
	case p.Elide > 0 && n > int64(p.Elide):
		sum := sha256.New()
		for _, s := range t.Strings {
			sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(s))))
			sum.Write(s)
		}
		p.put(fmt.Sprintf("{... sha256:%.6x}", sum.Sum(nil)))
	default:
		sep := "{"
		for _, s := range t.Strings {
			p.put(sep, quote(string(s)))
			sep = ", "
		}
		p.put("}")
	}
}

func (p *printer) numbers(t *onnx.Tensor, n int64) {
	f, ok := numberFormat(t.Type)
	if t.Type == onnx.Complex64 || t.Type == onnx.Complex128 {
		n *= 2
	}
	data, err := content(t)
	switch {
	case !ok:
		p.put("{... unknown element type ", strconv.Itoa(int(t.Type)), "}")
	case err != nil:
		p.put("{... unreadable: ", quote(err.Error()), "}")
	case int64(len(data)) != f.size(n):
		p.put(fmt.Sprintf("{... %d bytes, %d expected}", len(data), f.size(n)))
	case p.Elide > 0 && n > int64(p.Elide):
		p.put(f.summary(data, n))
	default:
		if p.BitPatterns {
			f.decode = nil
		}
		sep := "{"
		var buf []byte
		for i := range n {
			buf = f.appendLiteral(append(buf[:0], sep...), f.code(data, i))
			_, _ = p.w.Write(buf)
			sep = ", "
		}
		p.put("}")
	}
}

// numberFormat is formatOf with complex types as pairs of floats.
func numberFormat(t onnx.DataType) (format, bool) {
	switch t {
	case onnx.Complex64:
		t = onnx.Float
	case onnx.Complex128:
		t = onnx.Double
	}
	return formatOf(t)
}

func content(t *onnx.Tensor) ([]byte, error) {
	if t.Data == nil {
		return nil, nil
	}
	return t.Data.Bytes()
}

// summary is digest and range; NaN are counted and not part of the range.
func (f format) summary(data []byte, n int64) string {
	low, high, nans := math.Inf(1), math.Inf(-1), 0
	for i := range n {
		switch v := f.value(data, i); {
		case v != v:
			nans++
		default:
			low, high = min(low, v), max(high, v)
		}
	}
	s := fmt.Sprintf("{... sha256:%.6x", sha256.Sum256(data))
	if low <= high {
		s += fmt.Sprintf(" min:%s max:%s", f.short(low), f.short(high))
	}
	if nans > 0 {
		s += fmt.Sprintf(" nan:%d", nans)
	}
	return s + "}"
}

// short is the shortest text of a value of this type.
func (f format) short(v float64) string {
	size := 64
	if f.isFloat() && f.elem != onnx.Double {
		size = 32
	}
	return strconv.FormatFloat(v, 'g', -1, size)
}

// appendLiteral writes an element so that parsing gives the same bits.
func (f format) appendLiteral(b []byte, code uint64) []byte {
	switch {
	case f.elem == onnx.Float:
		return appendFloat(b, float64(math.Float32frombits(uint32(code))), 32, code, 0x7fc00000, 1<<31)
	case f.elem == onnx.Double:
		return appendFloat(b, math.Float64frombits(code), 64, code, 0x7ff8000000000000, 1<<63)
	case f.decode != nil:
		v := f.decode(code)
		if v != v || f.encode(v) != code {
			return strconv.AppendUint(b, code, 10)
		}
		return append(b, pointed(strconv.FormatFloat(v, 'g', -1, 32))...)
	case f.signed:
		return strconv.AppendInt(b, f.signedCode(code), 10)
	}
	return strconv.AppendUint(b, code, 10)
}

func appendFloat(b []byte, v float64, size int, code, quiet, sign uint64) []byte {
	switch {
	case v != v:
		return append(b, nanLiteral(code, quiet, sign)...)
	case math.IsInf(v, 1):
		return append(b, "inf"...)
	case math.IsInf(v, -1):
		return append(b, "-inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, size)
}
