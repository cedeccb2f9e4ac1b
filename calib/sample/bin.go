package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// binBlob is a file of raw little-endian elements of the input's type. Its
// size settles one unknown dimension: the batch when that is unknown, else
// the only other one.
func binBlob(path, name string, port calib.Port) (*blob, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(name, err)
	}
	dims, err := binDims(st.Size(), port)
	if err != nil {
		return nil, diag.New("OP6012", fmt.Sprintf("calibration data does not fit input %q", port.Name),
			"data", fmt.Sprintf("%s  %d bytes", name, st.Size()), "wanted", port.TypeString()).Wrap(err).
			Hinted("a .bin file holds raw little-endian elements of the input's own type, one sample after the other; give unknown sizes with --dim or --shape, or save .npy files, which carry type and shape")
	}
	b := &blob{name: name, file: path, typ: port.Elem, dims: dims}
	b.read = func(off, n int64) ([]byte, error) { return readRange(path, name, off, n) }
	return b, nil
}

// binDims are the dims of size bytes for the port.
func binDims(size int64, port calib.Port) ([]int64, error) {
	if !port.Shape.Ranked {
		return nil, fmt.Errorf("the input's shape is unknown")
	}
	dims, unknown := make([]int64, len(port.Shape.Dims)), -1
	for i, d := range port.Shape.Dims {
		dims[i] = d.Value
		switch {
		case d.Value >= 0:
		case unknown >= 0:
			return nil, fmt.Errorf("more than one dimension of the input is unknown")
		default:
			unknown, dims[i] = i, 1
		}
	}
	one, ok := calib.ByteLen(port.Elem, dims)
	if !ok || one == 0 || size == 0 || size%one != 0 {
		return nil, fmt.Errorf("its size is not a multiple of %d bytes", one)
	}
	switch n := size / one; {
	case unknown >= 0:
		dims[unknown] = n
	case n > 1:
		dims = append([]int64{n}, dims...)
		if len(dims) > 1 && dims[1] == 1 {
			dims = append(dims[:1], dims[2:]...)
		}
	}
	return dims, nil
}

// randomSamples is how many random samples there are unless told otherwise.
const randomSamples = 32

// randomBlob makes numbers up: floats in [0,1), integers and booleans 0 or 1
// (larger ones would often be no valid index). They depend on seed, input and
// position only.
func randomBlob(port calib.Port, stream int, n int64, seed uint64) (*blob, error) {
	one, err := randomDims(port)
	if err != nil {
		return nil, err
	}
	bytes, ok := calib.ByteLen(port.Elem, one)
	if !ok || bytes > maxSample {
		return nil, tooLarge("random", bytes)
	}
	b := &blob{name: "random", typ: port.Elem, dims: append([]int64{n}, one...)}
	b.read = func(off, count int64) ([]byte, error) {
		r := rand.New(rand.NewPCG(seed, uint64(off)<<16|uint64(stream)))
		out := make([]byte, 0, count)
		for int64(len(out)) < count {
			out = appendRandom(out, port.Elem, r)
		}
		return out, nil
	}
	return b, nil
}

func randomDims(port calib.Port) ([]int64, error) {
	dims := make([]int64, len(port.Shape.Dims))
	for i, d := range port.Shape.Dims {
		switch {
		case d.Value >= 0:
			dims[i] = d.Value
		case i == 0 && hasBatch(port.Shape.Dims):
			dims[i] = 1
		default:
			return nil, noShape(port)
		}
	}
	if !port.Shape.Ranked {
		return nil, noShape(port)
	}
	return dims, nil
}

func noShape(port calib.Port) error {
	return diag.New("OP6020", "random samples need the sizes of all dimensions", "input", port.Name, "model", port.TypeString()).
		Hinted("give them with --dim NAME=SIZE or --shape %s=%s", port.Name, exampleShape(port.Shape))
}

func exampleShape(s infer.Shape) string {
	if !s.Ranked || len(s.Dims) == 0 {
		return "1x3x224x224"
	}
	text := ""
	for i, d := range s.Dims {
		if i > 0 {
			text += "x"
		}
		switch {
		case d.Value >= 0:
			text += fmt.Sprint(d.Value)
		case i == 0:
			text += "1"
		default:
			text += "SIZE"
		}
	}
	return text
}

func appendRandom(b []byte, t onnx.DataType, r *rand.Rand) []byte {
	switch {
	case t == onnx.Float16:
		v := dtype.F16FromF32(r.Float32())
		return append(b, byte(v), byte(v>>8))
	case narrow(t):
		return appendFloat(b, t, math.Floor(r.Float64()*(1<<24))/(1<<24))
	}
	b = append(b, byte(r.Uint32()&1))
	return append(b, make([]byte, t.Bits()/8-1)...)
}
