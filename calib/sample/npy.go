package sample

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// gorgonia.org/tensor reads .npy too, but only format 1.0, little-endian
// C-order arrays of a dozen types, one element at a time by reflection (8 ms
// for a picture of 224 x 224 from memory), and it allocates what the header
// claims. So the header is read here, and the bytes are taken as they are.

// npyHeader is what precedes the elements of an .npy file.
type npyHeader struct {
	typ     onnx.DataType
	dims    []int64
	fortran bool
	big     bool  // elements are big-endian
	start   int64 // offset of the first element
	size    int64 // bytes of all elements
}

// maxHeader is far more than numpy writes for any array of numbers.
const maxHeader = 1 << 16

// errPickle marks arrays of Python objects.
var errPickle = errors.New("it holds Python objects (a pickle), which are never loaded")

// readNpyHeader reads the header of format 1, 2 or 3 (numpy.lib.format).
func readNpyHeader(r io.Reader) (h npyHeader, err error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:10]); err != nil {
		return h, errors.New("it is shorter than a header")
	}
	if string(head[:6]) != "\x93NUMPY" {
		return h, errors.New("it does not begin as an .npy file")
	}
	n, used := int64(binary.LittleEndian.Uint16(head[8:])), int64(10)
	switch head[6] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, head[10:]); err != nil {
			return h, errors.New("it is shorter than its header")
		}
		n, used = int64(binary.LittleEndian.Uint32(head[8:])), 12
	default:
		return h, fmt.Errorf("format version %d is unknown", head[6])
	}
	if n > maxHeader {
		return h, fmt.Errorf("its header claims %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, errors.New("it is shorter than its header")
	}
	h.start = used + n
	return h, h.parse(text)
}

// parse reads the dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }.
func (h *npyHeader) parse(text []byte) error {
	p := &literal{s: bytes.TrimSpace(text)}
	p.expect('{')
	seen := map[string]bool{}
	for p.err == nil && !p.accept('}') {
		key := p.str()
		p.expect(':')
		switch key {
		case "descr":
			h.describe(p)
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			h.dims = p.tuple()
		default:
			p.fail("has the unknown key %q", key)
		}
		seen[key] = true
		if !p.accept(',') && p.err == nil && !p.peek('}') {
			p.fail("is no dictionary")
		}
	}
	if p.err == nil && len(seen) < 3 {
		p.fail("lacks descr, fortran_order or shape")
	}
	if p.err != nil {
		return p.err
	}
	size, ok := calib.ByteLen(h.typ, h.dims)
	if !ok {
		return fmt.Errorf("its shape %v overflows", h.dims)
	}
	h.size = size
	return nil
}

// describe reads the element type.
func (h *npyHeader) describe(p *literal) {
	if p.peek('[') {
		p.fail("describes records, not numbers")
		return
	}
	descr := p.str()
	if p.err != nil {
		return
	}
	if strings.HasSuffix(descr, "O") {
		p.err = errPickle
		return
	}
	order, kind := byte('|'), descr
	if descr != "" && strings.IndexByte("<>=|", descr[0]) >= 0 {
		order, kind = descr[0], descr[1:]
	}
	h.big = order == '>'
	t, ok := npyTypes[kind]
	if !ok {
		p.err = fmt.Errorf("elements of type %q are not numbers that a model takes", descr)
	}
	h.typ = t
}

// npyTypes are kinds of the array protocol with their size in bytes.
var npyTypes = map[string]onnx.DataType{
	"b1": onnx.Bool, "?": onnx.Bool,
	"i1": onnx.Int8, "i2": onnx.Int16, "i4": onnx.Int32, "i8": onnx.Int64,
	"u1": onnx.Uint8, "u2": onnx.Uint16, "u4": onnx.Uint32, "u8": onnx.Uint64,
	"f2": onnx.Float16, "f4": onnx.Float, "f8": onnx.Double,
	"c8": onnx.Complex64, "c16": onnx.Complex128,
}
