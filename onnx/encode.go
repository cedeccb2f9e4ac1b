package onnx

import (
	"github.com/onnxpass/onnxpass/onnx/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// inlineLimit is the size up to which tensor content is copied into the
// assembled structure; larger content is streamed.
const inlineLimit = 4 << 10

// encoder writes messages with their fields in the order of their numbers and
// unknown fields last, which is what the protobuf libraries do.
type encoder struct {
	w     wire.Writer
	place map[*Tensor]span // content that goes to the external data file
	name  string           // location written for that content
	err   error
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// str writes an optional string when it holds something or was written before.
func (e *encoder) str(k *keep, num protowire.Number, s string) {
	if s != "" || k.has(num) {
		e.w.String(num, s)
	}
}

// must writes a string even when it is empty.
func (e *encoder) must(num protowire.Number, s string) { e.w.String(num, s) }

func (e *encoder) strs(num protowire.Number, list []string) {
	for _, s := range list {
		e.w.String(num, s)
	}
}

func (e *encoder) bytesList(num protowire.Number, list [][]byte) {
	for _, b := range list {
		e.w.Bytes(num, b)
	}
}

// num writes an optional integer when it is not zero or was written before.
func (e *encoder) num(k *keep, num protowire.Number, v int64) {
	if v != 0 || k.has(num) {
		e.w.Varint(num, uint64(v))
	}
}

func (e *encoder) ints(num protowire.Number, list []int64) {
	for _, v := range list {
		e.w.Varint(num, uint64(v))
	}
}

func (e *encoder) message(num protowire.Number, m message) {
	at := e.w.Begin(num)
	m.encode(e)
	e.w.Raw(m.kept().unknown)
	e.w.End(at)
}

// one writes an optional message.
func one[T any, P interface {
	*T
	message
}](e *encoder, num protowire.Number, m P) {
	if m != nil {
		e.message(num, m)
	}
}

func many[T any, P interface {
	*T
	message
}](e *encoder, num protowire.Number, list []P) {
	for _, m := range list {
		if m != nil {
			e.message(num, m)
		}
	}
}

func manyValues[T any, P interface {
	*T
	message
}](e *encoder, num protowire.Number, list []T) {
	for i := range list {
		e.message(num, P(&list[i]))
	}
}
