//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package openvino

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Run executes the model, compiling it first when the sample's shapes are new.
// Outputs are windows into the library's memory that end when use returns.
func (s *session) Run(ctx context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	if s.core == nil {
		return diag.New("OP6352", "the session is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := calib.Fits(s.in, in); err != nil {
		return err
	}
	if err := s.prepare(in); err != nil {
		return failed(err)
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	for _, p := range s.in {
		if err := s.feed(p.Name, in[p.Name], &pins); err != nil {
			return failed(err)
		}
	}
	if err := s.infer(ctx); err != nil {
		return err
	}
	return s.fetch(use)
}

func failed(err error) error {
	return diag.New("OP6352", "OpenVINO failed while running the model").Wrap(err)
}

// feed hands over one input, which pins holds in place.
func (s *session) feed(name string, a calib.Array, pins *runtime.Pinner) error {
	data := a.Aligned()
	pins.Pin(data)
	t, err := s.rt.newTensor(s.rt.code[a.Type], a.Shape, unsafe.Pointer(data))
	if err != nil {
		return err
	}
	defer s.rt.release(tensorFree, t)
	return s.rt.call(inferRequestSetTensor, uintptr(s.program.request), uintptr(runtimelib.CString(name)), uintptr(t))
}

// infer runs the request; a cancelled ctx stops it.
func (s *session) infer(ctx context.Context) error {
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cancelled)
		_ = s.rt.call(inferRequestCancel, uintptr(s.program.request))
	})
	err := s.rt.call(inferRequestInfer, uintptr(s.program.request))
	if !stop() {
		<-cancelled
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// fetch passes the outputs to use.
func (s *session) fetch(use func([]calib.Array) error) error {
	arrays := make([]calib.Array, len(s.out))
	for i, p := range s.out {
		var t unsafe.Pointer
		err := s.rt.call(inferRequestGetTensor, uintptr(s.program.request), uintptr(runtimelib.CString(p.Name)), uintptr(unsafe.Pointer(&t)))
		if err != nil {
			return failed(err)
		}
		defer s.rt.release(tensorFree, t)
		if arrays[i], err = s.rt.view(t); err != nil {
			return failed(fmt.Errorf("output %s: %w", p.Name, err))
		}
	}
	return use(arrays)
}

// view reads the type, shape and data of a tensor.
func (r *Runtime) view(t unsafe.Pointer) (calib.Array, error) {
	var elem int32
	if err := r.call(tensorGetElementType, uintptr(t), uintptr(unsafe.Pointer(&elem))); err != nil {
		return calib.Array{}, err
	}
	var s shape
	if err := r.call(tensorGetShape, uintptr(t), uintptr(unsafe.Pointer(&s))); err != nil {
		return calib.Array{}, err
	}
	defer r.release(shapeFree, unsafe.Pointer(&s))
	var data unsafe.Pointer
	if err := r.call(tensorData, uintptr(t), uintptr(unsafe.Pointer(&data))); err != nil {
		return calib.Array{}, err
	}
	kind := r.kind[elem]
	dims := slices.Clone(unsafe.Slice(s.dims, s.rank))
	n, ok := calib.ByteLen(kind, dims)
	if !ok {
		return calib.Array{}, fmt.Errorf("element type %d of OpenVINO is not supported", elem)
	}
	return calib.Array{Type: kind, Shape: dims, Bytes: unsafe.Slice((*byte)(data), n)}, nil
}
