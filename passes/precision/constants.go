package precision

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// constant is a float32 constant and what becomes of its values in 16 bits.
type constant struct {
	value    *graph.Value
	name     string
	elements int64
	clamped  int64   // finite values beyond the range
	flushed  int64   // values other than 0 that become 0
	finite   bool    // no NaN or infinity
	sqnr     float64 // dB of the finite values, clamped ones included; +Inf without loss
	largest  float64 // finite magnitude
}

// examine measures a constant once.
func (c *converter) examine(v *graph.Value) (*constant, error) {
	if k := c.constants[v]; k != nil {
		return k, nil
	}
	x, err := v.Const().Float32s()
	if err != nil {
		return nil, fmt.Errorf("constant %s: %w", v.Name(), err)
	}
	k := measure(x, c.low)
	k.value, k.name = v, v.Name()
	c.constants[v] = k
	return k, nil
}

// measure compares values with their 16-bit form.
func measure(x []float32, low onnx.DataType) *constant {
	k := &constant{elements: int64(len(x)), finite: true}
	var signal, noise float64
	for _, f := range x {
		a := math.Abs(float64(f))
		if !(a <= math.MaxFloat32) {
			k.finite = false
			continue
		}
		y := float64(narrow(f, low).float())
		k.largest = max(k.largest, a)
		switch {
		case a > limit(low):
			k.clamped++
		case y == 0 && f != 0:
			k.flushed++
		}
		signal += a * a
		noise += (float64(f) - y) * (float64(f) - y)
	}
	k.sqnr = math.Inf(1)
	if noise > 0 {
		k.sqnr = 10 * math.Log10(signal/noise)
	}
	return k
}

// limit is the largest magnitude that rounds to a finite value: half a step above the largest one of bfloat16, the
// largest one itself of float16, of which nothing above should pass unseen.
func limit(low onnx.DataType) float64 {
	if low == onnx.BFloat16 {
		return 0x1.fep127 + 0x1p119
	}
	return maxHalf
}

// halfCode is a 16-bit float as it is stored.
type halfCode struct {
	bits uint16
	low  onnx.DataType
}

func (h halfCode) float() float32 {
	if h.low == onnx.BFloat16 {
		return dtype.BF16ToF32(h.bits)
	}
	return dtype.F16ToF32(h.bits)
}

// narrow rounds to nearest, ties to even. Finite values stay finite: what is too large becomes the largest value.
func narrow(f float32, low onnx.DataType) halfCode {
	encode, largest := dtype.F16FromF32, uint16(0x7bff)
	if low == onnx.BFloat16 {
		encode, largest = dtype.BF16FromF32, 0x7f7f
	}
	h, infinite := encode(f), largest+1
	if h&0x7fff == infinite && !math.IsInf(float64(f), 0) {
		h = h&0x8000 | largest
	}
	return halfCode{h, low}
}

// narrowed is the tensor in 16 bits; it is computed when it is written.
func narrowed(t *onnx.Tensor, low onnx.DataType) (*onnx.Tensor, error) {
	count, err := t.NumElements()
	if err != nil {
		return nil, err
	}
	return &onnx.Tensor{Type: low, Dims: append([]int64(nil), t.Dims...), Data: onnx.Lazy(2*count, func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		out := make([]byte, 2*len(x))
		for i, f := range x {
			binary.LittleEndian.PutUint16(out[2*i:], narrow(f, low).bits)
		}
		return out, nil
	})}, nil
}

// leastQuality is the SQNR in dB below which a constant is too coarse in 16 bits. Normal numbers keep 55 dB in
// bfloat16 and 73 in float16; less means that values lie below the least normal number.
const leastQuality = 45

// badConstant is why a node stays float32 for the sake of its constants.
func (c *converter) badConstant(n *graph.Node) (string, error) {
	if fill := n.Tensor("value"); n.Is("ConstantOfShape") && fill != nil {
		x, err := fill.Float32s()
		if err != nil {
			return "", fmt.Errorf("%s: %w", n.Label(), err)
		}
		if k := measure(x, c.low); k.clamped > 0 && !masks(n.Out(0), 0) || k.flushed > 0 {
			return "its constant does not fit " + c.low.String(), nil
		}
	}
	for i, v := range n.Ins() {
		if v == nil || v.Elem() != onnx.Float || v.Const() == nil || v.IsInput() || !c.admits(n, i) || n.Is(pairs...) {
			continue // scales are rounded with care: see halfScale
		}
		k, err := c.examine(v)
		if err != nil {
			return "", err
		}
		switch {
		case k.clamped > 0 && !bounds(n):
			return "a constant lies beyond the range of " + c.low.String(), nil
		case k.clamped == 0 && k.sqnr < leastQuality || k.flushed > 0 && sensitive(n, i):
			return "a constant lies below the range of " + c.low.String(), nil
		}
	}
	return "", nil
}

// bounds says whether the end of the range means the same as a constant beyond it: in bounds and comparisons, and in
// fill values that a softmax turns into zero.
func bounds(n *graph.Node) bool {
	return n.Is("Clip", "Min", "Max", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal") || n.Is("Where", "Pad") && masks(n.Out(0), 0)
}

// masks says whether a tensor goes into softmax only, through what leaves the least elements the least.
func masks(v *graph.Value, depth int) bool {
	if v == nil || depth > 8 || v.NumUses() == 0 {
		return false
	}
	for _, u := range v.Uses() {
		switch {
		case u.IsReturn():
			return false
		case u.Node.Is("Softmax", "LogSoftmax"):
		case u.Node.Is(moves...) || u.Node.Is("Add", "Where"):
			if !masks(u.Node.Out(0), depth+1) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// sensitive says whether zero instead of a tiny value at input i is another result.
func sensitive(n *graph.Node, i int) bool {
	return n.Is("Div") && i == 1 || n.Is("BatchNormalization") && i == 4 || n.Is("Pow") && i == 0 || n.Is("Log", "Reciprocal", "Sqrt")
}
