package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// file is a file whose content tensors are windows of: the model itself or a
// data file beside it. The mapping serves Bytes; streaming to another file
// reads through the handle instead, so that a large model never counts as
// memory of this process and a file that shrinks is an error, not a fault.
type file struct {
	path string // for messages
	size int64  // when it was opened
	open func() (*os.File, error)

	// transient files are opened for every use and never mapped.
	transient bool

	mu     sync.Mutex
	f      *os.File
	data   []byte // the mapping, or the whole content where files cannot be mapped
	mapped bool
	closed bool
}

// handle gives the open file. The caller holds mu.
func (f *file) handle() (*os.File, error) {
	if f.closed {
		return nil, fmt.Errorf("%s: model is closed", f.path)
	}
	if f.f != nil {
		return f.f, nil
	}
	h, err := f.open()
	if err != nil {
		return nil, err
	}
	f.f = h
	return h, f.unchanged()
}

// unchanged checks that the file still has all its bytes: touching a mapped
// page behind the end of a file would be a fault. The caller holds mu.
func (f *file) unchanged() error {
	st, err := f.f.Stat()
	if err != nil {
		return err
	}
	if st.Size() < f.size {
		return f.changed(st.Size())
	}
	return nil
}

func (f *file) changed(now int64) error {
	e := diag.New("OP3027", "a file became shorter while it was in use", "file", f.path, "wanted", fmt.Sprintf("%d bytes", f.size))
	if now >= 0 {
		e = e.With("found", fmt.Sprintf("%d bytes", now))
	}
	return e.Hinted("do not write to the input while it is being read; start again")
}

// load gives the whole file: mapped, or read where files cannot be mapped.
func (f *file) load() ([]byte, error) {
	b, err := f.view()
	if !errors.Is(err, errNotMapped) {
		return b, err
	}
	if f.size > math.MaxInt {
		return nil, errors.New("the file does not fit the address space")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b = make([]byte, f.size)
	if _, err := f.f.ReadAt(b, 0); err != nil {
		return nil, err
	}
	f.data = b
	return b, f.release()
}

var errNotMapped = errors.New("the file cannot be mapped")

// view is the content in memory, mapped on first use.
func (f *file) view() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.data != nil && !f.mapped && !f.closed {
		return f.data, nil
	}
	h, err := f.handle()
	if err != nil {
		return nil, err
	}
	if f.data != nil {
		return f.data, f.unchanged()
	}
	if f.size == 0 {
		return nil, nil
	}
	b, err := mapFile(h, f.size)
	if err != nil {
		return nil, errNotMapped
	}
	f.data, f.mapped = b, true
	return b, nil
}

// release closes the handle of a file whose content is in memory, so that the
// file can be replaced where open files cannot. The caller holds mu.
func (f *file) release() error {
	err := f.f.Close()
	f.f = nil
	return err
}

// temporary opens a transient file for one use.
func (f *file) temporary(use func(h *os.File) error) error {
	f.mu.Lock()
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return fmt.Errorf("%s: model is closed", f.path)
	}
	h, err := f.open()
	if err != nil {
		return err
	}
	return errors.Join(use(h), h.Close())
}

// read gives [off, off+n) of the file: a part of the mapping, or a copy.
func (f *file) read(off, n int64) ([]byte, error) {
	if f.transient {
		return f.readCopy(off, n)
	}
	b, err := f.view()
	if errors.Is(err, errNotMapped) {
		return f.readCopy(off, n)
	}
	if err != nil {
		return nil, err
	}
	return b[off : off+n : off+n], nil
}

func (f *file) readCopy(off, n int64) ([]byte, error) {
	if n > math.MaxInt {
		return nil, fmt.Errorf("%s: %d bytes do not fit the address space", f.path, n)
	}
	b := make([]byte, n)
	err := f.temporary(func(h *os.File) error {
		done, err := h.ReadAt(b, off)
		if errors.Is(err, io.EOF) {
			return f.changed(off + int64(done))
		}
		return err
	})
	return b, err
}

// copyTo writes [off, off+n) to w without going through the mapping.
func (f *file) copyTo(w io.Writer, off, n int64) (done int64, err error) {
	if f.transient {
		err = f.temporary(func(h *os.File) (err error) {
			done, err = f.copyRange(w, h, off, n)
			return err
		})
		return done, err
	}
	f.mu.Lock()
	if b := f.data; b != nil && !f.mapped {
		f.mu.Unlock()
		k, err := w.Write(b[off : off+n])
		return int64(k), err
	}
	h, err := f.handle()
	f.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return f.copyRange(w, h, off, n)
}

func (f *file) copyRange(w io.Writer, h *os.File, off, n int64) (int64, error) {
	var done int64
	var err error
	if s, ok := w.(*sink); ok {
		done, err = s.copyRange(h, off, n)
	} else {
		buf := make([]byte, min(n, copyBuffer))
		done, err = io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(h, off, n), buf)
	}
	if err == nil && done < n {
		err = f.changed(off + done)
	}
	return done, err
}

// copyBuffer is large enough to make the calls cheap and small enough for a cache.
const copyBuffer = 256 << 10

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if f.mapped {
		err = unmapFile(f.data)
	}
	f.data = nil
	if f.f != nil {
		if e := f.f.Close(); err == nil {
			err = e
		}
	}
	return err
}

// window is tensor content inside a file.
type window struct {
	file   *file
	off, n int64
}

func (w *window) Len() int64 { return w.n }

func (w *window) Bytes() ([]byte, error) { return w.file.read(w.off, w.n) }

// WriteTo streams the content to out.
func (w *window) WriteTo(out io.Writer) (int64, error) {
	if c, ok := out.(*likeness); ok {
		return c.window(w)
	}
	return w.file.copyTo(out, w.off, w.n)
}
