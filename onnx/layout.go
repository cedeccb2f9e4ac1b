package onnx

import (
	"io"
	"reflect"
	"strconv"
)

const (
	alignment       = 4 << 10 // of offsets in the data file, so that readers can map it
	defaultSmallest = 1 << 10
)

// layout is the content of an external data file: tensors in the order of the
// model, each at a multiple of the alignment. Tensors that share their Data
// share the bytes.
type layout struct {
	place   map[*Tensor]span
	tensors []*Tensor // one for each span, in order
	end     int64
	seen    map[Data]span
}

func newLayout(m *Model, smallest int64) *layout {
	if smallest <= 0 {
		smallest = defaultSmallest
	}
	l := &layout{place: make(map[*Tensor]span), seen: make(map[Data]span)}
	if m.Graph != nil {
		l.graph(m.Graph, smallest)
	}
	return l
}

// graph places the initializers of g and of its subgraphs. Tensors in
// attributes stay inside: not every runtime reads those from a data file.
func (l *layout) graph(g *Graph, smallest int64) {
	for _, t := range g.Initializer {
		if t.Data != nil && t.Type != String && t.Data.Len() >= smallest {
			l.add(t)
		}
	}
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			if a.G != nil {
				l.graph(a.G, smallest)
			}
			for _, sub := range a.Graphs {
				l.graph(sub, smallest)
			}
		}
	}
}

func (l *layout) add(t *Tensor) {
	if _, ok := l.place[t]; ok {
		return
	}
	hashable := reflect.TypeOf(t.Data).Comparable()
	if hashable {
		if at, ok := l.seen[t.Data]; ok {
			l.place[t] = at
			return
		}
	}
	off := (l.end + alignment - 1) / alignment * alignment
	at := span{off, t.Data.Len()}
	l.place[t] = at
	l.tensors = append(l.tensors, t)
	l.end = at.off + at.n
	if hashable {
		l.seen[t.Data] = at
	}
}

// WriteTo streams the data file.
func (l *layout) WriteTo(w io.Writer) (int64, error) {
	var at int64
	var zeros [alignment]byte
	for _, t := range l.tensors {
		pad, err := w.Write(zeros[:l.place[t].off-at])
		at += int64(pad)
		if err != nil {
			return at, err
		}
		n, err := filler{t}.WriteTo(w)
		at += n
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// external writes where content lies in the data file.
func (e *encoder) external(at span) {
	entries := []Entry{
		{Key: "location", Value: e.name},
		{Key: "offset", Value: strconv.FormatInt(at.off, 10)},
		{Key: "length", Value: strconv.FormatInt(at.n, 10)},
	}
	manyValues(e, 13, entries)
	e.w.Varint(14, 1)
}
