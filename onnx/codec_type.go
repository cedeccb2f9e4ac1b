package onnx

import "github.com/onnxpass/onnxpass/onnx/internal/wire"

func (m *ValueInfo) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Name, f)
	case 2:
		return sub(d, &m.Type, f)
	case 3:
		return d.text(&m.keep, &m.DocString, f)
	case 4:
		return values(d, &m.MetadataProps, f)
	}
	return false
}

func (m *ValueInfo) encode(e *encoder) {
	e.str(&m.keep, 1, m.Name)
	one(e, 2, m.Type)
	e.str(&m.keep, 3, m.DocString)
	manyValues(e, 4, m.MetadataProps)
}

func (m *Type) field(d *decoder, f *wire.Field) bool {
	if f.Num == 6 {
		return d.name(&m.keep, &m.Denotation, f)
	}
	if f.Type != wire.Bytes {
		return false
	}
	switch f.Num {
	case 1:
		*m = Type{Tensor: m.Tensor, Denotation: m.Denotation, keep: m.keep}
		return sub(d, &m.Tensor, f)
	case 4:
		*m = Type{Sequence: m.Sequence, Denotation: m.Denotation, keep: m.keep, box: m.box}
		return m.open(d, &m.Sequence, f)
	case 5:
		*m = Type{Map: m.Map, Denotation: m.Denotation, keep: m.keep}
		return sub(d, &m.Map, f)
	case 7:
		*m = Type{Opaque: m.Opaque, Denotation: m.Denotation, keep: m.keep}
		return sub(d, &m.Opaque, f)
	case 8:
		*m = Type{SparseTensor: m.SparseTensor, Denotation: m.Denotation, keep: m.keep}
		return sub(d, &m.SparseTensor, f)
	case 9:
		*m = Type{Optional: m.Optional, Denotation: m.Denotation, keep: m.keep, box: m.box}
		return m.open(d, &m.Optional, f)
	}
	return false
}

func (m *Type) encode(e *encoder) {
	one(e, 1, m.Tensor)
	if m.Sequence != nil {
		e.message(4, &box{elem: m.Sequence, keep: keep{unknown: m.box}})
	}
	one(e, 5, m.Map)
	e.str(&m.keep, 6, m.Denotation)
	one(e, 7, m.Opaque)
	one(e, 8, m.SparseTensor)
	if m.Optional != nil {
		e.message(9, &box{elem: m.Optional, keep: keep{unknown: m.box}})
	}
}

// box is TypeProto.Sequence and TypeProto.Optional: a message with nothing but
// an element type, for which the structs of this package have no level.
type box struct {
	elem *Type
	keep
}

func (m *box) field(d *decoder, f *wire.Field) bool {
	return f.Num == 1 && sub(d, &m.elem, f)
}

func (m *box) encode(e *encoder) { one(e, 1, m.elem) }

func (m *Type) open(d *decoder, p **Type, f *wire.Field) bool {
	b := box{elem: *p, keep: keep{unknown: m.box}}
	d.read(&b, f.Lo, f.Hi)
	if b.elem == nil {
		b.elem = new(Type)
	}
	*p, m.box = b.elem, b.unknown
	return true
}

func (m *TensorType) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return integer(&m.keep, &m.Elem, f)
	case 2:
		return sub(d, &m.Shape, f)
	}
	return false
}

func (m *TensorType) encode(e *encoder) {
	e.num(&m.keep, 1, int64(m.Elem))
	one(e, 2, m.Shape)
}

func (m *MapType) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return integer(&m.keep, &m.Key, f)
	case 2:
		return sub(d, &m.Value, f)
	}
	return false
}

func (m *MapType) encode(e *encoder) {
	e.num(&m.keep, 1, int64(m.Key))
	one(e, 2, m.Value)
}

func (m *OpaqueType) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Domain, f)
	case 2:
		return d.name(&m.keep, &m.Name, f)
	}
	return false
}

func (m *OpaqueType) encode(e *encoder) {
	e.str(&m.keep, 1, m.Domain)
	e.str(&m.keep, 2, m.Name)
}

func (m *Shape) field(d *decoder, f *wire.Field) bool {
	return f.Num == 1 && values(d, &m.Dim, f)
}

func (m *Shape) encode(e *encoder) { manyValues(e, 1, m.Dim) }

func (m *Dim) field(d *decoder, f *wire.Field) bool {
	switch {
	case f.Num == 1 && f.Type == wire.Varint:
		m.Kind, m.Value, m.Param = DimValue, int64(f.Bits), ""
	case f.Num == 2 && f.Type == wire.Bytes:
		m.Kind, m.Value, m.Param = DimParam, 0, d.intern(d.content(f))
	case f.Num == 3:
		return d.name(&m.keep, &m.Denotation, f)
	default:
		return false
	}
	return true
}

func (m *Dim) encode(e *encoder) {
	switch m.Kind {
	case DimValue:
		e.w.Varint(1, uint64(m.Value))
	case DimParam:
		e.must(2, m.Param)
	}
	e.str(&m.keep, 3, m.Denotation)
}
