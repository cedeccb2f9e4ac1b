package onnx

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// tensorParts is what the decoder knows of a tensor until its last field is
// read: type and dims may come after the content.
type tensorParts struct {
	raw      span // raw_data
	hasRaw   bool
	typed    protowire.Number // which typed field holds elements; 0 for none
	packed   span             // its content when it came in one packed piece
	loose    []uint64         // its elements otherwise
	strings  [][]byte
	external []Entry
	location int64
	segment  bool
	bad      string // what is wrong with the fields
}

// span is a range of bytes in a file.
type span struct{ off, n int64 }

func (t *Tensor) field(d *decoder, f *wire.Field) bool {
	p := &d.parts
	switch f.Num {
	case 1:
		ok := d.dims(&t.Dims, f)
		if len(t.Dims) > mostDims {
			p.bad = fmt.Sprintf("it has more than %d dimensions", mostDims)
		}
		return ok
	case 2:
		return integer(&t.keep, &t.Type, f)
	case 3:
		p.segment = true
		return false
	case floatData, int32Data, int64Data, doubleData, uint64Data:
		return p.add(d, f)
	case stringData:
		return d.bytesList(&p.strings, f)
	case 8:
		return d.name(&t.keep, &t.Name, f)
	case 9:
		if f.Type != wire.Bytes {
			return false
		}
		p.raw, p.hasRaw = span{int64(f.Lo), int64(f.Hi - f.Lo)}, true
		return true
	case 12:
		return d.text(&t.keep, &t.DocString, f)
	case 13:
		return values(d, &p.external, f)
	case 14:
		return integer(&t.keep, &p.location, f)
	case 16:
		return values(d, &t.MetadataProps, f)
	}
	return false
}

// wireType is the wire type of one element of a typed field.
func wireType(field protowire.Number) protowire.Type {
	switch field {
	case floatData:
		return wire.Fixed32
	case doubleData:
		return wire.Fixed64
	default:
		return wire.Varint
	}
}

// add takes one piece of a typed field: the usual single packed piece as a
// window, anything else element by element.
func (p *tensorParts) add(d *decoder, f *wire.Field) bool {
	typ := wireType(f.Num)
	if f.Type != typ && f.Type != wire.Bytes {
		return false
	}
	if p.typed != 0 && p.typed != f.Num {
		p.bad = "elements in two typed fields"
	}
	if f.Type == wire.Bytes && f.Lo == f.Hi {
		return true
	}
	if p.typed == 0 && f.Type == wire.Bytes {
		p.typed, p.packed = f.Num, span{int64(f.Lo), int64(f.Hi - f.Lo)}
		return true
	}
	p.typed = f.Num
	keep := func(v uint64) { p.loose = append(p.loose, v) }
	if p.packed.n > 0 {
		d.spend(8 * int(p.packed.n))
		if !wire.Packed(d.b[p.packed.off:p.packed.off+p.packed.n], typ, keep) {
			p.bad = "malformed packed elements"
		}
		p.packed = span{}
	}
	r := wire.NewReader(d.b, f.Lo, f.Hi)
	d.spend(8 * max(1, f.Hi-f.Lo))
	if d.err == nil && !r.Scalars(f, typ, keep) {
		p.bad = "malformed packed elements"
	}
	return true
}

// finish turns the parts into the tensor's content and checks it against type and dims.
func (t *Tensor) finish(d *decoder) {
	p := d.parts
	d.parts = tensorParts{}
	if err := t.assemble(d, &p); err != nil {
		d.fail(err)
	}
}

func (t *Tensor) assemble(d *decoder, p *tensorParts) error {
	switch {
	case p.segment:
		return t.invalid("it is one segment of a tensor that is split over several messages", "", "")
	case p.bad != "":
		return t.invalid(p.bad, "", "")
	case p.hasRaw && p.raw.n > 0 && p.typed != 0:
		return t.invalid("elements both in raw_data and in a typed field", "", "")
	}
	n, err := t.NumElements()
	if err != nil {
		return err
	}
	if t.Type == String {
		return t.assembleStrings(p, n)
	}
	if len(p.strings) > 0 {
		return t.invalid("string_data in a tensor of another type", "", "")
	}
	if p.hasRaw {
		t.mark(9)
	}
	if p.location == 1 || len(p.external) > 0 && !p.hasRaw && p.typed == 0 {
		return t.assembleExternal(d, p, n)
	}
	return t.assembleInline(d, p, n)
}

