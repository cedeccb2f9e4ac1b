package onnx

import (
	"encoding/binary"
	"fmt"

	"github.com/onnxpass/onnxpass/onnx/dtype"
	"github.com/onnxpass/onnxpass/onnx/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// eagerLimit is the size up to which typed fields are converted while decoding.
const eagerLimit = 64 << 10

// assembleTyped makes raw content of a typed field. float_data and
// double_data have the raw layout on the wire already; integers are converted,
// large ones only when somebody asks.
func (t *Tensor) assembleTyped(d *decoder, p *tensorParts, n int64) error {
	if want := protowire.Number(t.Type.info().field); p.typed != want {
		return t.invalid("elements in the wrong typed field", fieldName(want), fieldName(p.typed))
	}
	want, ok := t.Type.RawSize(n)
	if !ok {
		return t.invalid("size overflows", "", "")
	}
	count, size := p.count(d), t.stored(n)
	if count != size {
		return t.invalid("number of elements does not fit the dims", fmt.Sprint(size), fmt.Sprint(count))
	}
	switch {
	case want == 0:
	case p.loose != nil:
		t.Data = RawBytes(t.fromLoose(p.loose, want))
	case p.typed == floatData || p.typed == doubleData:
		t.Data = d.window(p.packed)
	default:
		return t.fromVarints(d, p.packed, want)
	}
	return nil
}

// stored is how many entries a typed field has for n elements: complex
// elements take two, and 4-bit and 2-bit elements share one entry.
func (t *Tensor) stored(n int64) int64 {
	switch bits := int64(t.Type.Bits()); {
	case t.Type.IsComplex():
		return 2 * n
	case bits == 4 || bits == 2:
		return (n*bits + 7) / 8
	default:
		return n
	}
}

// count is the number of entries in the typed field; -1 when it is malformed.
func (p *tensorParts) count(d *decoder) int64 {
	if p.loose != nil {
		return int64(len(p.loose))
	}
	b := d.b[p.packed.off : p.packed.off+p.packed.n]
	size := int64(0)
	switch p.typed {
	case floatData:
		size = 4
	case doubleData:
		size = 8
	}
	switch {
	case size > 0 && p.packed.n%size != 0:
		return -1
	case size > 0:
		return p.packed.n / size
	case b[len(b)-1] >= 0x80:
		return -1
	}
	n := int64(0)
	for _, c := range b {
		n += int64(^c >> 7)
	}
	return n
}

func fieldName(f protowire.Number) string {
	switch f {
	case floatData:
		return "float_data"
	case int32Data:
		return "int32_data"
	case stringData:
		return "string_data"
	case int64Data:
		return "int64_data"
	case doubleData:
		return "double_data"
	case uint64Data:
		return "uint64_data"
	}
	return "raw_data"
}

// putter stores typed entries one after the other in raw form.
type putter struct {
	raw  []byte
	at   int
	size int // bytes of an entry; 0 for 6-bit codes
}

func (t *Tensor) putter(raw []byte) *putter {
	size := max(1, t.Type.Bits()/8)
	if t.Type.IsComplex() {
		size /= 2
	}
	return &putter{raw: raw, size: size}
}

func (p *putter) put(v uint64) {
	if p.at+p.size > len(p.raw) {
		return
	}
	b := p.raw[p.at:]
	switch p.size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	case 8:
		binary.LittleEndian.PutUint64(b, v)
	}
	p.at += p.size
}

// convert fills raw content of the given size from entries that each feeds to a function.
func (t *Tensor) convert(size, entries int64, each func(put func(uint64)) bool) ([]byte, error) {
	if t.Type.Bits() == 6 {
		codes := make([]byte, entries)
		p := putter{raw: codes, size: 1}
		ok := each(p.put)
		raw := make([]byte, size)
		dtype.Pack6(raw, codes)
		return raw, malformed(ok)
	}
	p := t.putter(make([]byte, size))
	ok := each(p.put)
	return p.raw, malformed(ok)
}

func malformed(ok bool) error {
	if ok {
		return nil
	}
	return fmt.Errorf("malformed packed elements")
}

func (t *Tensor) fromLoose(entries []uint64, size int64) []byte {
	raw, _ := t.convert(size, int64(len(entries)), func(put func(uint64)) bool {
		for _, v := range entries {
			put(v)
		}
		return true
	})
	return raw
}

// varints is the content of a large integer field, converted when asked for.
type varints struct {
	shape Tensor // type only
	src   Data
	n     int64 // raw bytes
	count int64
}

func (v *varints) Len() int64 { return v.n }

func (v *varints) Bytes() (raw []byte, err error) {
	err = guarded(func() error {
		src, err := v.src.Bytes()
		if err != nil {
			return err
		}
		raw, err = v.shape.convert(v.n, v.count, func(put func(uint64)) bool {
			return wire.Packed(src, wire.Varint, put)
		})
		return err
	})
	return raw, err
}

func (t *Tensor) fromVarints(d *decoder, s span, size int64) error {
	n, err := t.NumElements()
	if err != nil {
		return err
	}
	v := &varints{Tensor{Type: t.Type}, d.window(s), size, t.stored(n)}
	if size > eagerLimit {
		t.Data = v
		return nil
	}
	raw, err := v.Bytes()
	if err != nil {
		return t.invalid(err.Error(), "", "")
	}
	d.spend(len(raw))
	t.Data = RawBytes(raw)
	return nil
}
