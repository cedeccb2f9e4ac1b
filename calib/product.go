package calib

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// Product multiplies matrices in a runtime, which does it ten times as fast
// as Go from a few hundred rows on.
type Product struct {
	session Session
	threads int
}

// NewProduct opens a model of one MatMul, for products on as many threads.
func NewProduct(ctx context.Context, r Runner, threads int) (*Product, error) {
	matrix := func(name, rows, cols string) *onnx.ValueInfo {
		dims := []onnx.Dim{{Kind: onnx.DimParam, Param: rows}, {Kind: onnx.DimParam, Param: cols}}
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: &onnx.Shape{Dim: dims}}}}
	}
	m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 13}}, Graph: &onnx.Graph{
		Name:   "product",
		Node:   []*onnx.Node{{OpType: "MatMul", Input: []string{"a", "b"}, Output: []string{"c"}}},
		Input:  []*onnx.ValueInfo{matrix("a", "m", "k"), matrix("b", "k", "n")},
		Output: []*onnx.ValueInfo{matrix("c", "m", "n")},
	}}
	s, err := r.Open(ctx, m, OpenOptions{Threads: 1})
	if err != nil {
		return nil, err
	}
	return &Product{s, threads}, nil
}

// strip is how many rows are multiplied at once. It does not depend on the
// threads, on which the runtime's own division of the work, and so its rounding, would.
const strip = 128

// Of is a b for matrices a [rows, inner] and b [inner, cols], row-major, in a slice of its own.
func (p *Product) Of(ctx context.Context, a, b []float32, rows, inner, cols int) ([]float32, error) {
	if len(a) != rows*inner || len(b) != inner*cols {
		return nil, fmt.Errorf("%d and %d elements for a product of %dx%d and %dx%d", len(a), len(b), rows, inner, inner, cols)
	}
	out := make([]float32, rows*cols)
	if rows*inner*cols == 0 {
		return out, nil
	}
	right := matrixOf(b, inner, cols)
	return out, InTurn((rows+strip-1)/strip, p.threads, func(i int, _ func(func() error) error) error {
		from, to := i*strip, min((i+1)*strip, rows)
		in := map[string]Array{"a": matrixOf(a[from*inner:to*inner], to-from, inner), "b": right}
		return p.session.Run(ctx, in, func(c []Array) error {
			x, err := c[0].Float32s(new([]float32))
			copy(out[from*cols:to*cols], x)
			return err
		})
	})
}

func matrixOf(x []float32, rows, cols int) Array {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return Array{Type: onnx.Float, Shape: []int64{int64(rows), int64(cols)}, Bytes: b}
}

// Close frees the session.
func (p *Product) Close() error { return p.session.Close() }
