package runtimelib

import (
	"runtime"
	"unicode/utf16"
	"unsafe"
)

// Pointer turns an address of C memory, which the garbage collector never
// moves, into a pointer.
func Pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// GoString copies a C string; NULL is the empty string.
func GoString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// CString is s with a terminating NUL, in Go memory.
func CString(s string) unsafe.Pointer { return unsafe.Pointer(&append([]byte(s), 0)[0]) }

// CPath is a path as the libraries take it: UTF-16 on Windows, bytes
// elsewhere, with a terminating NUL, in Go memory.
func CPath(s string) unsafe.Pointer {
	if runtime.GOOS != "windows" {
		return CString(s)
	}
	return unsafe.Pointer(&append(utf16.Encode([]rune(s)), 0)[0])
}
