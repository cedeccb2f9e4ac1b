package wire

import (
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Content is what fills a hole: Len bytes, written by WriteTo.
type Content interface {
	Len() int64
	io.WriterTo
}

type hole struct {
	at      int // offset in buf
	content Content
}

// Writer assembles a message. Large content is not copied: it leaves a hole
// that is filled while streaming, so that memory holds only the structure.
type Writer struct {
	buf   []byte
	holes []hole
	large int64 // bytes in holes
}

// Len is the size of everything written, holes included.
func (w *Writer) Len() int64 { return int64(len(w.buf)) + w.large }

// Varint writes an integer field.
func (w *Writer) Varint(num protowire.Number, v uint64) {
	w.buf = protowire.AppendTag(w.buf, num, Varint)
	w.buf = protowire.AppendVarint(w.buf, v)
}

// Float writes a float field.
func (w *Writer) Float(num protowire.Number, v float32) {
	w.buf = protowire.AppendTag(w.buf, num, Fixed32)
	w.buf = protowire.AppendFixed32(w.buf, math.Float32bits(v))
}

// Bytes writes a bytes field.
func (w *Writer) Bytes(num protowire.Number, v []byte) {
	w.buf = protowire.AppendTag(w.buf, num, Bytes)
	w.buf = protowire.AppendBytes(w.buf, v)
}

// String writes a string field.
func (w *Writer) String(num protowire.Number, v string) {
	w.buf = protowire.AppendTag(w.buf, num, Bytes)
	w.buf = protowire.AppendString(w.buf, v)
}

// Raw writes complete fields as they are.
func (w *Writer) Raw(fields []byte) { w.buf = append(w.buf, fields...) }

// Hole writes a bytes field whose content is streamed later.
func (w *Writer) Hole(num protowire.Number, c Content) {
	w.buf = protowire.AppendTag(w.buf, num, Bytes)
	w.buf = protowire.AppendVarint(w.buf, uint64(c.Len()))
	w.holes = append(w.holes, hole{len(w.buf), c})
	w.large += c.Len()
}

// Mark is where a nested message begins.
type Mark struct {
	at, holes int
	large     int64
}

// Begin opens a nested message; fields written until End belong to it.
func (w *Writer) Begin(num protowire.Number) Mark {
	w.buf = append(protowire.AppendTag(w.buf, num, Bytes), 0)
	return Mark{len(w.buf), len(w.holes), w.large}
}

// End closes a nested message. One byte was reserved for its length; a longer
// length moves the message, which for the few large ones is one copy of the
// structure and never of the weights.
func (w *Writer) End(m Mark) {
	size := uint64(len(w.buf)-m.at) + uint64(w.large-m.large)
	extra := protowire.SizeVarint(size) - 1
	if extra > 0 {
		w.buf = append(w.buf, make([]byte, extra)...)
		copy(w.buf[m.at+extra:], w.buf[m.at:len(w.buf)-extra])
		for i := m.holes; i < len(w.holes); i++ {
			w.holes[i].at += extra
		}
	}
	protowire.AppendVarint(w.buf[:m.at-1], size)
}

// WriteTo streams the message.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	var total int64
	at := 0
	for _, h := range w.holes {
		n, err := out.Write(w.buf[at:h.at])
		total += int64(n)
		if err != nil {
			return total, err
		}
		at = h.at
		big, err := h.content.WriteTo(out)
		total += big
		if err != nil {
			return total, err
		}
		if big != h.content.Len() {
			return total, fmt.Errorf("content of %d bytes instead of %d", big, h.content.Len())
		}
	}
	n, err := out.Write(w.buf[at:])
	return total + int64(n), err
}