func (t *Tensor) assembleStrings(p *tensorParts, n int64) error {
	if p.location == 1 || p.hasRaw && p.raw.n > 0 || p.typed != 0 {
		return t.invalid("strings outside string_data", "", "")
	}
	if int64(len(p.strings)) != n {
		return t.invalid("number of strings does not fit the dims", fmt.Sprint(n), fmt.Sprint(len(p.strings)))
	}
	t.Strings = p.strings
	return nil
}

func (t *Tensor) assembleInline(d *decoder, p *tensorParts, n int64) error {
	if p.typed != 0 {
		return t.assembleTyped(d, p, n)
	}
	want, ok := t.Type.RawSize(n)
	switch {
	case t.Type == Undefined && p.raw.n == 0:
		return nil
	case !ok && t.Type.Known():
		return t.invalid("size overflows", "", "")
	case ok && p.raw.n != want:
		return t.invalid("content does not fit type and dims", fmt.Sprintf("%d bytes", want), fmt.Sprintf("%d bytes", p.raw.n))
	case p.raw.n > 0:
		t.Data = d.window(p.raw)
	}
	return nil
}

// window is a part of the input as tensor content.
func (d *decoder) window(s span) Data {
	if d.file == nil {
		return RawBytes(d.b[s.off : s.off+s.n : s.off+s.n])
	}
	return &window{d.file, s.off, s.n}
}

// invalid is the error of a tensor that contradicts itself.
func (t *Tensor) invalid(what, wanted, found string) *diag.Error {
	e := diag.New("OP3011", "tensor is invalid: "+what, "tensor", t.label())
	if wanted != "" {
		e = e.With("wanted", wanted, "found", found)
	}
	return e.Hinted("the file is damaged or was written by a faulty program; export the model again")
}

func (t *Tensor) label() string {
	name := t.Name
	if name == "" {
		name = "(without name)"
	}
	return fmt.Sprintf("%s %s %d", name, t.Type, t.Dims)
}

func (t *Tensor) encode(e *encoder) {
	e.ints(1, t.Dims)
	e.num(&t.keep, 2, int64(t.Type))
	if t.Type == String {
		e.bytesList(stringData, t.Strings)
	}
	e.str(&t.keep, 8, t.Name)
	at, external := e.place[t]
	if !external {
		e.content(t)
	}
	e.str(&t.keep, 12, t.DocString)
	if external {
		e.external(at)
	} else if t.has(14) {
		e.w.Varint(14, 0)
	}
	manyValues(e, 16, t.MetadataProps)
}

// content writes raw_data, small content at once and large content as a hole.
func (e *encoder) content(t *Tensor) {
	if t.Data == nil || t.Data.Len() == 0 {
		if t.has(9) {
			e.w.Bytes(9, nil)
		}
		return
	}
	if want, ok := t.rawSize(); ok && want != t.Data.Len() {
		e.fail(t.invalid("content does not fit type and dims", fmt.Sprintf("%d bytes", want), fmt.Sprintf("%d bytes", t.Data.Len())))
		return
	}
	if t.Data.Len() > inlineLimit {
		e.w.Hole(9, filler{t})
		return
	}
	err := guarded(func() error {
		b, err := t.Raw()
		e.w.Bytes(9, b)
		return err
	})
	if err != nil {
		e.fail(err)
	}
}

func (m *SparseTensor) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return sub(d, &m.Values, f)
	case 2:
		return sub(d, &m.Indices, f)
	case 3:
		return d.ints(&m.Dims, f)
	}
	return false
}

func (m *SparseTensor) encode(e *encoder) {
	one(e, 1, m.Values)
	one(e, 2, m.Indices)
	e.ints(3, m.Dims)
}
