package weights

import (
	"github.com/onnxpass/onnxpass/onnx"
)

// Upright turns the weight of a Gemm that reads it transposed, so that it
// stands [K, N], where runtimes keep it packed and divide K into blocks. It
// returns false, with nothing changed, for other weights.
func (w *Weight) Upright() bool {
	n := w.Node()
	if len(w.Readers) != 1 || !w.Direct() || !n.Is("Gemm") || n.Int("transB", 0) == 0 || !w.transpose() {
		return false
	}
	n.SetInt("transB", 0)
	return true
}

// transpose turns the stored matrix.
func (w *Weight) transpose() bool {
	if !w.Value.IsInit() || len(w.Dims) != 2 {
		return false
	}
	raw, err := w.Const.Raw()
	size := w.Const.Type.Bits() / 8
	if err != nil || len(raw) != size*w.Elements() {
		return false
	}
	rows, cols := int(w.Dims[0]), int(w.Dims[1])
	out := make([]byte, len(raw))
	for r := range rows {
		for c := range cols {
			copy(out[(c*rows+r)*size:(c*rows+r+1)*size], raw[(r*cols+c)*size:(r*cols+c+1)*size])
		}
	}
	dims := []int64{w.Dims[1], w.Dims[0]}
	w.Const = onnx.NewTensor(w.Const.Type, dims, out)
	w.Value.SetInit(w.Const)
	w.Layout = newLayout(dims, 1)
	return true
}
