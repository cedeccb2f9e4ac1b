// Package wire reads and writes the protobuf wire format for package onnx:
// a cursor that hands out windows of the input instead of copies, and a
// writer that leaves holes for content too large to be assembled in memory.
package wire
