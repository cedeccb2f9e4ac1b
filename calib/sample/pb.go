package sample

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	onnxgo "github.com/owulveryck/onnx-go"
	"gorgonia.org/tensor"
)

// pbNumber is the position of an input in a file name of an ONNX test data set.
var pbNumber = regexp.MustCompile(`^input_(\d+)\.pb$`)

// pbBlob is the tensor of an input_N.pb file; input is the name inside it.
func pbBlob(path, name string) (b *blob, input string, err error) {
	load := func() (*onnx.Tensor, []byte, error) {
		raw, err := readWhole(path, name)
		if err != nil {
			return nil, nil, err
		}
		t, content, err := decodePB(raw)
		if err != nil {
			return nil, nil, damaged(name, err)
		}
		return t, content, nil
	}
	t, _, err := load()
	if err != nil {
		return nil, "", err
	}
	b = &blob{name: name, file: path, typ: t.Type, dims: t.Dims}
	b.read = whole(func() ([]byte, error) {
		_, content, err := load()
		return content, err
	})
	return b, t.Name, nil
}

// decodePB reads a TensorProto. Our own codec checks it first (sizes, types, no
// external data). onnx-go then reads the elements where it can: float32,
// float64, int32 and int64 with at least one dimension. It knows no other
// type, takes a raw bool for eight bytes, and panics where content and dims
// disagree, so the rest is left to our codec.
func decodePB(raw []byte) (*onnx.Tensor, []byte, error) {
	t, err := onnx.DecodeTensor(raw)
	if err != nil {
		return nil, nil, err
	}
	if t.Type.Bits() < 8 || t.Type.Bits()%8 != 0 {
		return nil, nil, fmt.Errorf("elements of type %v cannot be samples", t.Type)
	}
	if byOnnxGo(t) {
		content, err := readByOnnxGo(raw)
		return t, content, err
	}
	if t.Data == nil {
		return t, nil, nil
	}
	content, err := t.Data.Bytes()
	return t, content, err
}

func byOnnxGo(t *onnx.Tensor) bool {
	n, err := t.NumElements()
	if err != nil || n == 0 || len(t.Dims) == 0 {
		return false
	}
	switch t.Type {
	case onnx.Float, onnx.Double, onnx.Int32, onnx.Int64:
		return true
	}
	return false
}

func readByOnnxGo(raw []byte) ([]byte, error) {
	t, err := onnxgo.NewTensor(raw)
	if err != nil {
		return nil, err
	}
	return tensorBytes(t)
}

// tensorBytes is the content of a tensor as raw little-endian elements.
func tensorBytes(t tensor.Tensor) ([]byte, error) {
	le := binary.LittleEndian
	var b []byte
	switch data := t.Data().(type) {
	case []float32:
		for _, v := range data {
			b = le.AppendUint32(b, math.Float32bits(v))
		}
	case []float64:
		for _, v := range data {
			b = le.AppendUint64(b, math.Float64bits(v))
		}
	case []int32:
		for _, v := range data {
			b = le.AppendUint32(b, uint32(v))
		}
	case []int64:
		for _, v := range data {
			b = le.AppendUint64(b, uint64(v))
		}
	default:
		return nil, fmt.Errorf("unexpected elements %T", data)
	}
	return b, nil
}

// pbInput is the input that a file belongs to: the one of the tensor's name,
// else the one at the position in the file name.
func pbInput(path, tensorName string, ports []calib.Port) string {
	for _, p := range ports {
		if p.Name == tensorName {
			return p.Name
		}
	}
	if m := pbNumber.FindStringSubmatch(filepath.Base(path)); m != nil {
		if i, err := strconv.Atoi(m[1]); err == nil && i < len(ports) {
			return ports[i].Name
		}
	}
	return ""
}
