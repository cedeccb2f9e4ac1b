package onnx

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// errFault is what touching a mapped page behind the end of its file becomes.
var errFault = errors.New("the file became shorter while it was being read")

// guarded runs fn, which reads mapped memory. A file that somebody truncates
// meanwhile makes the kernel raise SIGBUS; for this goroutine and the time of
// fn that is an error and not the end of the process.
func guarded(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if fault, ok := r.(interface{ Addr() uintptr }); ok {
			err = fmt.Errorf("%w (address %#x)", errFault, fault.Addr())
			return
		}
		panic(r)
	}()
	return fn()
}
