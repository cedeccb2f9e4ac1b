package onnx

import (
	"fmt"
	"io"
)

// Data is the content of a tensor in its raw form: elements little-endian in
// row-major order, 4-bit elements two to a byte and 2-bit elements four to a
// byte with the first element in the low bits, Bool one byte an element.
// Content is read-only: it may be a window into a mapped file.
//
// An implementation may also be an io.WriterTo, which Save prefers.
type Data interface {
	Len() int64             // bytes
	Bytes() ([]byte, error) // valid until the model's file is closed
}

type rawBytes struct{ b []byte }

// RawBytes is content that lies in memory. It is not copied.
func RawBytes(b []byte) Data { return &rawBytes{b} }

func (r *rawBytes) Len() int64             { return int64(len(r.b)) }
func (r *rawBytes) Bytes() ([]byte, error) { return r.b, nil }

type lazy struct {
	n    int64
	make func() ([]byte, error)
}

// Lazy is content of n bytes that is computed each time it is asked for and
// never stored: a new weight costs no memory until it is written. The function
// must give the same bytes every time.
func Lazy(n int64, make func() ([]byte, error)) Data { return &lazy{n, make} }

func (l *lazy) Len() int64 { return l.n }

func (l *lazy) Bytes() ([]byte, error) {
	b, err := l.make()
	if err == nil && int64(len(b)) != l.n {
		err = fmt.Errorf("computed %d bytes instead of %d", len(b), l.n)
	}
	return b, err
}

// missing is content that cannot be had; only its size is known.
type missing struct {
	n   int64
	err error
}

func (m *missing) Len() int64             { return m.n }
func (m *missing) Bytes() ([]byte, error) { return nil, m.err }

// writeData writes d to w, in the way d prefers.
func writeData(w io.Writer, d Data) (int64, error) {
	if wt, ok := d.(io.WriterTo); ok {
		return wt.WriteTo(w)
	}
	b, err := d.Bytes()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}
