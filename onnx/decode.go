package onnx

import (
	"fmt"
	"unsafe"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// maxDepth is how deeply messages may nest; protobuf's own readers stop at
	// 100 too, so a deeper file could not be read by any runtime.
	maxDepth = 100

	// Memory that decoding may take: a real file needs a few times its own
	// structure, a hostile one of millions of empty messages is stopped.
	memoryFloor = 64 << 20
	memoryRatio = 64
	memoryLimit = 4 << 30
)

// message is what every struct of this package implements to be read and written.
type message interface {
	// field stores one field. It reports false for a field that it does not
	// know or that has an unexpected wire type; the bytes are then kept.
	field(d *decoder, f *wire.Field) bool
	encode(e *encoder)
	kept() *keep
}

func (k *keep) kept() *keep { return k }

// has tells whether a field was written although it may hold its default value.
func (k *keep) has(num protowire.Number) bool { return k.present&(1<<num) != 0 }

func (k *keep) mark(num protowire.Number) { k.present |= 1 << num }

func (k *keep) clear(num protowire.Number) { k.present &^= 1 << num }

// finisher is a message that needs a look at itself once all fields are read.
type finisher interface{ finish(d *decoder) }

type decoder struct {
	b      []byte
	file   *file             // what b maps; nil for bytes from the caller
	names  map[string]string // one copy of every name
	ext    *folder           // where external data lies
	parts  tensorParts       // of the tensor being read; tensors do not nest
	depth  int
	budget int64
	err    error
}

func newDecoder(b []byte) *decoder {
	budget := min(memoryFloor+memoryRatio*int64(len(b)), memoryLimit)
	return &decoder{b: b, names: make(map[string]string), budget: budget}
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// spend accounts for n bytes of decoded structure.
func (d *decoder) spend(n int) {
	d.budget -= int64(n)
	if d.budget < 0 {
		d.fail(diag.New("OP3008", "the file asks for far more memory than a model of its size needs",
			"limit", fmt.Sprintf("%d bytes", min(memoryFloor+memoryRatio*int64(len(d.b)), memoryLimit))))
	}
}

// read decodes the message in [lo, hi) into m.
func (d *decoder) read(m message, lo, hi int) {
	if d.err != nil {
		return
	}
	if d.depth++; d.depth > maxDepth {
		d.fail(diag.New("OP3009", "messages nest too deeply", "limit", fmt.Sprint(maxDepth)))
	}
	r := wire.NewReader(d.b, lo, hi)
	var f wire.Field
	for d.err == nil && r.More() {
		if err := r.Next(&f); err != nil {
			d.fail(err)
			break
		}
		if !m.field(d, &f) {
			k := m.kept()
			k.unknown = append(k.unknown, d.b[f.Tag:f.End]...)
		}
	}
	if fin, ok := m.(finisher); ok && d.err == nil {
		fin.finish(d)
	}
	d.depth--
}

func sizeOf[T any]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

func (d *decoder) content(f *wire.Field) []byte { return d.b[f.Lo:f.Hi:f.Hi] }

// intern returns one shared copy of a name.
func (d *decoder) intern(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	d.names[s] = s
	return s
}

// name reads a string that is likely to occur more than once.
func (d *decoder) name(k *keep, p *string, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	k.mark(f.Num)
	*p = d.intern(d.content(f))
	return true
}

// text reads a string that is likely to be unique, such as documentation.
func (d *decoder) text(k *keep, p *string, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	k.mark(f.Num)
	*p = string(d.content(f))
	return true
}

func (d *decoder) nameList(p *[]string, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	d.spend(16)
	*p = append(*p, d.intern(d.content(f)))
	return true
}

// bytes reads a bytes field as a window of the input when the caller owns the
// input, and as a copy when the input is a mapping that Close takes away.
func (d *decoder) bytes(f *wire.Field) []byte {
	if d.file == nil {
		return d.content(f)
	}
	return append([]byte{}, d.content(f)...)
}

func (d *decoder) bytesList(p *[][]byte, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	d.spend(24)
	*p = append(*p, d.bytes(f))
	return true
}

// integer reads a varint field of any Go integer type.
func integer[T ~int32 | ~int64](k *keep, p *T, f *wire.Field) bool {
	if f.Type != wire.Varint {
		return false
	}
	k.mark(f.Num)
	*p = T(f.Bits)
	return true
}

func (d *decoder) ints(p *[]int64, f *wire.Field) bool {
	r := wire.NewReader(d.b, f.Lo, f.Hi)
	return r.Scalars(f, wire.Varint, func(v uint64) { *p = append(*p, int64(v)) })
}

// mostDims is more than any runtime has (NumPy has 64), and
// keeps a file of many zeros from becoming a list eight times as large.
const mostDims = 1024

// dims reads integers of which only mostDims and one more are kept.
func (d *decoder) dims(p *[]int64, f *wire.Field) bool {
	r := wire.NewReader(d.b, f.Lo, f.Hi)
	return r.Scalars(f, wire.Varint, func(v uint64) {
		if len(*p) <= mostDims {
			*p = append(*p, int64(v))
		}
	})
}

// sub reads a nested message; one that occurs twice is merged, as protobuf wants it.
func sub[T any, P interface {
	*T
	message
}](d *decoder, p *P, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	if *p == nil {
		*p = new(T)
		d.spend(sizeOf[T]())
	}
	d.read(*p, f.Lo, f.Hi)
	return true
}

// list reads an element of a repeated message.
func list[T any, P interface {
	*T
	message
}](d *decoder, p *[]P, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	m := P(new(T))
	d.spend(sizeOf[T]() + 8)
	*p = append(*p, m)
	d.read(m, f.Lo, f.Hi)
	return true
}

// values reads an element of a repeated message that is held by value.
func values[T any, P interface {
	*T
	message
}](d *decoder, p *[]T, f *wire.Field) bool {
	if f.Type != wire.Bytes {
		return false
	}
	d.spend(2 * sizeOf[T]())
	var m T
	d.read(P(&m), f.Lo, f.Hi)
	*p = append(*p, m)
	return true
}
