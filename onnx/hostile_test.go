package onnx_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

func TestDeepNesting(t *testing.T) {
	nest := func(levels int) []byte {
		g := proto{}.str(2, "innermost")
		for range levels {
			g = proto{}.bytes(1, proto{}.str(4, "If").bytes(5, proto{}.bytes(6, g).varint(20, 5)))
		}
		return around(g)
	}
	if _, err := onnx.Decode(nest(30)); err != nil {
		t.Fatal(err)
	}
	_, err := onnx.Decode(nest(40))
	wantCode(t, err, "OP3009")
	_, err = onnx.Decode(nest(2000))
	wantCode(t, err, "OP3009")

	typ := proto{}
	for range 2000 {
		typ = proto{}.bytes(4, proto{}.bytes(1, typ))
	}
	_, err = onnx.Decode(around(proto{}.bytes(11, proto{}.str(1, "x").bytes(2, typ))))
	wantCode(t, err, "OP3009")
}

// TestMemoryStaysBounded: tiny messages that decode to large structs, and
// lengths without the bytes, cost no more than the documented limit.
func TestMemoryStaysBounded(t *testing.T) {
	const n = 1 << 19
	for name, b := range map[string][]byte{
		"empty nodes":    around(bytes.Repeat([]byte{1<<3 | 2, 0}, n)),
		"empty inputs":   around(bytes.Repeat([]byte{11<<3 | 2, 0}, n)),
		"empty tensors":  around(bytes.Repeat([]byte{5<<3 | 2, 0}, n)),
		"empty names":    around(proto{}.bytes(1, bytes.Repeat([]byte{1<<3 | 2, 0}, n))),
		"empty dims":     around(proto{}.bytes(11, proto{}.bytes(2, proto{}.bytes(1, proto{}.bytes(2, bytes.Repeat([]byte{1<<3 | 2, 0}, n)))))),
		"empty entries":  around(bytes.Repeat([]byte{0x82, 1, 0}, n)),
		"empty strings":  withTensor(bytes.Repeat([]byte{6<<3 | 2, 0}, n)),
		"loose elements": withTensor(bytes.Repeat([]byte{5 << 3, 0}, n)),
		"dims":           withTensor(bytes.Repeat([]byte{1 << 3, 0}, n)),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := onnx.Decode(b)
			runtime.ReadMemStats(&after)
			limit := uint64(64<<20 + 64*len(b))
			// A growing slice is allocated several times over; only the last one stays.
			if used := after.TotalAlloc - before.TotalAlloc; used > 5*limit {
				t.Errorf("%d MiB allocated for a file of %d MiB (%v)", used>>20, len(b)>>20, err)
			}
		})
	}
	_, err := onnx.Decode(append(around(nil), 0x3a, 0xff, 0xff, 0xff, 0xff, 0x07))
	wantCode(t, err, "OP3002")
}

// TestUnknownFields: what this version does not know survives, at every level.
func TestUnknownFields(t *testing.T) {
	x := func(p proto) proto { return p.str(99, "future").varint(100, 7) }
	tensor := x(header(onnx.Uint8, 1).bytes(9, []byte{1}))
	dim := x(proto{}.varint(1, 3))
	typ := x(proto{}.bytes(1, x(proto{}.varint(1, 1).bytes(2, x(proto{}.bytes(1, dim))))))
	seq := x(proto{}.bytes(4, x(proto{}.bytes(1, typ))))
	opt := x(proto{}.bytes(9, x(proto{}.bytes(1, typ))))
	value := func(name string, typ proto) proto { return x(proto{}.str(1, name).bytes(2, typ)) }
	attr := x(proto{}.str(1, "a").bytes(5, tensor).varint(20, 4))
	node := x(proto{}.str(1, "in").str(2, "out").str(4, "Op").bytes(5, attr).bytes(10, proto{}.str(1, "device")))
	graph := x(proto{}.bytes(1, node).str(2, "g").bytes(5, tensor).bytes(11, value("s", seq)).bytes(11, value("o", opt)))
	// Not a number any more for this version: ir_version as a string is kept, too.
	model := x(proto{}.varint(1, 8).bytes(7, graph).bytes(8, x(proto{}.varint(2, 17))).bytes(14, x(proto{}.str(1, "k").str(2, "v"))))
	m, err := onnx.Decode(model)
	if err != nil {
		t.Fatal(err)
	}
	if got := write(t, m); !bytes.Equal(got, model) {
		t.Errorf("unknown fields changed:\n% x\n% x", model, got)
	}
}

// TestPresence: an optional field that was written with its default value is
// written again, and one that was absent stays absent.
func TestPresence(t *testing.T) {
	explicit := proto{}.varint(1, 8).str(2, "").str(3, "").str(4, "").varint(5, 0).str(6, "").
		bytes(7, proto{}.bytes(1, proto{}.str(3, "").str(4, "").str(6, "").str(7, "").str(8, "")).str(2, "").
			bytes(5, proto{}.varint(1, 0).varint(2, 1).str(8, "").bytes(9, nil).str(12, "").varint(14, 0)).str(10, "").
			bytes(11, proto{}.str(1, "").bytes(2, proto{}.bytes(1, proto{}.varint(1, 0).bytes(2, proto{}.bytes(1, proto{}.str(2, "").str(3, "")))).str(6, "")).str(3, ""))).
		bytes(8, proto{}.str(1, "").varint(2, 0)).bytes(14, proto{}.str(1, "").str(2, ""))
	bare := proto{}.varint(1, 8).bytes(7, proto{}.bytes(1, nil).bytes(5, nil).bytes(11, proto{}.bytes(2, nil))).bytes(8, nil).bytes(14, nil)
	for _, b := range [][]byte{explicit, bare} {
		m, err := onnx.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := write(t, m); !bytes.Equal(got, b) {
			t.Errorf("changed:\n% x\n% x", b, got)
		}
	}
}

// TestMergedMessages: protobuf merges a message that occurs twice.
func TestMergedMessages(t *testing.T) {
	b := around(proto{}.str(2, "first").bytes(1, proto{}.str(4, "A")))
	b = proto(b).bytes(7, proto{}.str(2, "second").bytes(1, proto{}.str(4, "B")))
	m, err := onnx.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Graph.Name != "second" || len(m.Graph.Node) != 2 {
		t.Errorf("merged to %q with %d nodes", m.Graph.Name, len(m.Graph.Node))
	}
	one := proto{}.bytes(1, proto{}.varint(1, 1)).bytes(4, proto{}.bytes(1, nil))
	m, err = onnx.Decode(around(proto{}.bytes(11, proto{}.bytes(2, one))))
	if err != nil {
		t.Fatal(err)
	}
	if typ := m.Graph.Input[0].Type; typ.Tensor != nil || typ.Sequence == nil {
		t.Error("of a oneof the last member counts")
	}
}
