// Package onnx is the ONNX file format: Go structs for its messages, element
// types, tensors as read-only handles, opening (memory mapped, external data)
// and streaming atomic writing. It knows nothing about what operators mean.
//
// Messages mirror onnx.proto field by field. Fields unknown to this version
// and explicit-presence bits are kept in unexported fields, so that reading a
// file and writing it again loses nothing. Structs are copied shallowly with
// plain assignment; slices and tensors are then shared.
package onnx
