package text_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx/text"
)

// Decimals of the small float types are rounded to nearest, integers are bit patterns.
func TestSmallFloats(t *testing.T) {
	for _, c := range []struct {
		src  string
		want []byte
	}{
		{"float16[3] w = {1.0, 65504.0, 1}", []byte{0, 0x3c, 0xff, 0x7b, 1, 0}},
		{"float16[2] w = {-inf, nan}", []byte{0, 0xfc, 0, 0x7e}},
		{"bfloat16[2] w = {1.0, -2.5}", []byte{0x80, 0x3f, 0x20, 0xc0}},
		{"float8e4m3fn[3] w = {1.0, 448.0, 0.0}", []byte{0x38, 0x7e, 0}},
		{"float8e5m2[2] w = {1.0, inf}", []byte{0x3c, 0x7c}},
		{"float4e2m1[3] w = {1.0, -6.0, 0.5}", []byte{0xf2, 0x01}},
		{"float8e8m0[2] w = {127, 128}", []byte{127, 128}},
		{"float16[2] w = fill(0.5)", []byte{0, 0x38, 0, 0x38}},
	} {
		m := mustParse(t, "g () => () < "+c.src+" > {}")
		if got := content(m.Graph.Initializer[0].Data); !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x, want % x", c.src, got, c.want)
		}
	}
}

func TestBitPatterns(t *testing.T) {
	m := mustParse(t, "g () => () < float16[2] w = {1.0, -0.5} > {}")
	var b strings.Builder
	if err := text.Print(&b, m, text.Options{BitPatterns: true}); err != nil {
		t.Fatal(err)
	}
	if want := "float16[2] w = {15360, 47104}"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
	if d := diff(m, mustParse(t, b.String())); d != "" {
		t.Error(d)
	}
}
