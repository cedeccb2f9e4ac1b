package sample

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/observe"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// typeHint is what to do about an element type that is not converted on its
// own; "" when it fits. Floats become floats of another width and integers
// integers of another width; bytes become floats only when the user said how,
// because models rarely take 0..255.
func typeHint(from, to onnx.DataType, p Preprocess) string {
	switch {
	case from == to || from.IsFloat() && to.IsFloat() && narrow(to):
		return ""
	case whole32(from) && whole32(to):
		return ""
	case whole32(from) && to.IsFloat():
		if p.scales() {
			return ""
		}
		return "integers for a float input: add --scale 1/255 for bytes that the model takes in 0..1, or --scale 1 to take the numbers as they are"
	}
	return fmt.Sprintf("save the array as %v", to)
}

// narrow tells whether convert can make floats of type t.
func narrow(t onnx.DataType) bool {
	return t == onnx.Float || t == onnx.Double || t == onnx.Float16 || t == onnx.BFloat16
}

// whole32 tells whether t is a whole-byte integer or Bool.
func whole32(t onnx.DataType) bool {
	return t == onnx.Bool || t.IsInteger() && t.Bits() >= 8
}

// convert brings an array to type t. Integers out of the range of t are an error.
func convert(a calib.Array, t onnx.DataType) (calib.Array, error) {
	if a.Type == t {
		return a, nil
	}
	if whole32(a.Type) && whole32(t) {
		return convertInts(a, t)
	}
	var scratch []float64
	x, err := a.Float64s(&scratch)
	if err != nil {
		return a, err
	}
	out := calib.Array{Type: t, Shape: a.Shape, Bytes: make([]byte, 0, len(x)*t.Bits()/8)}
	for _, v := range x {
		out.Bytes = appendFloat(out.Bytes, t, v)
	}
	return out, nil
}

func appendFloat(b []byte, t onnx.DataType, v float64) []byte {
	le := binary.LittleEndian
	switch t {
	case onnx.Double:
		return le.AppendUint64(b, math.Float64bits(v))
	case onnx.Float16:
		return le.AppendUint16(b, dtype.F16FromF32(float32(v)))
	case onnx.BFloat16:
		return le.AppendUint16(b, dtype.BF16FromF32(float32(v)))
	default:
		return le.AppendUint32(b, math.Float32bits(float32(v)))
	}
}

// convertInts goes through 64 bits; a uint64 above the int64 range fits only uint64.
func convertInts(a calib.Array, t onnx.DataType) (calib.Array, error) {
	from, to := a.Type.Bits()/8, t.Bits()/8
	out := calib.Array{Type: t, Shape: a.Shape, Bytes: make([]byte, 0, len(a.Bytes)/from*to)}
	var word [8]byte
	for b := a.Bytes; len(b) >= from; b = b[from:] {
		v := integer(b[:from], a.Type)
		binary.LittleEndian.PutUint64(word[:], uint64(v))
		if integer(word[:to], t) != v || t == onnx.Bool && v>>1 != 0 || signDiffers(a.Type, t, v) {
			return a, fmt.Errorf("the number %d does not fit into %v", v, t)
		}
		out.Bytes = append(out.Bytes, word[:to]...)
	}
	return out, nil
}

// signDiffers tells whether 64 bits mean different numbers in both types.
func signDiffers(from, to onnx.DataType, v int64) bool {
	return v < 0 && (from == onnx.Uint64) != (to == onnx.Uint64)
}

// integer is an element sign- or zero-extended to 64 bits.
func integer(b []byte, t onnx.DataType) int64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	if shift := 64 - 8*len(b); t.IsSigned() {
		return int64(v<<shift) >> shift
	}
	return int64(v)
}

// scale applies y = (x*Scale - Mean) / Std to an array that lies as the model
// takes it; the result is float32.
func scale(a calib.Array, p Preprocess, last bool) (calib.Array, error) {
	var scratch []float32
	x, err := a.Float32s(&scratch)
	if err != nil {
		return a, err
	}
	channels, inner := 1, 1
	if rank := len(a.Shape); len(p.Mean) > 1 || len(p.Std) > 1 {
		if rank < 3 {
			return a, bad("mean and std", fmt.Sprintf("an array of %d dimensions", rank), "a picture, when there is one number for each channel")
		}
		channels = int(a.Shape[rank-3])
		inner = int(a.Shape[rank-2] * a.Shape[rank-1])
		if last {
			channels, inner = int(a.Shape[rank-1]), 1
		}
	}
	mul, add, err := p.affine(channels)
	if err != nil {
		return a, err
	}
	out := calib.Array{Type: onnx.Float, Shape: a.Shape, Bytes: make([]byte, 0, 4*len(x))}
	for i, v := range x {
		c := i / inner % channels
		out.Bytes = binary.LittleEndian.AppendUint32(out.Bytes, math.Float32bits(v*mul[c]+add[c]))
	}
	return out, nil
}

// checkFinite refuses NaN and infinities.
func checkFinite(a calib.Array, name, input string) error {
	if !a.Type.IsFloat() {
		return nil
	}
	var scratch []float32
	x, err := a.Float32s(&scratch)
	if err != nil {
		return err
	}
	if m := observe.Scan(x); m.NaN+m.Inf == 0 {
		return nil
	}
	for i, v := range x {
		if v-v != 0 {
			return diag.New("OP6013", "sample holds NaN or infinity", "data", name, "input", input,
				"found", fmt.Sprintf("%v at element %d of %s", v, i, a)).
				Hinted("look for a division by zero or a missing value in the program that wrote the sample, or leave the file out")
		}
	}
	return nil
}
