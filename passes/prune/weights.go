package prune

import (
	"encoding/binary"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// matrix is the content of a constant with its dims.
type matrix struct {
	dims []int64
	at   []float64
}

// weights reads a constant, or one behind DequantizeLinear; false for anything else.
func weights(v *graph.Value) (matrix, bool) {
	if v == nil {
		return matrix{}, false
	}
	if t := v.Const(); t != nil {
		list, err := t.Float64s()
		return matrix{t.Dims, list}, err == nil && t.Type.IsFloat()
	}
	d := v.Def()
	if d == nil || d.Op() != "DequantizeLinear" || d.In(0) == nil || d.In(0).Const() == nil || d.In(1) == nil || d.In(1).Const() == nil {
		return matrix{}, false
	}
	return dequantize(d)
}

func dequantize(d *graph.Node) (matrix, bool) {
	t := d.In(0).Const()
	codes, err := t.Int64s()
	scale, err2 := d.In(1).Const().Float64s()
	if err != nil || err2 != nil || d.Int("block_size", 0) != 0 || len(scale) == 0 {
		return matrix{}, false
	}
	zero := make([]int64, len(scale))
	if z := d.In(2); z != nil {
		if z.Const() == nil {
			return matrix{}, false
		}
		if zero, err = z.Const().Int64s(); err != nil || len(zero) != len(scale) {
			return matrix{}, false
		}
	}
	m := matrix{t.Dims, make([]float64, len(codes))}
	inner, n := int64(1), int64(1)
	if len(scale) > 1 {
		along := d.Int("axis", 1)
		if along < 0 {
			along += int64(len(t.Dims))
		}
		if along < 0 || along >= int64(len(t.Dims)) || t.Dims[along] != int64(len(scale)) {
			return matrix{}, false
		}
		n = t.Dims[along]
		inner = m.inner(int(along))
	}
	for i, c := range codes {
		k := int64(i) / inner % n
		m.at[i] = scale[k] * float64(c-zero[k])
	}
	return m, true
}

// inner is the product of the dims behind axis a.
func (m matrix) inner(a int) int64 {
	p := int64(1)
	for _, d := range m.dims[a+1:] {
		p *= d
	}
	return p
}

// fold calls f for every element with its index along axis a.
func (m matrix) fold(a int, f func(i int, x float64)) {
	inner, n := int(m.inner(a)), int(m.dims[a])
	if inner == 0 || n == 0 {
		return
	}
	for k, x := range m.at {
		f(k/inner%n, x)
	}
}

// encode is a tensor of type t over values.
func encode(t onnx.DataType, dims []int64, values []float64) *onnx.Tensor {
	narrow := make([]float32, len(values))
	for i, x := range values {
		narrow[i] = float32(x)
	}
	switch t {
	case onnx.Double:
		return onnx.From(dims, values)
	case onnx.Float16:
		raw := make([]byte, 2*len(values))
		dtype.EncodeF16(raw, narrow)
		return onnx.NewTensor(t, dims, raw)
	case onnx.BFloat16:
		raw := make([]byte, 2*len(values))
		dtype.EncodeBF16(raw, narrow)
		return onnx.NewTensor(t, dims, raw)
	}
	raw := make([]byte, 4*len(values))
	for i, x := range narrow {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
	}
	return onnx.NewTensor(onnx.Float, dims, raw)
}

// writable tells whether v is a floating-point constant that encode can write.
func writable(v *graph.Value) bool {
	if v == nil || v.Const() == nil {
		return false
	}
	switch v.Const().Type {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
		return true
	}
	return false
}

// set gives use i of n new content; other readers of a shared constant keep theirs.
func set(n *graph.Node, i int, t *onnx.Tensor) {
	v := n.In(i)
	if v.IsInit() && !v.IsInput() && v.NumUses() == 1 {
		v.SetInit(t)
		return
	}
	n.SetIn(i, n.Graph().Init(v.Name()+"_own", t))
	if v.IsInit() && !v.IsInput() && v.NumUses() == 0 {
		v.RemoveInit()
	}
}
