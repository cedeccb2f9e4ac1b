//go:build !unix

package onnx

// syncFolder has no equivalent here.
func syncFolder(string) error { return nil }
