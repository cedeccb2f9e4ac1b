package onnx

import "github.com/onnxpass/onnxpass/onnx/internal/wire"

// The numbers in this file and its neighbours are those of onnx.proto.

func (m *Model) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return integer(&m.keep, &m.IRVersion, f)
	case 2:
		return d.text(&m.keep, &m.ProducerName, f)
	case 3:
		return d.text(&m.keep, &m.ProducerVersion, f)
	case 4:
		return d.text(&m.keep, &m.Domain, f)
	case 5:
		return integer(&m.keep, &m.ModelVersion, f)
	case 6:
		return d.text(&m.keep, &m.DocString, f)
	case 7:
		return sub(d, &m.Graph, f)
	case 8:
		return list(d, &m.OpsetImport, f)
	case 14:
		return values(d, &m.MetadataProps, f)
	case 20:
		return list(d, &m.TrainingInfo, f)
	case 25:
		return list(d, &m.Functions, f)
	case 26:
		return list(d, &m.Configuration, f)
	}
	return false
}

func (m *Model) encode(e *encoder) {
	e.num(&m.keep, 1, m.IRVersion)
	e.str(&m.keep, 2, m.ProducerName)
	e.str(&m.keep, 3, m.ProducerVersion)
	e.str(&m.keep, 4, m.Domain)
	e.num(&m.keep, 5, m.ModelVersion)
	e.str(&m.keep, 6, m.DocString)
	one(e, 7, m.Graph)
	many(e, 8, m.OpsetImport)
	manyValues(e, 14, m.MetadataProps)
	many(e, 20, m.TrainingInfo)
	many(e, 25, m.Functions)
	many(e, 26, m.Configuration)
}

func (m *OperatorSet) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Domain, f)
	case 2:
		return integer(&m.keep, &m.Version, f)
	}
	return false
}

func (m *OperatorSet) encode(e *encoder) {
	e.str(&m.keep, 1, m.Domain)
	e.num(&m.keep, 2, m.Version)
}

func (m *Entry) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Key, f)
	case 2:
		return d.text(&m.keep, &m.Value, f)
	}
	return false
}

func (m *Entry) encode(e *encoder) {
	e.str(&m.keep, 1, m.Key)
	e.str(&m.keep, 2, m.Value)
}

func (m *TrainingInfo) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return sub(d, &m.Initialization, f)
	case 2:
		return sub(d, &m.Algorithm, f)
	case 3:
		return values(d, &m.InitializationBinding, f)
	case 4:
		return values(d, &m.UpdateBinding, f)
	}
	return false
}

func (m *TrainingInfo) encode(e *encoder) {
	one(e, 1, m.Initialization)
	one(e, 2, m.Algorithm)
	manyValues(e, 3, m.InitializationBinding)
	manyValues(e, 4, m.UpdateBinding)
}

func (m *DeviceConfiguration) field(d *decoder, f *wire.Field) bool {
	switch f.Num {
	case 1:
		return d.name(&m.keep, &m.Name, f)
	case 2:
		return integer(&m.keep, &m.NumDevices, f)
	case 3:
		return d.nameList(&m.Device, f)
	}
	return false
}

func (m *DeviceConfiguration) encode(e *encoder) {
	e.str(&m.keep, 1, m.Name)
	e.num(&m.keep, 2, int64(m.NumDevices))
	e.strs(3, m.Device)
}
