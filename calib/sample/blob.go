package sample

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// maxSample bounds the memory of one array of one sample, and what an archive
// or a file that must be read as a whole may expand to.
const maxSample = 1 << 30

// blob is one array in a file: what the header says, and its elements on demand.
type blob struct {
	name string // for messages: file, or file and member
	file string // path, for the digest
	typ  onnx.DataType
	dims []int64
	// read returns bytes [off, off+n) of the row-major little-endian elements.
	// The caller owns them.
	read func(off, n int64) ([]byte, error)
}

// npyBlob is the array of an .npy file.
func npyBlob(path, name string) (*blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	h, err := readNpyHeader(f)
	if err != nil {
		return nil, damaged(name, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, unreadable(name, err)
	}
	if found := st.Size() - h.start; found != h.size {
		return nil, damaged(name, fmt.Errorf("its header promises %d bytes of %s, %d are there",
			h.size, calib.Array{Type: h.typ, Shape: h.dims}, found))
	}
	b := &blob{name: name, file: path, typ: h.typ, dims: h.dims}
	b.read = func(off, n int64) ([]byte, error) { return readRange(path, name, h.start+off, n) }
	b.arrange(h)
	return b, nil
}

// arrange puts byte order and Fortran order right on reading.
func (b *blob) arrange(h npyHeader) {
	if h.big {
		b.read = swapped(b.read, h.typ)
	}
	if !h.fortran || len(h.dims) < 2 {
		return
	}
	raw := b.read
	b.read = whole(func() ([]byte, error) {
		if h.size > maxSample {
			return nil, tooLarge(b.name, h.size)
		}
		data, err := raw(0, h.size)
		if err != nil {
			return nil, err
		}
		return fromFortran(data, h.typ.Bits()/8, h.dims)
	})
}

func swapped(raw func(off, n int64) ([]byte, error), t onnx.DataType) func(off, n int64) ([]byte, error) {
	return func(off, n int64) ([]byte, error) {
		data, err := raw(off, n)
		swap(data, swapSize(t))
		return data, err
	}
}

// swapSize is the size of the parts that byte order is about.
func swapSize(t onnx.DataType) int {
	if t.IsComplex() {
		return t.Bits() / 16
	}
	return t.Bits() / 8
}

// whole reads ranges of content that is made in one piece. It is made again
// for every range but consecutive ones of a single file, so that a set of many files holds none of them.
func whole(load func() ([]byte, error)) func(off, n int64) ([]byte, error) {
	var mu sync.Mutex
	var kept []byte
	return func(off, n int64) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		data := kept
		kept = nil
		if data == nil {
			var err error
			if data, err = load(); err != nil {
				return nil, err
			}
		}
		if off+n > int64(len(data)) {
			return nil, fmt.Errorf("%d bytes wanted, %d there", off+n, len(data))
		}
		if off+n < int64(len(data)) {
			kept = data
		}
		return slices.Clone(data[off : off+n]), nil
	}
}

// readRange reads n bytes at an offset of a file.
func readRange(path, name string, off, n int64) ([]byte, error) {
	if n > maxSample {
		return nil, tooLarge(name, n)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil && !(err == io.EOF && n == 0) {
		return nil, damaged(name, fmt.Errorf("it is shorter than when it was opened: %w", err))
	}
	return b, nil
}

// readWhole reads a file that is needed in one piece.
func readWhole(path, name string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(name, err)
	}
	if st.Size() > maxSample {
		return nil, tooLarge(name, st.Size())
	}
	return readRange(path, name, 0, st.Size())
}
