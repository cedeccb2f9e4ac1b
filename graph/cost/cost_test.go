package cost

import (
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/graphtest"
	"github.com/onnxpass/onnxpass/onnx"
)

func parse(t *testing.T, body string) *graph.Model {
	t.Helper()
	return graphtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]>`+body)
}

func TestMACs(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want int64 // -1: not countable
	}{
		"conv":           {`g (float[2,3,8,8] x) => (float[2,4,8,8] y) <float[4,3,3,3] w = fill(1)> { y = Conv <pads=[1,1,1,1]> (x, w) }`, 2 * 4 * 8 * 8 * 3 * 9},
		"grouped":        {`g (float[1,4,8,8] x) => (float[1,4,6,6] y) <float[4,1,3,3] w = fill(1)> { y = Conv <group=4> (x, w) }`, 4 * 36 * 9},
		"transposed":     {`g (float[1,3,8,8] x) => (float[1,4,16,16] y) <float[3,4,2,2] w = fill(1)> { y = ConvTranspose <strides=[2,2]> (x, w) }`, 3 * 64 * 4 * 4},
		"gemm":           {`g (float[5,7] x) => (float[5,3] y) <float[7,3] w = fill(1)> { y = Gemm (x, w) }`, 5 * 7 * 3},
		"gemm, A turned": {`g (float[7,5] x) => (float[5,3] y) <float[3,7] w = fill(1)> { y = Gemm <transA=1, transB=1> (x, w) }`, 5 * 7 * 3},
		"matmul":         {`g (float[2,4,5,7] x, float[7,3] z) => (float[2,4,5,3] y) { y = MatMul (x, z) }`, 2 * 4 * 5 * 7 * 3},
		"vectors":        {`g (float[7] x, float[7] z) => (float y) { y = MatMul (x, z) }`, 7},
		"lstm":           {`g (float[6,2,10] x) => (float[6,1,2,4] y) <float[1,16,10] w = fill(1), float[1,16,4] r = fill(1)> { y = LSTM <hidden_size=4> (x, w, r) }`, 6 * 2 * (160 + 64)},
		"lstm in 8 bits": {`g (float[6,2,10] x) => (float[6,1,2,4] y) <int8[1,10,16] w = fill(1), int8[1,4,16] r = fill(1), float[1,16] s = fill(1), int8[1,16] z = fill(0)>
			{ y = com.microsoft.DynamicQuantizeLSTM <hidden_size=4> (x, w, r, , , , , , s, z, s, z) }`, 6 * 2 * (160 + 64)},
		"no work":    {`g (float[7] x) => (float[7] y) { y = Relu (x) }`, 0},
		"open":       {`g (float[N,7] x) => (float[N,3] y) <float[7,3] w = fill(1)> { y = MatMul (x, w) }`, -1},
		"no formula": {`g (float[2,7] x) => (float[2,2] y) { y = Einsum <equation="ij,kj->ik"> (x, x) }`, -1},
	} {
		got := Count(parse(t, c.body))
		if c.want >= 0 && (got.MACs != c.want || got.Uncounted != 0) {
			t.Errorf("%s: %d MACs and %d uncounted, want %d", name, got.MACs, got.Uncounted, c.want)
		}
		if c.want < 0 && (got.Uncounted != 1 || got.Layers[0].Why == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestBindClosesShapes(t *testing.T) {
	g := parse(t, `g (float[N,C,M] x) => (float[N,C,3] y) <float[7,3] w = fill(1)> { y = MatMul (x, w) }`)
	for _, c := range []struct {
		shapes map[string][]int64
		sizes  map[string]int64
		want   int64
	}{
		{map[string][]int64{"x": {2, 5, 7}}, nil, 2 * 5 * 7 * 3},
		{nil, map[string]int64{"C": 4, "M": 7}, 4 * 7 * 3}, // a batch that stays open is 1
	} {
		b, err := Bind(g, c.shapes, c.sizes)
		if err != nil {
			t.Fatal(err)
		}
		if got := Count(b); got.MACs != c.want {
			t.Errorf("%v %v: %d, want %d", c.shapes, c.sizes, got.MACs, c.want)
		}
	}
	if _, err := Bind(g, map[string][]int64{"x": {2, 5}}, nil); err == nil {
		t.Error("a shape of another rank was taken")
	}
	if Text(g.Main.Inputs()[0].Shape()) != "NxCxM" {
		t.Error("Bind changed its argument")
	}
}

// The arithmetic is 8-bit when both operands come through DequantizeLinear.
func TestArithmetic(t *testing.T) {
	g := parse(t, `g (float[1,8] x) => (float[1,8] y, float[1,8] z)
	<float s = {0.1}, uint8 zu = {128}, int8 zi = {0}, int8[8,8] w = fill(1), float[8,8] f = fill(1)> {
		q = QuantizeLinear (x, s, zu)
		d = DequantizeLinear (q, s, zu)
		dw = DequantizeLinear (w, s, zi)
		t = Transpose (dw)
		y = MatMul (d, t)
		z = MatMul (x, dw)
	}`)
	c := Count(g)
	if len(c.Layers) != 2 || c.Layers[0].Elem != onnx.Uint8 || c.Layers[1].Elem != onnx.Float {
		t.Fatalf("%+v", c.Layers)
	}
	if got := c.Share(Int8); got != 0.5 {
		t.Errorf("share %v", got)
	}
	if c.Params != 64+64 || c.ParamBytes != 64+256 {
		t.Errorf("%d parameters in %d bytes: scales and zero points are none", c.Params, c.ParamBytes)
	}
}

func TestControlFlow(t *testing.T) {
	g := parse(t, `g (bool c, float[1,8] x) => (float[1,8] y) <float[8,8] w = fill(1)> {
		y = If (c) <
			then_branch = a () => (float[1,8] p) { h = MatMul (x, w)  p = MatMul (h, w) },
			else_branch = b () => (float[1,8] q) { q = MatMul (x, w) }
		>
	}`)
	if c := Count(g); c.MACs != 128 || len(c.Layers) != 3 {
		t.Errorf("If: %d MACs in %d layers, want those of the dearer branch", c.MACs, len(c.Layers))
	}
}

func TestArithmeticSaturates(t *testing.T) {
	if add(math.MaxInt64, 1) != math.MaxInt64 || mul(1<<40, 1<<40) != math.MaxInt64 || mul(3, 4) != 12 {
		t.Error("overflow")
	}
}
