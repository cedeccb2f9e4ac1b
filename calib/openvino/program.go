//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package openvino

import (
	"slices"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
)

// program is a compiled model with one inference request.
type program struct {
	shapes            [][]int64 // of the inputs, when it was compiled for them
	compiled, request unsafe.Pointer
}

func (r *Runtime) compile(core, model unsafe.Pointer) (*program, error) {
	p := &program{}
	device := runtimelib.CString("CPU")
	err := r.call(coreCompileModel, uintptr(core), uintptr(model), uintptr(device), 0, uintptr(unsafe.Pointer(&p.compiled)))
	if err == nil {
		err = r.call(compiledModelCreateInferRequest, uintptr(p.compiled), uintptr(unsafe.Pointer(&p.request)))
	}
	if err != nil {
		p.close(r)
		return nil, err
	}
	return p, nil
}

func (p *program) close(r *Runtime) {
	if p != nil {
		r.release(inferRequestFree, p.request)
		r.release(compiledModelFree, p.compiled)
	}
}

// prepare makes sure that the program is compiled for the shapes of a sample.
func (s *session) prepare(in map[string]calib.Array) error {
	if !s.dynamic {
		return nil
	}
	shapes := make([][]int64, len(s.in))
	for i, p := range s.in {
		shapes[i] = in[p.Name].Shape
	}
	if s.program != nil && slices.EqualFunc(s.program.shapes, shapes, slices.Equal[[]int64]) {
		return nil
	}
	s.program.close(s.rt)
	s.program = nil
	model, err := s.read()
	if err != nil {
		return err
	}
	defer s.rt.release(modelFree, model)
	if err := s.reshape(model, shapes); err != nil {
		return err
	}
	if s.program, err = s.rt.compile(s.core, model); err != nil {
		return err
	}
	s.program.shapes = cloneShapes(shapes)
	return nil
}

func cloneShapes(shapes [][]int64) [][]int64 {
	out := make([][]int64, len(shapes))
	for i, s := range shapes {
		out[i] = slices.Clone(s)
	}
	return out
}

// reshape gives the inputs of a model fixed shapes.
func (s *session) reshape(model unsafe.Pointer, shapes [][]int64) error {
	names, partial := make([]unsafe.Pointer, len(shapes)), make([]partialShape, len(shapes))
	for i, dims := range shapes {
		names[i] = runtimelib.CString(s.in[i].Name)
		err := s.rt.call(partialShapeCreateStatic, uintptr(len(dims)), uintptr(unsafe.Pointer(unsafe.SliceData(dims))), uintptr(unsafe.Pointer(&partial[i])))
		if err != nil {
			return err
		}
		defer s.rt.release(partialShapeFree, unsafe.Pointer(&partial[i]))
	}
	return s.rt.call(modelReshape, uintptr(model), uintptr(unsafe.Pointer(unsafe.SliceData(names))),
		uintptr(unsafe.Pointer(unsafe.SliceData(partial))), uintptr(len(shapes)))
}
