//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package openvino

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Runtime is OpenVINO loaded into this process. It implements [calib.Runner]
// and is safe for concurrent use.
type Runtime struct {
	*api
	*elements
	version string

	mu    sync.Mutex
	cores map[int]unsafe.Pointer // by number of threads; see core
}

var _ calib.Runner = (*Runtime)(nil)

// Load opens the C library of OpenVINO (2023 or newer) at path. The error is OP6202.
func Load(path string) (*Runtime, error) {
	fail := func(err error) error {
		return diag.New("OP6202", "the OpenVINO library cannot be loaded", "library", path).
			Hinted("name another file with --openvino-lib, or switch the check off").Wrap(err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fail(err)
	}
	a, err := openAPI(path)
	if err != nil {
		return nil, fail(err)
	}
	r := &Runtime{api: a, cores: map[int]unsafe.Pointer{}}
	if r.version, err = a.version(); err != nil {
		return nil, fail(err)
	}
	if r.elements, err = a.probe(); err != nil {
		return nil, fail(err)
	}
	return r, nil
}

// version is the build number up to the first dash.
func (a *api) version() (string, error) {
	var v struct{ build, description unsafe.Pointer }
	if err := a.call(getOpenvinoVersion, uintptr(unsafe.Pointer(&v))); err != nil {
		return "", err
	}
	defer a.release(versionFree, unsafe.Pointer(&v))
	short, _, _ := strings.Cut(runtimelib.GoString(v.build), "-")
	return short, nil
}

// core returns the core for a number of threads. Cores are shared by sessions
// and never freed: the CPU plugin gives the thread that loads it a signal
// stack, and unmaps it when the last core goes, on whatever thread that
// happens. A Go thread left with such a stack dies of its next signal.
func (r *Runtime) core(threads int) (unsafe.Pointer, error) {
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cores[threads]; c != nil {
		return c, nil
	}
	var c unsafe.Pointer
	if err := r.call(coreCreate, uintptr(unsafe.Pointer(&c))); err != nil {
		return nil, err
	}
	err := errors.Join(
		r.setProperty(c, "INFERENCE_PRECISION_HINT", "f32"),
		r.setProperty(c, "INFERENCE_NUM_THREADS", strconv.Itoa(threads)),
		r.setProperty(c, "NUM_STREAMS", "1"))
	if err != nil {
		return nil, err
	}
	r.cores[threads] = c
	return c, nil
}

// Name is "openvino" and the version, as in "openvino 2026.4.1".
func (r *Runtime) Name() string { return "openvino " + r.version }

// Version is the release, as in "2026.4.1".
func (r *Runtime) Version() string { return r.version }

// Open writes m to a temporary folder, loads it from there and, when its
// shapes are fixed, compiles it.
func (r *Runtime) Open(ctx context.Context, m *onnx.Model, o calib.OpenOptions) (calib.Session, error) {
	path, remove, err := calib.TempFile(m)
	if err != nil {
		return nil, err
	}
	in, out := portNames(m)
	s, err := r.open(ctx, path, in, out, o)
	if err != nil {
		_ = remove()
		return nil, err
	}
	s.remove = remove
	return s, nil
}

// openFile loads a model file with the given ports.
func (r *Runtime) openFile(ctx context.Context, path string, in, out []string, o calib.OpenOptions) (calib.Session, error) {
	s, err := r.open(ctx, path, in, out, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}
