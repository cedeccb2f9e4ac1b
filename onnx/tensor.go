package onnx

// Data is the content of a tensor in its raw form: elements little-endian in
// row-major order, 4-bit elements two to a byte and 2-bit elements four to a
// byte with the first element in the low bits, Bool one byte an element.
// Content is read-only: it may be a window into a mapped file.
//
// An implementation may also be an io.WriterTo, which Save prefers.
type Data interface {
	Len() int64             // bytes
	Bytes() ([]byte, error) // valid until the model's file is closed
}

// Tensor is TensorProto. Typed fields, raw_data and external data are all
// seen through Data; on writing they become raw_data (or external data).
type Tensor struct {
	Name          string
	Type          DataType
	Dims          []int64
	Data          Data     // nil for String tensors and for tensors without elements
	Strings       [][]byte // String tensors only
	DocString     string
	MetadataProps []Entry
	keep
}

// SparseTensor is SparseTensorProto.
type SparseTensor struct {
	Values  *Tensor
	Indices *Tensor
	Dims    []int64
	keep
}
