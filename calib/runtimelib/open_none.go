//go:build onnxpass_noexec || !(linux || darwin || windows) || !(amd64 || arm64)

package runtimelib

import "errors"

// Executes says whether this build can load shared libraries at all.
const Executes = false

// Library is a shared library; this build never makes one.
type Library struct{}

// Open always fails: this build was made without the executor.
func Open(string) (*Library, error) {
	return nil, errors.New("this build of onnxpass cannot load shared libraries")
}

// Symbol always fails.
func (*Library) Symbol(string) (uintptr, error) {
	return 0, errors.New("this build of onnxpass cannot load shared libraries")
}
