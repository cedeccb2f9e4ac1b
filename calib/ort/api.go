//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"runtime"
	"unicode/utf16"
	"unsafe"

	"github.com/ebitengine/purego"
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
	return &StatusError{int32(code), goString(pointer(msg))}
}

// release calls one of the Release functions, which return nothing and accept NULL.
func (a api) release(s slot, p unsafe.Pointer) {
	purego.SyscallN(a.table[s], uintptr(p))
}

// pointer turns an address of C memory, which the garbage collector never
// moves, into a pointer.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// goString copies a C string.
func goString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// cString is s with a terminating NUL.
func cString(s string) *byte { return &append([]byte(s), 0)[0] }

// cPath is a path as ORTCHAR_T: UTF-16 on Windows, bytes elsewhere.
func cPath(s string) unsafe.Pointer {
	if runtime.GOOS != "windows" {
		return unsafe.Pointer(cString(s))
	}
	return unsafe.Pointer(&append(utf16.Encode([]rune(s)), 0)[0])
}
