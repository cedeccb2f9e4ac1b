package text_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// The formulas are part of the tests that use them: these values never change.
func TestGenerated(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"float[3] w = fill(0.5)", "[0.5 0.5 0.5]"},
		{"float[4] w = range(1, -0.5)", "[1 0.5 0 -0.5]"},
		{"double[2] w = range(0, 0.1)", "[0 0.1]"},
		{"float[3] w = random(1)", "[0.10545358 -0.6636661 -0.0352488]"},
		{"float[3] w = random(1, 2, 4)", "[3.1054535 2.3363338 2.9647512]"},
		{"int8[4] w = random(1)", "[13 -85 -5 -66]"},
		{"uint8[4] w = random(2, 3, 5)", "[5 5 4 4]"},
		{"int64[3] w = random(3)", "[16 -8 121]"},
		{"uint16[2] w = random(3)", "[144 120]"},
		{"int64[3] w = range(-1, 2)", "[-1 1 3]"},
		{"uint64[2] w = fill(1e30)", "[18446744073709551615 18446744073709551615]"},
		{"int64[1] w = fill(-1e30)", "[-9223372036854775808]"},
		{"bool[4] w = random(1)", "[1 0 0 0]"},
		{"int4[3] w = random(1)", "[0 -6 -1]"},
		{"float16[2] w = range(1, 0.5)", "[1 1.5]"},
	} {
		m := mustParse(t, "g () => () < "+c.src+" > {}")
		w := m.Graph.Initializer[0]
		if got := values(t, w); got != c.want {
			t.Errorf("%s is %s, want %s", c.src, got, c.want)
		}
		if int64(len(content(w.Data))) != w.Data.Len() {
			t.Errorf("%s: %d bytes, Len says %d", c.src, len(content(w.Data)), w.Data.Len())
		}
		if !bytes.Equal(content(w.Data), content(mustParse(t, text.String(m)).Graph.Initializer[0].Data)) {
			t.Errorf("%s does not come back", c.src)
		}
	}
}

func values(t *testing.T, w *onnx.Tensor) string {
	t.Helper()
	var v any
	var err error
	switch {
	case w.Type == onnx.Double:
		v, err = w.Float64s()
	case w.Type.IsFloat():
		v, err = w.Float32s()
	case w.Type == onnx.Uint64:
		v, err = onnx.Elements[uint64](w)
	default:
		v, err = w.Int64s()
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(v)
}

func TestPrintNode(t *testing.T) {
	n := mustParse(t, sample).Graph.Node[0]
	var b bytes.Buffer
	if err := text.PrintNode(&b, n, text.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "[conv1] t = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 1> (x, w)"; b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
}

// Old files leave the type of attributes out: it follows from what is there.
func TestUntypedAttributes(t *testing.T) {
	attrs := []*onnx.Attribute{{Name: "a", Ints: []int64{1}}, {Name: "b", F: 0.5}, {Name: "c", S: []byte("x")}, {Name: "d"}, {Name: "e", Floats: []float32{1}}}
	var b bytes.Buffer
	if err := text.PrintNode(&b, &onnx.Node{OpType: "Op", Attribute: attrs}, text.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := `= Op <a = [1], b = 0.5, c = "x", d = 0, e = [1.0]> ()`; b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
}
