//go:build !onnxpass_noexec

package ort

import (
	"context"
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// halfTensor is an initializer of float16.
func halfTensor(name string, dims []int64, x ...float32) *onnx.Tensor {
	b := make([]byte, 2*len(x))
	dtype.EncodeF16(b, x)
	t := onnx.NewTensor(onnx.Float16, dims, b)
	t.Name = name
	return t
}

// A layer with float16 scales and a bias of more than 65504 steps: with its
// optimizations the runtime makes the bias infinite.
func TestHalfScales(t *testing.T) {
	rt := load(t)
	scale, wScale, bias := float32(0.01), float32(0.001), float32(3)
	w := onnx.NewTensor(onnx.Int8, []int64{1, 1, 1, 1}, []byte{100})
	zero, zeros := onnx.NewTensor(onnx.Int8, nil, []byte{0}), onnx.NewTensor(onnx.Int8, []int64{1}, []byte{0})
	w.Name, zero.Name, zeros.Name = "w", "zero", "zeros"
	m := model(
		ports(tensorType("x", onnx.Float, 1, 1, 2, 2)), ports(tensorType("y", onnx.Float, 1, 1, 2, 2)),
		node("Cast", []string{"x"}, "h", &onnx.Attribute{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float16)}),
		node("QuantizeLinear", []string{"h", "s", "zero"}, "hq"), node("DequantizeLinear", []string{"hq", "s", "zero"}, "hd"),
		node("DequantizeLinear", []string{"w", "ws", "zeros"}, "wd", &onnx.Attribute{Name: "axis", Type: onnx.AttrInt, I: 0}),
		node("Conv", []string{"hd", "wd", "b"}, "c"),
		node("QuantizeLinear", []string{"c", "cs", "zero"}, "cq"), node("DequantizeLinear", []string{"cq", "cs", "zero"}, "cd"),
		node("Cast", []string{"cd"}, "y", &onnx.Attribute{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float)}))
	m.Graph.Initializer = []*onnx.Tensor{w, zero, zeros, halfTensor("s", nil, scale), halfTensor("ws", []int64{1}, wScale), halfTensor("b", []int64{1}, bias), halfTensor("cs", nil, 0.05)}
	if bias/(scale*wScale) < 65504 {
		t.Fatal("the bias is too small to show anything")
	}
	s := open(t, rt, m, calib.OpenOptions{})
	x := calib.Array{Type: onnx.Float, Shape: []int64{1, 1, 2, 2}}
	x.Bytes, _ = onnx.FromFloat32s(x.Shape, []float32{0, 0.5, 1, -1}).Raw()
	err := s.Run(context.Background(), map[string]calib.Array{"x": x}, func(out []calib.Array) error {
		y, err := out[0].Float32s(new([]float32))
		for i, v := range []float32{0, 0.5, 1, -1} {
			if want := bias + v*100*wScale; err == nil && !(math.Abs(float64(y[i]-want)) <= 0.06) {
				t.Errorf("%g instead of %g", y[i], want)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
