//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"context"
	"errors"
	"os"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

const logFatal = 4 // ORT_LOGGING_LEVEL_FATAL: errors come back as statuses, nothing is printed

// Runtime is a loaded ONNX Runtime library. It implements [calib.Runner] and
// is safe for concurrent use.
type Runtime struct {
	api
	env       unsafe.Pointer // OrtEnv: one per process and library, counted by the library
	cpu       unsafe.Pointer // OrtMemoryInfo of plain CPU memory
	allocator unsafe.Pointer // the library's default allocator; not owned
	version   string
	path      string
	trim      uintptr        // malloc_trim of glibc; 0 elsewhere
	opening   sync.WaitGroup // sessions that are being made, wanted or not
}

var _ calib.Runner = (*Runtime)(nil)

// Load opens the library at path. The error is OP6202 when the file cannot be
// loaded or is not ONNX Runtime, OP6203 when it is older than release 1.18.
// The library stays in the process for ever; Close frees the rest.
func Load(path string) (*Runtime, error) {
	base, trim, err := apiBase(path)
	if err != nil {
		return nil, err
	}
	r := &Runtime{path: path, trim: trim, version: runtimelib.GoString(runtimelib.Pointer(syscall0(base[1])))}
	if !offers(r.version, apiVersion) {
		return nil, diag.New("OP6203", "ONNX Runtime is too old", "library", path,
			"wanted", "release 1.18 or newer", "found", r.version).
			Hinted("onnxpass runtime install")
	}
	table, _, _ := purego.SyscallN(base[0], apiVersion)
	if table == 0 {
		return nil, diag.New("OP6203", "ONNX Runtime does not offer the needed API", "library", path,
			"wanted", "API version 18", "found", r.version).Hinted("onnxpass runtime install")
	}
	r.table = (*[slotCount]uintptr)(runtimelib.Pointer(table))
	if err := r.start(); err != nil {
		r.Close()
		return nil, diag.New("OP6202", "ONNX Runtime does not start", "library", path).Wrap(err)
	}
	return r, nil
}

// apiBase returns OrtApiBase (GetApi and GetVersionString), and malloc_trim of
// the C library that ONNX Runtime allocates with, where it has one.
func apiBase(path string) (base *[2]uintptr, trim uintptr, err error) {
	fail := func(err error) (*[2]uintptr, uintptr, error) {
		return nil, 0, diag.New("OP6202", "the ONNX Runtime library cannot be loaded", "library", path).
			Hinted("name another file with --ort-lib, or run: onnxpass runtime install").Wrap(err)
	}
	if _, err := os.Stat(path); err != nil {
		return fail(err)
	}
	lib, err := runtimelib.Open(path)
	if err != nil {
		return fail(err)
	}
	get, err := lib.Symbol("OrtGetApiBase")
	if err != nil {
		return fail(errors.New("the file has no symbol OrtGetApiBase: it is not ONNX Runtime"))
	}
	table := syscall0(get)
	if table == 0 {
		return fail(errors.New("OrtGetApiBase returned nothing"))
	}
	if trim, err = lib.Symbol("malloc_trim"); err != nil {
		trim = 0
	}
	return (*[2]uintptr)(runtimelib.Pointer(table)), trim, nil
}

func syscall0(fn uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn)
	return r
}

// start makes the objects that all sessions share.
func (r *Runtime) start() error {
	name := runtimelib.CString("onnxpass")
	if err := r.call(createEnv, logFatal, uintptr(name), uintptr(unsafe.Pointer(&r.env))); err != nil {
		return err
	}
	const arenaAllocator, memTypeDefault = 1, 0
	return errors.Join(
		r.call(disableTelemetryEvents, uintptr(r.env)),
		r.call(createCpuMemoryInfo, arenaAllocator, memTypeDefault, uintptr(unsafe.Pointer(&r.cpu))),
		r.call(getAllocatorWithDefaultOptions, uintptr(unsafe.Pointer(&r.allocator))))
}

// Close frees the runtime. Sessions must be closed before.
func (r *Runtime) Close() error {
	r.opening.Wait()
	r.release(releaseMemoryInfo, r.cpu)
	r.release(releaseEnv, r.env)
	r.cpu, r.env = nil, nil
	return nil
}

// Name is "onnxruntime" and the version, as in "onnxruntime 1.32.0".
func (r *Runtime) Name() string { return "onnxruntime " + r.version }

// Version is the release, as in "1.32.0".
func (r *Runtime) Version() string { return r.version }

// Path is the library file.
func (r *Runtime) Path() string { return r.path }

// OpenFile loads the model file at path. The file must not change while the
// session is open: ONNX Runtime may map its external data.
func (r *Runtime) OpenFile(ctx context.Context, path string, o calib.OpenOptions) (calib.Session, error) {
	s, err := r.openFile(ctx, path, o, "")
	if d := (*diag.Error)(nil); errors.As(err, &d) {
		return nil, d.With("file", path)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// WriteOptimized loads the model file at path as OpenFile does and writes the
// graph that ONNX Runtime made of it to out. It shows which fused operators a
// model ends up with.
func (r *Runtime) WriteOptimized(ctx context.Context, path, out string, o calib.OpenOptions) error {
	s, err := r.openFile(ctx, path, o, out)
	if err != nil {
		return err
	}
	return s.Close()
}
