// Package ort executes models with ONNX Runtime. It calls the function table
// of the C API (OrtApi, version 18) in a shared library that is loaded at run
// time, without cgo; the slots of the table that are used are listed in
// slots.go and never move in later releases.
//
// A Runtime is safe for concurrent use; a session is for one goroutine at a
// time. A session's memory settles at the need of its largest sample: it does
// not grow with the number of runs or of input shapes.
package ort
