package onnx

import (
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Tensor is TensorProto. Typed fields, raw_data and external data are all
// seen through Data; on writing they become raw_data (or external data).
type Tensor struct {
	Name          string
	Type          DataType
	Dims          []int64
	Data          Data     // nil for String tensors and for tensors without elements
	Strings       [][]byte // String tensors only
	DocString     string
	MetadataProps []Entry
	keep
}

// SparseTensor is SparseTensorProto.
type SparseTensor struct {
	Values  *Tensor
	Indices *Tensor
	Dims    []int64
	keep
}

// NewTensor is a tensor without name over raw content, which is not copied.
// Nothing is checked here; writing refuses content that does not fit.
func NewTensor(t DataType, dims []int64, raw []byte) *Tensor {
	x := &Tensor{Type: t, Dims: dims}
	if len(raw) > 0 {
		x.Data = RawBytes(raw)
	}
	return x
}

// NumElements is the product of the dims, 1 for a scalar. Negative dims and
// products beyond int64 are errors.
func (t *Tensor) NumElements() (int64, error) {
	if slices.ContainsFunc(t.Dims, func(d int64) bool { return d < 0 }) {
		return 0, t.badDims("dims must not be negative")
	}
	if slices.Contains(t.Dims, 0) {
		return 0, nil
	}
	n := uint64(1)
	for _, d := range t.Dims {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, t.badDims("number of elements overflows")
		}
		n = lo
	}
	return int64(n), nil
}

func (t *Tensor) badDims(what string) *diag.Error {
	return diag.New("OP3010", what, "tensor", t.label())
}

func (t *Tensor) rawSize() (int64, bool) {
	n, err := t.NumElements()
	if err != nil {
		return 0, false
	}
	return t.Type.RawSize(n)
}

// Raw is the content in raw form, nil for a tensor without elements and for
// strings. It is read-only and valid until the model's file is closed. A slice
// of a mapped file must not be touched after somebody cut the file; the typed
// accessors turn that into an error.
func (t *Tensor) Raw() ([]byte, error) {
	if t.Data == nil {
		return nil, nil
	}
	b, err := t.Data.Bytes()
	if err == nil && int64(len(b)) != t.Data.Len() {
		err = fmt.Errorf("content has %d bytes instead of %d", len(b), t.Data.Len())
	}
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.label(), err)
	}
	return b, nil
}

// filler streams the content of a tensor into the hole left for it.
type filler struct{ t *Tensor }

func (f filler) Len() int64 { return f.t.Data.Len() }

// WriteTo writes the content and names the tensor in errors.
func (f filler) WriteTo(w io.Writer) (int64, error) {
	var n int64
	err := guarded(func() (err error) {
		n, err = writeData(w, f.t.Data)
		return err
	})
	if err == nil && n != f.t.Data.Len() {
		err = fmt.Errorf("content has %d bytes instead of %d", n, f.t.Data.Len())
	}
	if err != nil {
		return n, fmt.Errorf("tensor %s: %w", f.t.label(), err)
	}
	return n, nil
}
