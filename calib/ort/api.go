//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
)

// api is the function table of a loaded library.
type api struct{ table *[slotCount]uintptr }

// StatusError is a failure reported by ONNX Runtime.
type StatusError struct {
	Code    int32 // OrtErrorCode
	Message string
}

// Error is the text that ONNX Runtime gave.
func (e *StatusError) Error() string { return e.Message }

// call calls a function that returns OrtStatus*. Arguments converted from
// pointers in the call expression are kept alive until it returns.
//
//go:uintptrescapes
func (a api) call(s slot, args ...uintptr) error {
	st, _, _ := purego.SyscallN(a.table[s], args...)
	if st == 0 {
		return nil
	}
	defer purego.SyscallN(a.table[releaseStatus], st)
	code, _, _ := purego.SyscallN(a.table[getErrorCode], st)
	msg, _, _ := purego.SyscallN(a.table[getErrorMessage], st)
	return &StatusError{int32(code), runtimelib.GoString(runtimelib.Pointer(msg))}
}

// release calls one of the Release functions, which return nothing and accept NULL.
func (a api) release(s slot, p unsafe.Pointer) {
	purego.SyscallN(a.table[s], uintptr(p))
}
