package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

type filling []byte

func (f filling) Len() int64 { return int64(len(f)) }

func (f filling) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(f)
	return int64(n), err
}

// build writes nested messages with holes at random places, once through the
// Writer and once with protowire alone.
func build(t *rapid.T, w *Writer, depth int) []byte {
	var want []byte
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			v := rapid.Uint64().Draw(t, "varint")
			w.Varint(1, v)
			want = protowire.AppendVarint(protowire.AppendTag(want, 1, protowire.VarintType), v)
		case 1:
			// Around the sizes at which a length takes one more byte.
			n := rapid.SampledFrom([]int{0, 1, 119, 124, 125, 126, 127, 128, 129, 16379, 16383, 16384}).Draw(t, "size")
			w.Hole(2, filling(bytes.Repeat([]byte{7}, n)))
			want = protowire.AppendBytes(protowire.AppendTag(want, 2, protowire.BytesType), bytes.Repeat([]byte{7}, n))
		case 2:
			s := rapid.StringN(0, 200, -1).Draw(t, "text")
			w.String(3, s)
			want = protowire.AppendString(protowire.AppendTag(want, 3, protowire.BytesType), s)
		case 3:
			w.Float(500, 1.5)
			want = protowire.AppendFixed32(protowire.AppendTag(want, 500, protowire.Fixed32Type), math.Float32bits(1.5))
		case 4:
			if depth == 0 {
				continue
			}
			at := w.Begin(4)
			inner := build(t, w, depth-1)
			w.End(at)
			want = protowire.AppendBytes(protowire.AppendTag(want, 4, protowire.BytesType), inner)
		}
	}
	return want
}

func TestWriter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Writer
		want := build(t, &w, 4)
		var out bytes.Buffer
		n, err := w.WriteTo(&out)
		if err != nil || n != int64(out.Len()) || n != w.Len() {
			t.Fatalf("wrote %d, counted %d, announced %d: %v", out.Len(), n, w.Len(), err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("got % x\nwant % x", out.Bytes(), want)
		}
	})
}

type liar struct{ filling }

func (liar) Len() int64 { return 99 }

func TestWriterChecksContent(t *testing.T) {
	var w Writer
	w.Hole(1, liar{filling{1, 2}})
	if _, err := w.WriteTo(io.Discard); err == nil {
		t.Error("content shorter than announced was accepted")
	}
}

func TestReader(t *testing.T) {
	b := []byte{0xff, 0xff} // not part of the message
	lo := len(b)
	b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), 300)
	b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), 7)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 3, protowire.Fixed64Type), 8)
	b = protowire.AppendString(protowire.AppendTag(b, 4, protowire.BytesType), "text")
	b = protowire.AppendGroup(protowire.AppendTag(b, 5, protowire.StartGroupType), 5, []byte{8, 1})
	r := NewReader(b, lo, len(b))
	var fields []Field
	for r.More() {
		var f Field
		if err := r.Next(&f); err != nil {
			t.Fatal(err)
		}
		fields = append(fields, f)
	}
	if len(fields) != 5 || fields[0].Bits != 300 || fields[1].Bits != 7 || fields[2].Bits != 8 || string(b[fields[3].Lo:fields[3].Hi]) != "text" {
		t.Errorf("%+v", fields)
	}
	if fields[0].Tag != lo || fields[4].End != len(b) || r.Pos() != len(b) {
		t.Errorf("offsets: %+v", fields)
	}
}

func TestReaderErrors(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		cut  bool
		need int64
	}{
		"cut tag":       {[]byte{0x80}, true, 0},
		"cut varint":    {[]byte{8, 0x80}, true, 0},
		"cut fixed":     {[]byte{0x0d, 1, 2}, true, 0},
		"cut bytes":     {[]byte{0x0a, 5, 'a'}, true, 4},
		"cut length":    {[]byte{0x0a, 0x80}, true, 0},
		"huge length":   {[]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, true, 1 << 62},
		"field zero":    {[]byte{0x02, 0}, false, 0},
		"endless":       {bytes.Repeat([]byte{0x80}, 20), false, 0},
		"wire type 6":   {[]byte{0x0e}, false, 0},
		"end of group":  {[]byte{0x0c}, false, 0},
		"open group":    {[]byte{0x0b, 8, 1}, true, 0},
		"nested groups": {bytes.Repeat([]byte{0x0b}, 20000), false, 0},
	} {
		r := NewReader(c.b, 0, len(c.b))
		var f Field
		err := r.Next(&f)
		var s *SyntaxError
		if !errors.As(err, &s) || errors.Is(err, io.ErrUnexpectedEOF) != c.cut || s.Need != c.need {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
