package onnx

import (
	"bytes"
	"errors"
)

// Unaltered tells whether Save with all weights inside would write the very
// bytes that m was opened from. Weights are not read: content that goes back to
// where it came from is the same. It is false for a model that was not opened
// from a file.
func Unaltered(m *Model) bool {
	if m.src == nil || m.src.main == nil {
		return false
	}
	b, err := m.src.main.view()
	if err != nil {
		return false
	}
	e, err := encode(m, nil, "")
	if err != nil || e.w.Len() != int64(len(b)) {
		return false
	}
	c := &likeness{file: m.src.main, size: len(b), rest: b}
	_, err = e.w.WriteTo(c)
	return err == nil
}

// likeness is a writer that fails where it is given something else than what a file holds.
type likeness struct {
	file *file
	size int
	rest []byte // of the file, from the write position on
}

var errDiffers = errors.New("the content differs from the file")

func (c *likeness) Write(p []byte) (n int, err error) {
	err = guarded(func() error {
		if !bytes.HasPrefix(c.rest, p) {
			return errDiffers
		}
		return nil
	})
	c.rest = c.rest[min(len(p), len(c.rest)):]
	return len(p), err
}

// window compares places in place of contents.
func (c *likeness) window(w *window) (int64, error) {
	if at := int64(c.size - len(c.rest)); w.file != c.file || w.off != at || w.n > int64(len(c.rest)) {
		return 0, errDiffers
	}
	c.rest = c.rest[w.n:]
	return w.n, nil
}
