package sample

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// rows divides an array into samples.
func (l *loader) rows(b *blob, port calib.Port) ([]part, error) {
	perm := l.permutation(b.dims, port)
	lay, ok := lay(permute(b.dims, perm), port)
	if !ok || typeHint(b.typ, port.Elem, l.o.Preprocess) != "" {
		return nil, misfit(b, port, l.o.Preprocess)
	}
	if lay.rows == 0 || slices.Contains(lay.each, 0) && lay.rows > 1 {
		return nil, diag.New("OP6004", "the data has no samples", "data", b.name, "found", calib.Array{Type: b.typ, Shape: b.dims}.String()).
			Hinted("the array has no elements")
	}
	if lay.note != "" {
		l.note("%s: %s", port.Name, lay.note)
	}
	if b.typ != port.Elem {
		l.note("%s: %v converted to %v", port.Name, b.typ, port.Elem)
	}
	return l.split(b, port, lay, perm), nil
}

// permutation of the axes of an array with the given dims; nil where it lies
// as the model takes it. Where the model's shape does not tell its layout, an
// array that fits is left alone.
func (l *loader) permutation(dims []int64, port calib.Port) []int {
	p := l.o.Preprocess
	_, known := channelsLast(port.Shape.Dims)
	_, fits := lay(dims, port)
	if p.Layout == "" || known && !moves(p, port) || !known && fits {
		return nil
	}
	return permutation(len(dims), p.Layout == "nhwc")
}

// split makes the parts of an array that fits: of all rows, or, of more than
// can be needed, of that many spread evenly.
func (l *loader) split(b *blob, port calib.Port, lay layout, perm []int) []part {
	size, _ := calib.ByteLen(b.typ, lay.each)
	n := min(lay.rows, int64(l.o.limit()*batchOf(port)))
	parts := make([]part, n)
	for i := range parts {
		row := spread(int64(i), lay.rows, n)
		p := part{name: b.name, file: b.file, row: lay.part}
		if lay.rows > 1 {
			p.name = fmt.Sprintf("%s[%d]", b.name, row)
		}
		p.key = p.name
		p.read = func() (calib.Array, error) {
			data, err := b.read(row*size, size)
			if err != nil {
				return calib.Array{}, err
			}
			a, err := l.finish(calib.Array{Type: b.typ, Shape: lay.each, Bytes: data}, port, perm)
			if err != nil {
				return a, damaged(p.name, err)
			}
			return a, nil
		}
		parts[i] = p
	}
	return parts
}

// spread is the i-th of n indices spread evenly over count, without overflow.
func spread(i, count, n int64) int64 { return i*(count/n) + i*(count%n)/n }

// batchOf is the fixed batch of an input, as far as rows are gathered for it.
func batchOf(port calib.Port) int {
	if d := port.Shape.Dims; len(d) > 0 && d[0].Value > 1 {
		return int(min(d[0].Value, 1<<16))
	}
	return 1
}

// finish brings one sample into the layout, range and type of the input.
func (l *loader) finish(a calib.Array, port calib.Port, perm []int) (calib.Array, error) {
	if perm != nil {
		rank := len(a.Shape)
		p := permutation(rank, l.o.Preprocess.Layout == "nhwc")
		back := permute(a.Shape, permutation(rank, l.o.Preprocess.Layout != "nhwc"))
		moved, err := transpose(a.Bytes, a.Type.Bits()/8, back, p...)
		if err != nil {
			return a, err
		}
		a.Bytes = moved
	}
	if l.o.Preprocess.scales() && port.Elem.IsFloat() {
		last, known := channelsLast(port.Shape.Dims)
		if !known {
			last = l.o.Preprocess.Layout == "nhwc" && perm == nil
		}
		scaled, err := scale(a, l.o.Preprocess, last)
		if err != nil {
			return a, err
		}
		a = scaled
	}
	return convert(a, port.Elem)
}
