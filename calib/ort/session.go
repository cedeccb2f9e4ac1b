//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"context"
	"errors"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// session is an OrtSession with its ports.
type session struct {
	rt        *Runtime
	handle    unsafe.Pointer // OrtSession; nil after Close
	in, out   []calib.Port
	inC, outC []unsafe.Pointer // names as C strings, owned by the library's allocator
	cleanup   func() error     // removes the temporary model; may be nil
}

// openFile loads a model file. ONNX Runtime cannot be stopped while it does:
// when ctx ends first, the session is closed behind the caller's back.
func (r *Runtime) openFile(ctx context.Context, path string, o calib.OpenOptions, optimized string) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type outcome struct {
		s   *session
		err error
	}
	done := make(chan outcome, 1)
	r.opening.Go(func() {
		s, err := r.load(path, o, optimized)
		done <- outcome{s, err}
	})
	select {
	case got := <-done:
		return got.s, got.err
	case <-ctx.Done():
		r.opening.Go(func() {
			if got := <-done; got.err == nil {
				got.s.Close()
			}
		})
		return nil, ctx.Err()
	}
}

func (r *Runtime) load(path string, o calib.OpenOptions, optimized string) (*session, error) {
	options, err := r.sessionOptions(o, optimized)
	if err != nil {
		return nil, refused(path, err)
	}
	defer r.release(releaseSessionOptions, options)
	s := &session{rt: r}
	err = r.call(createSession, uintptr(r.env), uintptr(runtimelib.CPath(path)), uintptr(options), uintptr(unsafe.Pointer(&s.handle)))
	if err != nil {
		return nil, refused(path, err)
	}
	if err := s.readPorts(path); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// refused wraps the library's text, less its mention of the path, which users
// know or, for a temporary model, need not know.
func refused(path string, err error) error {
	if st := (*StatusError)(nil); errors.As(err, &st) {
		st.Message = strings.TrimPrefix(st.Message, "Load model from "+path+" failed:")
	}
	return diag.New("OP6350", "ONNX Runtime refused the model").Wrap(err)
}

func (s *session) readPorts(path string) (err error) {
	s.in, s.inC, err = s.ports(sessionGetInputCount, sessionGetInputName, sessionGetInputTypeInfo)
	if err == nil {
		s.out, s.outC, err = s.ports(sessionGetOutputCount, sessionGetOutputName, sessionGetOutputTypeInfo)
	}
	if err != nil {
		return refused(path, err)
	}
	for _, p := range s.in {
		if err := calib.Executable("input", p); err != nil {
			return err
		}
	}
	for _, p := range s.out {
		if err := calib.Executable("output", p); err != nil {
			return err
		}
	}
	return nil
}

// ports reads the names and types of one side of the model.
func (s *session) ports(count, name, info slot) ([]calib.Port, []unsafe.Pointer, error) {
	var n uintptr
	if err := s.rt.call(count, uintptr(s.handle), uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, nil, err
	}
	ports, names := make([]calib.Port, n), make([]unsafe.Pointer, n)
	for i := range n {
		err := s.rt.call(name, uintptr(s.handle), i, uintptr(s.rt.allocator), uintptr(unsafe.Pointer(&names[i])))
		if err != nil {
			return ports, names, err
		}
		var ti unsafe.Pointer
		if err := s.rt.call(info, uintptr(s.handle), i, uintptr(unsafe.Pointer(&ti))); err != nil {
			return ports, names, err
		}
		t, err := s.rt.portType(ti)
		s.rt.release(releaseTypeInfo, ti)
		if err != nil {
			return ports, names, err
		}
		ports[i] = calib.Port{Name: runtimelib.GoString(names[i]), Type: t}
	}
	return ports, names, nil
}

// portType reads an OrtTypeInfo. ONNX Runtime shows an undeclared shape as
// rank 0, so rank 0 is taken as unknown.
func (r *Runtime) portType(info unsafe.Pointer) (infer.Type, error) {
	const tensorKind = 1 // ONNX_TYPE_TENSOR
	var kind int32
	if err := r.call(getOnnxTypeFromTypeInfo, uintptr(info), uintptr(unsafe.Pointer(&kind))); err != nil {
		return infer.Type{}, err
	}
	if kind != tensorKind {
		return infer.Type{Other: &onnx.Type{}}, nil
	}
	var tensor unsafe.Pointer // belongs to info
	if err := r.call(castTypeInfoToTensorInfo, uintptr(info), uintptr(unsafe.Pointer(&tensor))); err != nil {
		return infer.Type{}, err
	}
	elem, dims, err := r.elemAndDims(tensor)
	if err != nil {
		return infer.Type{}, err
	}
	symbols := make([]unsafe.Pointer, len(dims))
	err = r.call(getSymbolicDimensions, uintptr(tensor), uintptr(unsafe.Pointer(unsafe.SliceData(symbols))), uintptr(len(dims)))
	if err != nil {
		return infer.Type{}, err
	}
	t := infer.Type{Elem: elem, Shape: infer.Shape{Ranked: len(dims) > 0, Dims: make([]infer.Dim, len(dims))}}
	for i, d := range dims {
		t.Shape.Dims[i] = infer.Dim{Value: max(d, -1), Param: runtimelib.GoString(symbols[i])}
	}
	return t, nil
}

// elemAndDims reads an OrtTensorTypeAndShapeInfo.
func (r *Runtime) elemAndDims(info unsafe.Pointer) (onnx.DataType, []int64, error) {
	var elem int32
	if err := r.call(getTensorElementType, uintptr(info), uintptr(unsafe.Pointer(&elem))); err != nil {
		return 0, nil, err
	}
	var rank uintptr
	if err := r.call(getDimensionsCount, uintptr(info), uintptr(unsafe.Pointer(&rank))); err != nil {
		return 0, nil, err
	}
	dims := make([]int64, rank)
	err := r.call(getDimensions, uintptr(info), uintptr(unsafe.Pointer(unsafe.SliceData(dims))), rank)
	return fromORT(elem), dims, err
}

// Inputs are the inputs that must be fed: graph inputs without a default.
func (s *session) Inputs() []calib.Port { return s.in }

// Outputs are the graph outputs in order.
func (s *session) Outputs() []calib.Port { return s.out }

// Close frees the session. Closing twice is harmless.
func (s *session) Close() error {
	if s.handle == nil {
		return nil
	}
	for _, names := range [][]unsafe.Pointer{s.inC, s.outC} {
		for _, p := range names {
			if p != nil {
				_ = s.rt.call(allocatorFree, uintptr(s.rt.allocator), uintptr(p))
			}
		}
	}
	s.rt.release(releaseSession, s.handle)
	if s.rt.trim != 0 {
		// glibc keeps what a session frees; the next session of another model finds little use for the pieces.
		purego.SyscallN(s.rt.trim, 0)
	}
	s.handle, s.inC, s.outC = nil, nil, nil
	if s.cleanup != nil {
		return s.cleanup()
	}
	return nil
}
