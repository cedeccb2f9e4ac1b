package onnx

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx/internal/wire"
)

func (m *Graph) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return list(d, &m.Node, f)
	case 2:
		return d.name(&m.keep, &m.Name, f)
	case 5:
		return list(d, &m.Initializer, f)
	case 10:
		return d.text(&m.keep, &m.DocString, f)
	case 11:
		return list(d, &m.Input, f)
	case 12:
		return list(d, &m.Output, f)
	case 13:
		return list(d, &m.ValueInfo, f)
	case 14:
		return list(d, &m.QuantizationAnnotation, f)
	case 15:
		return list(d, &m.SparseInitializer, f)
	case 16:
		return values(d, &m.MetadataProps, f)
	}
	return false
}

func (m *Graph) encode(e *encoder) {
	many(e, 1, m.Node)
	e.str(&m.keep, 2, m.Name)
	many(e, 5, m.Initializer)
	e.str(&m.keep, 10, m.DocString)
	many(e, 11, m.Input)
	many(e, 12, m.Output)
	many(e, 13, m.ValueInfo)
	many(e, 14, m.QuantizationAnnotation)
	many(e, 15, m.SparseInitializer)
	manyValues(e, 16, m.MetadataProps)
}

func (m *TensorAnnotation) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.TensorName, f)
	case 2:
		return values(d, &m.QuantParameterTensorName, f)
	}
	return false
}

func (m *TensorAnnotation) encode(e *encoder) {
	e.str(&m.keep, 1, m.TensorName)
	manyValues(e, 2, m.QuantParameterTensorName)
}

func (m *Node) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.nameList(&m.Input, f)
	case 2:
		return d.nameList(&m.Output, f)
	case 3:
		return d.text(&m.keep, &m.Name, f)
	case 4:
		return d.name(&m.keep, &m.OpType, f)
	case 5:
		return list(d, &m.Attribute, f)
	case 6:
		return d.text(&m.keep, &m.DocString, f)
	case 7:
		return d.name(&m.keep, &m.Domain, f)
	case 8:
		return d.name(&m.keep, &m.Overload, f)
	case 9:
		return values(d, &m.MetadataProps, f)
	}
	return false
}

func (m *Node) encode(e *encoder) {
	e.strs(1, m.Input)
	e.strs(2, m.Output)
	e.str(&m.keep, 3, m.Name)
	e.str(&m.keep, 4, m.OpType)
	many(e, 5, m.Attribute)
	e.str(&m.keep, 6, m.DocString)
	e.str(&m.keep, 7, m.Domain)
	e.str(&m.keep, 8, m.Overload)
	manyValues(e, 9, m.MetadataProps)
}

func (m *Function) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Name, f)
	case 4:
		return d.nameList(&m.Input, f)
	case 5:
		return d.nameList(&m.Output, f)
	case 6:
		return d.nameList(&m.Attribute, f)
	case 7:
		return list(d, &m.Node, f)
	case 8:
		return d.text(&m.keep, &m.DocString, f)
	case 9:
		return list(d, &m.OpsetImport, f)
	case 10:
		return d.name(&m.keep, &m.Domain, f)
	case 11:
		return list(d, &m.AttributeProto, f)
	case 12:
		return list(d, &m.ValueInfo, f)
	case 13:
		return d.name(&m.keep, &m.Overload, f)
	case 14:
		return values(d, &m.MetadataProps, f)
	}
	return false
}

func (m *Function) encode(e *encoder) {
	e.str(&m.keep, 1, m.Name)
	e.strs(4, m.Input)
	e.strs(5, m.Output)
	e.strs(6, m.Attribute)
	many(e, 7, m.Node)
	e.str(&m.keep, 8, m.DocString)
	many(e, 9, m.OpsetImport)
	e.str(&m.keep, 10, m.Domain)
	many(e, 11, m.AttributeProto)
	many(e, 12, m.ValueInfo)
	e.str(&m.keep, 13, m.Overload)
	manyValues(e, 14, m.MetadataProps)
}

func (m *Attribute) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Name, f)
	case 2:
		if f.Type != wire.Fixed32 {
			return false
		}
		m.mark(2)
		m.F = math.Float32frombits(uint32(f.Bits))
		return true
	case 3:
		return integer(&m.keep, &m.I, f)
	case 4:
		if f.Type != wire.Bytes {
			return false
		}
		m.mark(4)
		m.S = d.bytes(f)
		return true
	case 5:
		return sub(d, &m.T, f)
	case 6:
		return sub(d, &m.G, f)
	case 7:
		r := wire.NewReader(d.b, f.Lo, f.Hi)
		return r.Scalars(f, wire.Fixed32, func(v uint64) { m.Floats = append(m.Floats, math.Float32frombits(uint32(v))) })
	case 8:
		return d.ints(&m.Ints, f)
	}
	return m.rareField(d, f)
}

func (m *Attribute) rareField(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 9:
		return d.bytesList(&m.Strings, f)
	case 10:
		return list(d, &m.Tensors, f)
	case 11:
		return list(d, &m.Graphs, f)
	case 13:
		return d.text(&m.keep, &m.DocString, f)
	case 14:
		return sub(d, &m.TypeProto, f)
	case 15:
		return list(d, &m.TypeProtos, f)
	case 20:
		return integer(&m.keep, &m.Type, f)
	case 21:
		return d.name(&m.keep, &m.RefAttrName, f)
	case 22:
		return sub(d, &m.SparseTensor, f)
	case 23:
		return list(d, &m.SparseTensors, f)
	}
	return false
}

// encode writes the scalar that Type names even when it is zero: readers of
// proto2 files tell an absent value from a zero, and the checker wants one.
func (m *Attribute) encode(e *encoder) {
	scalar := func(t AttributeType) bool { return m.Type == t && m.RefAttrName == "" }
	e.str(&m.keep, 1, m.Name)
	if math.Float32bits(m.F) != 0 || m.has(2) || scalar(AttrFloat) {
		e.w.Float(2, m.F)
	}
	if m.I != 0 || m.has(3) || scalar(AttrInt) {
		e.w.Varint(3, uint64(m.I))
	}
	if len(m.S) > 0 || m.has(4) || scalar(AttrString) {
		e.w.Bytes(4, m.S)
	}
	one(e, 5, m.T)
	one(e, 6, m.G)
	for _, v := range m.Floats {
		e.w.Float(7, v)
	}
	e.ints(8, m.Ints)
	e.bytesList(9, m.Strings)
	many(e, 10, m.Tensors)
	many(e, 11, m.Graphs)
	e.str(&m.keep, 13, m.DocString)
	one(e, 14, m.TypeProto)
	many(e, 15, m.TypeProtos)
	e.num(&m.keep, 20, int64(m.Type))
	e.str(&m.keep, 21, m.RefAttrName)
	one(e, 22, m.SparseTensor)
	many(e, 23, m.SparseTensors)
}
