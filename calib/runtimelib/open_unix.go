//go:build !onnxpass_noexec && (linux || darwin) && (amd64 || arm64)

package runtimelib

import "github.com/ebitengine/purego"

// Executes says whether this build can load shared libraries at all.
const Executes = true

// Library is a shared library that stays loaded until the process ends:
// the runtimes keep threads and thread-local state, so unloading is not safe.
type Library struct{ handle uintptr }

// Open loads the shared library at path. Loading the same file twice gives the same library.
func Open(path string) (*Library, error) {
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	return &Library{h}, nil
}

// Symbol returns the address of an exported function.
func (l *Library) Symbol(name string) (uintptr, error) { return purego.Dlsym(l.handle, name) }
