//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package openvino

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// session is a model file with the program compiled for the latest input shapes.
type session struct {
	rt      *Runtime
	path    string
	core    unsafe.Pointer // belongs to rt; nil after Close
	in, out []calib.Port
	dynamic bool // an input has a dim or rank that is not fixed
	program *program
	remove  func() error // deletes the temporary model; may be nil
}

func (r *Runtime) open(ctx context.Context, path string, in, out []string, o calib.OpenOptions) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &session{rt: r, path: path}
	if err := s.load(in, out, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, ctx.Err()
}

func (s *session) load(in, out []string, o calib.OpenOptions) error {
	var err error
	if s.core, err = s.rt.core(o.Threads); err != nil {
		return refused(err)
	}
	model, err := s.read()
	if err != nil {
		return refused(err)
	}
	defer s.rt.release(modelFree, model)
	if s.in, err = s.rt.ports(model, modelConstInputByName, "input", in); err != nil {
		return err
	}
	if s.out, err = s.rt.ports(model, modelConstOutputByName, "output", out); err != nil {
		return err
	}
	for _, p := range s.in {
		s.dynamic = s.dynamic || !fixed(p.Shape)
	}
	if s.dynamic {
		return nil
	}
	s.program, err = s.rt.compile(s.core, model)
	return refused(err)
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return diag.New("OP6350", "OpenVINO refused the model").Wrap(err)
}

// read reads the file; the caller frees the model.
func (s *session) read() (model unsafe.Pointer, err error) {
	err = s.rt.call(coreReadModel, uintptr(s.core), uintptr(runtimelib.CString(s.path)), 0, uintptr(unsafe.Pointer(&model)))
	return model, err
}

func fixed(s infer.Shape) bool {
	for _, d := range s.Dims {
		if d.Value < 0 {
			return false
		}
	}
	return s.Ranked
}

// ports describes the named ports of a model.
func (r *Runtime) ports(model unsafe.Pointer, find function, kind string, names []string) ([]calib.Port, error) {
	ports := make([]calib.Port, len(names))
	for i, name := range names {
		t, err := r.port(model, find, name)
		if err != nil {
			return nil, refused(fmt.Errorf("%s %s: %w", kind, name, err))
		}
		ports[i] = calib.Port{Name: name, Type: t}
		if err := calib.Executable(kind, ports[i]); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

func (r *Runtime) port(model unsafe.Pointer, find function, name string) (infer.Type, error) {
	var port unsafe.Pointer
	if err := r.call(find, uintptr(model), uintptr(runtimelib.CString(name)), uintptr(unsafe.Pointer(&port))); err != nil {
		return infer.Type{}, err
	}
	defer r.release(outputConstPortFree, port)
	var elem int32
	if err := r.call(portGetElementType, uintptr(port), uintptr(unsafe.Pointer(&elem))); err != nil {
		return infer.Type{}, err
	}
	var ps partialShape
	if err := r.call(portGetPartialShape, uintptr(port), uintptr(unsafe.Pointer(&ps))); err != nil {
		return infer.Type{}, err
	}
	defer r.release(partialShapeFree, unsafe.Pointer(&ps))
	return infer.Type{Elem: r.kind[elem], Shape: ps.shape()}, nil
}

// dimension is ov_dimension_t; a fixed one has equal limits.
type dimension struct{ min, max int64 }

// partialShape is ov_partial_shape_t.
type partialShape struct {
	rank dimension
	dims *dimension
}

func (p partialShape) shape() infer.Shape {
	if p.rank.min != p.rank.max || p.rank.min < 0 {
		return infer.Shape{}
	}
	s := infer.Shape{Ranked: true, Dims: make([]infer.Dim, p.rank.min)}
	for i, d := range unsafe.Slice(p.dims, p.rank.min) {
		s.Dims[i].Value = -1
		if d.min == d.max {
			s.Dims[i].Value = d.min
		}
	}
	return s
}

// Inputs are the inputs that must be fed.
func (s *session) Inputs() []calib.Port { return s.in }

// Outputs are the graph outputs in order.
func (s *session) Outputs() []calib.Port { return s.out }

// Close frees the session. Closing twice is harmless.
func (s *session) Close() error {
	s.program.close(s.rt)
	s.program, s.core = nil, nil
	if s.remove == nil {
		return nil
	}
	remove := s.remove
	s.remove = nil
	return remove()
}
