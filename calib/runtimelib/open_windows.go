//go:build !onnxpass_noexec && windows && (amd64 || arm64)

package runtimelib

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Executes says whether this build can load shared libraries at all.
const Executes = true

// Library is a shared library that stays loaded until the process ends:
// the runtimes keep threads and thread-local state, so unloading is not safe.
type Library struct{ handle windows.Handle }

// Open loads the DLL at path; its own folder is searched for what it depends
// on. The path is made absolute, or Windows would prefer an onnxruntime.dll of
// its own system folder. Loading the same file twice gives the same library.
func Open(path string) (*Library, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.LoadLibraryEx(abs, 0, windows.LOAD_WITH_ALTERED_SEARCH_PATH)
	if err != nil {
		return nil, err
	}
	return &Library{h}, nil
}

// Symbol returns the address of an exported function.
func (l *Library) Symbol(name string) (uintptr, error) { return windows.GetProcAddress(l.handle, name) }
