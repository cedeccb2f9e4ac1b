package sample

import (
	"encoding/binary"
	"fmt"

	// Pins a version that accepts the Go in use: tensor panics at start with the one it asks for.
	_ "go4.org/unsafe/assume-no-moving-gc"
	"gorgonia.org/tensor"
)

// dense is raw little-endian content as a tensor of unsigned words of the
// element's size: moving elements about does not need to know what they are.
func dense(b []byte, size int, dims []int64) (*tensor.Dense, error) {
	shape := make([]int, len(dims))
	n := 1
	for i, d := range dims {
		shape[i] = int(d)
		n *= int(d)
	}
	if n == 0 || len(b) != n*size {
		return nil, fmt.Errorf("%d bytes do not fill %v", len(b), dims)
	}
	var backing any
	switch size {
	case 1:
		backing = b
	case 2:
		backing = words(b, 2, binary.LittleEndian.Uint16)
	case 4:
		backing = words(b, 4, binary.LittleEndian.Uint32)
	case 8:
		backing = words(b, 8, binary.LittleEndian.Uint64)
	default:
		return nil, fmt.Errorf("elements of %d bytes cannot be rearranged", size)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing)), nil
}

func words[T uint16 | uint32 | uint64](b []byte, size int, get func([]byte) T) []T {
	w := make([]T, len(b)/size)
	for i := range w {
		w[i] = get(b[i*size:])
	}
	return w
}

// undense is the raw content of a dense tensor in C order.
func undense(d *tensor.Dense) ([]byte, error) {
	le := binary.LittleEndian
	var b []byte
	switch data := d.Data().(type) {
	case []uint8:
		return data, nil
	case []uint16:
		b = make([]byte, 0, 2*len(data))
		for _, v := range data {
			b = le.AppendUint16(b, v)
		}
	case []uint32:
		b = make([]byte, 0, 4*len(data))
		for _, v := range data {
			b = le.AppendUint32(b, v)
		}
	case []uint64:
		b = make([]byte, 0, 8*len(data))
		for _, v := range data {
			b = le.AppendUint64(b, v)
		}
	default:
		return nil, fmt.Errorf("unexpected elements %T", data)
	}
	return b, nil
}

// transpose moves axes: axis i of the result is axis perm[i] of b.
func transpose(b []byte, size int, dims []int64, perm ...int) ([]byte, error) {
	if len(b) == 0 {
		return b, nil
	}
	d, err := dense(b, size, dims)
	if err != nil {
		return nil, err
	}
	if err := d.T(perm...); err != nil {
		return nil, err
	}
	if err := d.Transpose(); err != nil {
		return nil, err
	}
	return undense(d)
}

// fromFortran is content in column-major order brought into row-major order:
// it lies like the C-order array of reversed dims, transposed.
func fromFortran(b []byte, size int, dims []int64) ([]byte, error) {
	n := len(dims)
	reversed, perm := make([]int64, n), make([]int, n)
	for i := range dims {
		reversed[i], perm[i] = dims[n-1-i], n-1-i
	}
	return transpose(b, size, reversed, perm...)
}
