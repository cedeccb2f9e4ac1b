package calib

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/onnxpass/onnxpass/onnx"
)

// Product multiplies matrices in a runtime, which does it ten times as fast
// as Go from a few hundred rows on.
type Product struct {
	plain, turned Session
	threads       int
}

// NewProduct opens models of one MatMul, for products on as many threads.
func NewProduct(ctx context.Context, r Runner, threads int) (*Product, error) {
	p := &Product{threads: threads}
	var err error
	if p.plain, err = openProduct(ctx, r, false); err != nil {
		return nil, err
	}
	if p.turned, err = openProduct(ctx, r, true); err != nil {
		return nil, errors.Join(err, p.plain.Close())
	}
	return p, nil
}

// openProduct loads a b, or a b^T, for batches of matrices.
func openProduct(ctx context.Context, r Runner, turned bool) (Session, error) {
	matrix := func(name string, dims ...string) *onnx.ValueInfo {
		s := &onnx.Shape{}
		for _, d := range dims {
			s.Dim = append(s.Dim, onnx.Dim{Kind: onnx.DimParam, Param: d})
		}
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: s}}}
	}
	g := &onnx.Graph{Name: "product", Output: []*onnx.ValueInfo{matrix("c", "g", "m", "n")}}
	right := "b"
	if turned {
		right = "t"
		g.Input = []*onnx.ValueInfo{matrix("a", "g", "m", "k"), matrix("b", "g", "n", "k")}
		g.Node = append(g.Node, &onnx.Node{OpType: "Transpose", Input: []string{"b"}, Output: []string{"t"},
			Attribute: []*onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: []int64{0, 2, 1}}}})
	} else {
		g.Input = []*onnx.ValueInfo{matrix("a", "g", "m", "k"), matrix("b", "g", "k", "n")}
	}
	g.Node = append(g.Node, &onnx.Node{OpType: "MatMul", Input: []string{"a", right}, Output: []string{"c"}})
	m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 13}}, Graph: g}
	return r.Open(ctx, m, OpenOptions{Threads: 1})
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
	return out, InTurn((rows+strip-1)/strip, p.threads, func(i int, _ func(func() error) error) error {
		from, to := i*strip, min((i+1)*strip, rows)
		return p.run(ctx, p.plain, a[from*inner:to*inner], b, [4]int{1, to - from, inner, cols}, func(c []float32) { copy(out[from*cols:to*cols], c) })
	})
}

// Batch hands n products of matrices a [rows, inner] and b [inner, cols], or
// [cols, inner] when turned, to use: [n, rows, cols], valid until use returns. It runs on one thread, and several calls may run at a time.
func (p *Product) Batch(ctx context.Context, a, b []float32, n, rows, inner, cols int, turned bool, use func(c []float32)) error {
	if len(a) != n*rows*inner || len(b) != n*inner*cols {
		return fmt.Errorf("%d and %d elements for %d products of %dx%d and %dx%d", len(a), len(b), n, rows, inner, inner, cols)
	}
	if n*rows*inner*cols == 0 {
		use(make([]float32, n*rows*cols))
		return nil
	}
	s := p.plain
	if turned {
		s = p.turned
	}
	return p.run(ctx, s, a, b, [4]int{n, rows, inner, cols}, use)
}

// run multiplies a batch of matrices of the sizes count, rows, inner and columns.
func (p *Product) run(ctx context.Context, s Session, a, b []float32, sizes [4]int, use func([]float32)) error {
	n, m, k, c := int64(sizes[0]), int64(sizes[1]), int64(sizes[2]), int64(sizes[3])
	right := []int64{n, k, c}
	if s == p.turned {
		right = []int64{n, c, k}
	}
	in := map[string]Array{"a": arrayOf(a, []int64{n, m, k}), "b": arrayOf(b, right)}
	return s.Run(ctx, in, func(out []Array) error {
		x, err := out[0].Float32s(new([]float32))
		if err == nil {
			use(x)
		}
		return err
	})
}

// arrayOf is an array over the memory of x where bytes have the runtime's order, else a copy.
func arrayOf(x []float32, shape []int64) Array {
	if len(x) == 0 || !littleEndian {
		t := onnx.FromFloat32s(shape, x)
		b, _ := t.Data.Bytes() // of memory: does not fail
		return Array{Type: onnx.Float, Shape: shape, Bytes: b}
	}
	return Array{Type: onnx.Float, Shape: shape, Bytes: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))}
}

// Close frees the sessions.
func (p *Product) Close() error { return errors.Join(p.plain.Close(), p.turned.Close()) }
