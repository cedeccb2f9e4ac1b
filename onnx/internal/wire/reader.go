package wire

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Wire types, as in the protobuf encoding.
const (
	Varint  = protowire.VarintType
	Fixed32 = protowire.Fixed32Type
	Fixed64 = protowire.Fixed64Type
	Bytes   = protowire.BytesType
)

// Field is one field as it stands in the input.
type Field struct {
	Num  protowire.Number
	Type protowire.Type
	Bits uint64 // value of a varint, fixed32 or fixed64 field
	Lo   int    // content of a length-delimited field: [Lo, Hi) of the input
	Hi   int
	Tag  int // offset of the field's tag
	End  int // offset behind the field
}

// Reader walks over the fields of one message, a window of a larger input.
type Reader struct {
	b        []byte
	pos, end int
}

// NewReader reads the message in b[lo:hi]. Offsets of fields count from the start of b.
func NewReader(b []byte, lo, hi int) Reader { return Reader{b: b, pos: lo, end: hi} }

// Pos is the offset of the next field.
func (r *Reader) Pos() int { return r.pos }

// More tells whether fields are left.
func (r *Reader) More() bool { return r.pos < r.end }

// SyntaxError is a place in the input that is not protobuf.
type SyntaxError struct {
	Offset int   // where the field begins
	Need   int64 // bytes that the field claims beyond the end of its message; 0 when unknown
	Err    error // io.ErrUnexpectedEOF when the input ends inside the field
}

func (e *SyntaxError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Next reads one field. A length that leaves the message is an error before
// anything is allocated for it.
func (r *Reader) Next(f *Field) error {
	b := r.b[r.pos:r.end]
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return r.syntax(n)
	}
	*f = Field{Num: num, Type: typ, Tag: r.pos}
	m := 0
	switch typ {
	case Varint:
		f.Bits, m = protowire.ConsumeVarint(b[n:])
	case Fixed32:
		var v uint32
		v, m = protowire.ConsumeFixed32(b[n:])
		f.Bits = uint64(v)
	case Fixed64:
		f.Bits, m = protowire.ConsumeFixed64(b[n:])
	case Bytes:
		return r.bytes(f, n)
	default:
		m = protowire.ConsumeFieldValue(num, typ, b[n:])
	}
	if m < 0 {
		return r.syntax(m)
	}
	r.pos += n + m
	f.End = r.pos
	return nil
}

// bytes finds the content of a length-delimited field whose tag has n bytes,
// without looking at the content.
func (r *Reader) bytes(f *Field, n int) error {
	size, m := protowire.ConsumeVarint(r.b[r.pos+n : r.end])
	if m < 0 {
		return r.syntax(m)
	}
	lo := r.pos + n + m
	if size > uint64(r.end-lo) {
		need := size - uint64(r.end-lo)
		return &SyntaxError{Offset: r.pos, Need: int64(min(need, 1<<62)), Err: io.ErrUnexpectedEOF}
	}
	f.Lo, f.Hi = lo, lo+int(size)
	r.pos = f.Hi
	f.End = r.pos
	return nil
}

func (r *Reader) syntax(n int) error {
	err := protowire.ParseError(n)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("not a protobuf field")
	}
	return &SyntaxError{Offset: r.pos, Err: err}
}

// Scalars calls yield for every element of a repeated number, packed or not.
// typ is the wire type of one element. It reports false when the field has
// another type or its packed content is malformed.
func (r *Reader) Scalars(f *Field, typ protowire.Type, yield func(bits uint64)) bool {
	if f.Type == typ {
		yield(f.Bits)
		return true
	}
	return f.Type == Bytes && Packed(r.b[f.Lo:f.Hi], typ, yield)
}

// Packed calls yield for every element of packed content.
func Packed(b []byte, typ protowire.Type, yield func(bits uint64)) bool {
	for len(b) > 0 {
		v, n := element(b, typ)
		if n < 0 {
			return false
		}
		yield(v)
		b = b[n:]
	}
	return true
}

func element(b []byte, typ protowire.Type) (uint64, int) {
	switch typ {
	case Varint:
		return protowire.ConsumeVarint(b)
	case Fixed32:
		v, n := protowire.ConsumeFixed32(b)
		return uint64(v), n
	default:
		return protowire.ConsumeFixed64(b)
	}
}
