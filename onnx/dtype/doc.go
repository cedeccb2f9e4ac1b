// Package dtype converts elements between float32 and the narrow types of
// ONNX, and packs and unpacks the types below 8 bits. Rounding is to the
// nearest value, ties to even, as IEEE 754 and the ONNX Cast operator have it.
//
// Slices of elements wider than a byte are little-endian bytes, which is the
// raw form of an ONNX tensor. Slice functions convert min(len(dst), len(src))
// elements.
package dtype
