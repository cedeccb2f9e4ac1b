package onnx

import "fmt"

// DataType is an element type, numbered as TensorProto.DataType.
type DataType int32

// The element types of onnx.proto.
const (
	Undefined      DataType = 0
	Float          DataType = 1
	Uint8          DataType = 2
	Int8           DataType = 3
	Uint16         DataType = 4
	Int16          DataType = 5
	Int32          DataType = 6
	Int64          DataType = 7
	String         DataType = 8
	Bool           DataType = 9
	Float16        DataType = 10
	Double         DataType = 11
	Uint32         DataType = 12
	Uint64         DataType = 13
	Complex64      DataType = 14
	Complex128     DataType = 15
	BFloat16       DataType = 16
	Float8E4M3FN   DataType = 17
	Float8E4M3FNUZ DataType = 18
	Float8E5M2     DataType = 19
	Float8E5M2FNUZ DataType = 20
	Uint4          DataType = 21
	Int4           DataType = 22
	Float4E2M1     DataType = 23
	Float8E8M0     DataType = 24
	Uint2          DataType = 25
	Int2           DataType = 26
	Float6E2M3     DataType = 27
	Float6E3M2     DataType = 28
)

type class uint8

const (
	classOther class = iota
	classFloat
	classSigned
	classUnsigned
	classComplex
)

type typeInfo struct {
	name  string
	bits  int // of one element; 0 when elements have no fixed size
	class class
	field int // number of the typed field of TensorProto that may hold the elements
}

// The typed fields of TensorProto.
const (
	floatData  = 4
	int32Data  = 5
	stringData = 6
	int64Data  = 7
	doubleData = 10
	uint64Data = 11
)

// types is indexed by DataType. Names are those of NumPy and ml_dtypes.
var types = [...]typeInfo{
	Undefined:      {"undefined", 0, classOther, 0},
	Float:          {"float32", 32, classFloat, floatData},
	Uint8:          {"uint8", 8, classUnsigned, int32Data},
	Int8:           {"int8", 8, classSigned, int32Data},
	Uint16:         {"uint16", 16, classUnsigned, int32Data},
	Int16:          {"int16", 16, classSigned, int32Data},
	Int32:          {"int32", 32, classSigned, int32Data},
	Int64:          {"int64", 64, classSigned, int64Data},
	String:         {"string", 0, classOther, stringData},
	Bool:           {"bool", 8, classOther, int32Data},
	Float16:        {"float16", 16, classFloat, int32Data},
	Double:         {"float64", 64, classFloat, doubleData},
	Uint32:         {"uint32", 32, classUnsigned, uint64Data},
	Uint64:         {"uint64", 64, classUnsigned, uint64Data},
	Complex64:      {"complex64", 64, classComplex, floatData},
	Complex128:     {"complex128", 128, classComplex, doubleData},
	BFloat16:       {"bfloat16", 16, classFloat, int32Data},
	Float8E4M3FN:   {"float8e4m3fn", 8, classFloat, int32Data},
	Float8E4M3FNUZ: {"float8e4m3fnuz", 8, classFloat, int32Data},
	Float8E5M2:     {"float8e5m2", 8, classFloat, int32Data},
	Float8E5M2FNUZ: {"float8e5m2fnuz", 8, classFloat, int32Data},
	Uint4:          {"uint4", 4, classUnsigned, int32Data},
	Int4:           {"int4", 4, classSigned, int32Data},
	Float4E2M1:     {"float4e2m1", 4, classFloat, int32Data},
	Float8E8M0:     {"float8e8m0", 8, classFloat, int32Data},
	Uint2:          {"uint2", 2, classUnsigned, int32Data},
	Int2:           {"int2", 2, classSigned, int32Data},
	Float6E2M3:     {"float6e2m3", 6, classFloat, int32Data},
	Float6E3M2:     {"float6e3m2", 6, classFloat, int32Data},
}

func (t DataType) info() typeInfo {
	if t < 0 || int(t) >= len(types) {
		return typeInfo{}
	}
	return types[t]
}

// Known tells whether t is an element type that this package can hold; Undefined is not.
func (t DataType) Known() bool { return t > Undefined && int(t) < len(types) }

// String is the NumPy or ml_dtypes name: "float32", "int8", "float8e4m3fn".
func (t DataType) String() string {
	if s := t.info().name; s != "" {
		return s
	}
	return fmt.Sprintf("datatype(%d)", int32(t))
}

// ParseDataType is the inverse of String.
func ParseDataType(name string) (DataType, bool) {
	for t := range types {
		if types[t].name == name && t != int(Undefined) {
			return DataType(t), true
		}
	}
	return Undefined, false
}

// Bits is the size of one element in raw form; 0 for String, Undefined and unknown types.
func (t DataType) Bits() int { return t.info().bits }

// IsFloat tells whether t is a real floating-point type of any width.
func (t DataType) IsFloat() bool { return t.info().class == classFloat }

// IsComplex tells whether t is Complex64 or Complex128.
func (t DataType) IsComplex() bool { return t.info().class == classComplex }

// IsSigned tells whether t is a signed integer type.
func (t DataType) IsSigned() bool { return t.info().class == classSigned }

// IsUnsigned tells whether t is an unsigned integer type; Bool is not.
func (t DataType) IsUnsigned() bool { return t.info().class == classUnsigned }

// IsInteger tells whether t is an integer type; Bool is not.
func (t DataType) IsInteger() bool { return t.IsSigned() || t.IsUnsigned() }

// IsFloat8 tells whether t is one of the 8-bit float types with sign and mantissa.
func (t DataType) IsFloat8() bool { return t >= Float8E4M3FN && t <= Float8E5M2FNUZ }

// RawSize is the number of bytes of n elements in raw form: rounded up to
// whole bytes for the types below 8 bits. It is false when t has no fixed
// element size, n is negative or the size overflows.
func (t DataType) RawSize(n int64) (int64, bool) {
	bits := int64(t.Bits())
	if bits == 0 || n < 0 || n > (1<<63-8)/bits {
		return 0, false
	}
	return (n*bits + 7) / 8, true
}
