//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"errors"
	"runtime"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
)

// level translates to GraphOptimizationLevel.
func level(o calib.Optimization) uintptr {
	switch o {
	case calib.Basic:
		return 1 // ORT_ENABLE_BASIC
	case calib.Exact:
		return 0 // ORT_DISABLE_ALL
	}
	return 99 // ORT_ENABLE_ALL
}

// sessionOptions makes OrtSessionOptions. No memory pattern: it would plan one
// block for each combination of input shapes. The arena stays on: without it
// every thread that ever runs the session grows a heap of its own, four times
// the memory when activations are outputs. Threads do not spin while waiting,
// so that observers have the cores between runs.
func (r *Runtime) sessionOptions(o calib.OpenOptions, optimized string) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	if err := r.call(createSessionOptions, uintptr(unsafe.Pointer(&p))); err != nil {
		return nil, err
	}
	threads := o.Threads
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	so := uintptr(p)
	err := errors.Join(
		r.call(setSessionLogSeverityLevel, so, logFatal),
		r.call(setSessionGraphOptimizationLevel, so, level(o.Optimization)),
		r.call(setIntraOpNumThreads, so, uintptr(threads)),
		r.call(setInterOpNumThreads, so, 1),
		r.call(disableMemPattern, so),
		r.config(p, "session.intra_op.allow_spinning", "0"))
	if optimized != "" && err == nil {
		err = r.call(setOptimizedModelFilePath, so, uintptr(runtimelib.CPath(optimized)))
	}
	if err != nil {
		r.release(releaseSessionOptions, p)
		return nil, err
	}
	return p, nil
}

// config sets one textual session option.
func (r *Runtime) config(options unsafe.Pointer, key, value string) error {
	return r.call(addSessionConfigEntry, uintptr(options),
		uintptr(runtimelib.CString(key)), uintptr(runtimelib.CString(value)))
}
