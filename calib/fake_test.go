package calib_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// array is a float32 array.
func array(shape []int64, x ...float32) calib.Array {
	a := calib.Array{Type: onnx.Float, Shape: shape}
	for _, v := range x {
		a.Bytes = binary.LittleEndian.AppendUint32(a.Bytes, math.Float32bits(v))
	}
	return a
}

// memory is a source of samples in memory.
type memory []calib.Sample

func (m memory) Len() int          { return len(m) }
func (m memory) Name(i int) string { return m[i].Name }
func (m memory) Read(_ context.Context, i int) (calib.Sample, error) {
	return m[i], nil
}

func (m memory) Digest(indices []int) (string, error) { return fmt.Sprint("memory ", indices), nil }

// fixed is a session that answers the sample of a given name with given outputs.
type fixed struct {
	ports   []calib.Port
	outputs map[string][]calib.Array
}

func (f *fixed) Inputs() []calib.Port  { return nil }
func (f *fixed) Outputs() []calib.Port { return f.ports }
func (f *fixed) Close() error          { return nil }
func (f *fixed) Run(_ context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	return use(f.outputs[string(in["name"].Bytes)])
}

func named(names ...string) *calib.Set {
	var m memory
	for _, n := range names {
		m = append(m, calib.Sample{Name: n, Inputs: map[string]calib.Array{"name": {Type: onnx.Uint8, Shape: []int64{int64(len(n))}, Bytes: []byte(n)}}})
	}
	return calib.NewSet(m)
}
