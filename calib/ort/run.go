//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Run executes the model. Inputs are used where they lie; outputs are windows
// into the library's memory that end when use returns.
func (s *session) Run(ctx context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	if s.handle == nil {
		return diag.New("OP6352", "the session is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := calib.Fits(s.in, in); err != nil {
		return err
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	values, err := s.inputValues(in, &pins)
	defer s.rt.releaseValues(values)
	if err != nil {
		return failed(err)
	}
	outputs := make([]unsafe.Pointer, len(s.out))
	defer s.rt.releaseValues(outputs)
	if err := s.execute(ctx, values, outputs); err != nil {
		return err
	}
	arrays := make([]calib.Array, len(s.out))
	for i := range arrays {
		if arrays[i], err = s.rt.view(outputs[i]); err != nil {
			return failed(err)
		}
	}
	return use(arrays)
}

// execute calls Run, which a cancelled ctx makes return before its next node.
func (s *session) execute(ctx context.Context, in, out []unsafe.Pointer) error {
	var options unsafe.Pointer
	if err := s.rt.call(createRunOptions, uintptr(unsafe.Pointer(&options))); err != nil {
		return failed(err)
	}
	defer s.rt.release(releaseRunOptions, options)
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		_ = s.rt.call(runOptionsSetTerminate, uintptr(options))
	})
	err := s.rt.call(run, uintptr(s.handle), uintptr(options),
		uintptr(unsafe.Pointer(unsafe.SliceData(s.inC))), uintptr(unsafe.Pointer(unsafe.SliceData(in))), uintptr(len(s.in)),
		uintptr(unsafe.Pointer(unsafe.SliceData(s.outC))), uintptr(len(s.out)), uintptr(unsafe.Pointer(unsafe.SliceData(out))))
	if !stop() {
		<-terminated // options must outlive the call above
	}
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

func failed(err error) error {
	return diag.New("OP6352", "ONNX Runtime failed while running the model").Wrap(err)
}

// inputValues wraps the arrays in the order of the inputs. The values refer to
// the arrays' own memory, which pins holds in place. On error the values made so far are returned.
func (s *session) inputValues(in map[string]calib.Array, pins *runtime.Pinner) ([]unsafe.Pointer, error) {
	values := make([]unsafe.Pointer, len(s.in))
	for i, p := range s.in {
		a := in[p.Name]
		data := a.Aligned()
		pins.Pin(data)
		err := s.rt.call(createTensorWithDataAsOrtValue, uintptr(s.rt.cpu),
			uintptr(unsafe.Pointer(data)), uintptr(len(a.Bytes)),
			uintptr(unsafe.Pointer(unsafe.SliceData(a.Shape))), uintptr(len(a.Shape)), toORT(a.Type),
			uintptr(unsafe.Pointer(&values[i])))
		if err != nil {
			return values, err
		}
	}
	return values, nil
}

// view reads the type, shape and data of a tensor OrtValue.
func (r *Runtime) view(v unsafe.Pointer) (calib.Array, error) {
	var info unsafe.Pointer
	if err := r.call(getTensorTypeAndShape, uintptr(v), uintptr(unsafe.Pointer(&info))); err != nil {
		return calib.Array{}, err
	}
	defer r.release(releaseTensorTypeAndShapeInfo, info)
	elem, dims, err := r.elemAndDims(info)
	if err != nil {
		return calib.Array{}, err
	}
	var data unsafe.Pointer
	if err := r.call(getTensorMutableData, uintptr(v), uintptr(unsafe.Pointer(&data))); err != nil {
		return calib.Array{}, err
	}
	n, ok := calib.ByteLen(elem, dims)
	if !ok {
		return calib.Array{}, fmt.Errorf("an output has the element type %v, which has no fixed size", elem)
	}
	return calib.Array{Type: elem, Shape: dims, Bytes: unsafe.Slice((*byte)(data), n)}, nil
}

func (r *Runtime) releaseValues(values []unsafe.Pointer) {
	for _, v := range values {
		if v != nil {
			r.release(releaseValue, v)
		}
	}
}
