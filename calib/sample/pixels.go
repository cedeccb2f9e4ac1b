package sample

import (
	"encoding/binary"
	"image"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// numbers8 turns 8-bit colours into the input's elements.
func (q *picture) numbers8(img *image.RGBA) (calib.Array, error) {
	size := Size{img.Bounds().Dx(), img.Bounds().Dy()}
	mul, add, err := q.affine(q.channels)
	if err != nil {
		return calib.Array{}, err
	}
	pixels := size.W * size.H
	x := make([]float32, pixels*q.channels)
	for c := range q.channels {
		get, step, off := q.channel(c), 1, c*pixels
		if q.last {
			step, off = q.channels, c
		}
		for i := range pixels {
			x[off+i*step] = get(img.Pix[4*i:4*i+3:4*i+3])*mul[c] + add[c]
		}
	}
	return pack(x, q.port.Elem, q.shape(size)), nil
}

// channel reads one channel of a pixel. Grey is the luma of ITU-R BT.601, as in Pillow's "L".
func (q *picture) channel(c int) func(pix []byte) float32 {
	if q.channels == 1 || q.Color == "gray" {
		return func(p []byte) float32 {
			return float32((int(p[0])*19595 + int(p[1])*38470 + int(p[2])*7471 + 1<<15) >> 16)
		}
	}
	if q.Color == "bgr" {
		c = 2 - c
	}
	return func(p []byte) float32 { return float32(p[c]) }
}

// pack stores numbers as float32, or as the input's own narrower type.
func pack(x []float32, t onnx.DataType, shape []int64) calib.Array {
	a := calib.Array{Type: t, Shape: shape, Bytes: make([]byte, 0, len(x)*t.Bits()/8)}
	for _, v := range x {
		switch t {
		case onnx.Float:
			a.Bytes = binary.LittleEndian.AppendUint32(a.Bytes, math.Float32bits(v))
		case onnx.Uint8:
			a.Bytes = append(a.Bytes, uint8(min(max(math.RoundToEven(float64(v)), 0), 255)))
		default:
			a.Bytes = appendFloat(a.Bytes, t, float64(v))
		}
	}
	return a
}
