package text_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// diff compares two models in everything that the text carries.
func diff(a, b *onnx.Model) string {
	unexported := cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && unicode.IsLower(rune(f.Name()[0]))
	}, cmp.Ignore())
	data := cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && f.Name() == "Data"
	}, cmp.Comparer(func(a, b onnx.Data) bool { return bytes.Equal(content(a), content(b)) }))
	floats := cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })
	return cmp.Diff(a, b, unexported, data, floats, cmpopts.EquateEmpty())
}

func content(d onnx.Data) []byte {
	if d == nil {
		return nil
	}
	b, err := d.Bytes()
	if err != nil {
		return []byte(err.Error())
	}
	return b
}

func mustParse(t *testing.T, src string) *onnx.Model {
	t.Helper()
	m, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const sample = `<
   ir_version: 8,
   opset_import: ["" : 17, "com.microsoft" : 1],
   producer_name: "text \"test\"",
   metadata_props: ["a": "b", "c": "two\nlines"]
>
main (float[N, 3, 8, 8] x, float[] u, seq(optional(map(int64, string))) s) => (float[N, 4, ?, "H/2"] y, z)
<
   float[4, 3, 3, 3] w = random(1),
   float[2] v = {-0, nan},
   int8[2, 2] q = {-128, 127, 0, 1},
   uint8[3] u8 = {0, 128, 255},
   int4[3] i4 = {-8, 7, 1},
   uint2[5] u2 = {0, 1, 2, 3, 1},
   bool b = {1},
   int64[0] none = {},
   string[2] words = {"a", "b\"c"},
   complex64[1] c = {1, -2.5},
   float16[2] h = {1.0, -0.33325195},
   sparse_tensor(float[9]) sp = { float[2] {1, 2}, int64[2] {0, 5} },
   float[N, 4, 8, 8] t
>
{
   [conv1] t = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 1> (x, w)
   ["a/b"] y, "" = com.microsoft.Thing:v2 <alpha = 1.0, beta = -inf, empty: ints = [], name = "n", names = ["a", "b"], ratios = [0.5, 1.0]> ("", t, "x:0")
   = Sink (t)
   k = Constant <value = int64[2] {1, -1}> ()
   z = If (b) <then_branch = g1 () => (float[1] r) {
      r = Constant <value = float[1] named {0.5}> ()
   }, else_branch = "g 2" () => (float[1] r)
   <
      float[1] r2 = {1}
   >
   {
      r = Identity (r2)
   }>
   o = Optional <type = seq(float[2])> ()
}

<
   domain: "local",
   opset_import: ["" : 17]
>
f <a, b = 2> (x, y) => (z)
<
   float[2] x
>
{
   z = Gemm <alpha: float = @a, list = [float[1] {1}, float[1] {2}]> (x, y)
}
`

func TestSampleIsAFixedPoint(t *testing.T) {
	m := mustParse(t, sample)
	printed := text.String(m)
	if d := cmp.Diff(sample, printed); d != "" {
		t.Errorf("printed text differs (-source +printed):\n%s", d)
	}
	if d := diff(m, mustParse(t, printed)); d != "" {
		t.Error(d)
	}
}

func TestSampleContent(t *testing.T) {
	m := mustParse(t, sample)
	g := m.Graph
	for _, c := range []struct {
		name string
		want []byte
	}{
		{"v", []byte{0, 0, 0, 0x80, 0, 0, 0xc0, 0x7f}},
		{"q", []byte{0x80, 0x7f, 0, 1}},
		{"i4", []byte{0x78, 0x01}},
		{"u2", []byte{0xe4, 0x01}},
		{"c", []byte{0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0}},
		{"h", []byte{0, 0x3c, 0x55, 0xb5}},
	} {
		for _, w := range g.Initializer {
			if w.Name == c.name && !bytes.Equal(content(w.Data), c.want) {
				t.Errorf("%s: % x, want % x", c.name, content(w.Data), c.want)
			}
		}
	}
	n := g.Node[1]
	if n.Domain != "com.microsoft" || n.OpType != "Thing" || n.Overload != "v2" || n.Name != "a/b" {
		t.Errorf("node read as %q %q %q %q", n.Domain, n.OpType, n.Overload, n.Name)
	}
	if len(n.Output) != 2 || n.Output[1] != "" || len(n.Input) != 3 || n.Input[0] != "" || n.Input[2] != "x:0" {
		t.Errorf("operands read as %q, %q", n.Output, n.Input)
	}
	if a := n.Attribute[2]; a.Type != onnx.AttrInts || len(a.Ints) != 0 {
		t.Errorf("empty list read as %+v", a)
	}
	if d := g.Output[0].Type.Tensor.Shape.Dim; d[2].Kind != onnx.DimUnknown || d[3].Param != "H/2" {
		t.Errorf("dims read as %+v", d)
	}
	if g.Input[1].Type.Tensor.Shape != nil || g.Output[1].Type != nil {
		t.Error("unknown rank or type got a shape")
	}
}

// What the official parser's own tests use, in forms that this printer does not write.
func TestOfficialForms(t *testing.T) {
	m := mustParse(t, `
# a comment
<ir_version: 7, opset_import: [ "" : 10 ]>
agraph (float[N] y, float[2] z = {1.0,2.0}) => (float[N] w) <float[2] b = {1,2}>
{
  x = foo(y, z)[label] w = bar <axis : int = 1, f : float = 2> (x, , y,)
  v = com.example.op(x) <t = float[2] {1, 2}>
}`)
	if len(m.Graph.Input) != 2 || len(m.Graph.Initializer) != 2 {
		t.Fatalf("%d inputs, %d initializers", len(m.Graph.Input), len(m.Graph.Initializer))
	}
	n := m.Graph.Node[1]
	if n.Name != "label" || len(n.Input) != 3 || n.Input[1] != "" || n.Attribute[1].Type != onnx.AttrFloat || n.Attribute[1].F != 2 {
		t.Errorf("%+v", n)
	}
	if n := m.Graph.Node[2]; len(n.Attribute) != 1 || n.Domain != "com.example" {
		t.Errorf("%+v", n)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct{ src, where, what string }{
		{"", "line 1 column 1", "expected a name"},
		{"g (float x) => (float y) {\n  y = Relu(x\n}", "line 3 column 1", `expected ")"`},
		{"g (float x) => () <\n float[2] w = {1}> {}", "line 2 column 15", "2 values, found 1"},
		{"g () => () < int8 w = {128}> {}", "line 1 column 24", "int8"},
		{"g () => () < uint8 w = {-1}> {}", "line 1 column 25", "uint8"},
		{"g () => () < float[N] w = {1}> {}", "line 1 column 14", "dimensions that are numbers"},
		{"g () => () < float[4294967296,4294967296] w = {1}> {}", "line 1 column 14", "too many elements"},
		{"g () => () < float[9] w = {... sha256:aa}> {}", "line 1 column 28", "left out"},
		{"g () => () < float[9] w = fill(1, 2)> {}", "line 1 column 27", "does not take 2 numbers"},
		{"g () => () < float[4000000000] w = fill(1)> {}", "line 1 column 36", "limited"},
		{"g () => () { y = Op <a: ints = 1> () }", "line 1 column 30", "declared ints, its value is int"},
		{"g () => () { y = Op <a = []> () }", "line 1 column 26", "needs a list type"},
		{"g () => () { y = Op <a = [1, 2.0]> () }", "line 1 column 26", "list of ints that holds a float"},
		{"g () => () { y = Op <a = \"x> () }", "line 1 column 26", "closing quote"},
		{"<ir_version: x> g () => () {}", "line 1 column 14", "expected an integer"},
		{"g (" + strings.Repeat("seq(", 100) + "float" + strings.Repeat(")", 100) + " x) => () {}", "line 1", "nested deeper"},
	} {
		_, err := text.Parse(c.src)
		var d *diag.Error
		if !errors.As(err, &d) {
			t.Errorf("%q: %v", c.src, err)
			continue
		}
		if msg := err.Error(); d.Code != "OP3090" || !strings.Contains(msg, c.where) || !strings.Contains(msg, c.what) {
			t.Errorf("%.60q: %s; wanted %s and %q", c.src, msg, c.where, c.what)
		}
	}
}

func TestElide(t *testing.T) {
	m := mustParse(t, `g () => () <
	float[3] a = {1, 2, -3}, float[2] b = {1, 2}, float[4] c = fill(1),
	int8[3] d = {-128, 5, 127}, float[3] e = {nan, 1, 2}, string[3] s = {"", "", ""}> {}`)
	var b bytes.Buffer
	if err := text.Print(&b, m, text.Options{Elide: 2}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"float[3] a = {... sha256:17872696b82c min:-3 max:2}", "b = {1, 2}", "c = fill(1)",
		"min:-128 max:127}", "min:1 max:2 nan:1}", "string[3] s = {... sha256:",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if _, err := text.Parse(b.String()); err == nil {
		t.Error("elided text was parsed")
	}
}

// Text from a hostile file stays on its line and shows no terminal escapes.
func TestHostileNames(t *testing.T) {
	m := &onnx.Model{Graph: &onnx.Graph{Name: "\x1b[2J\n", Node: []*onnx.Node{{
		OpType: "a b", Domain: "x..y", Name: "\u202e", Input: []string{"\xff\"\\"}, Output: []string{"float"},
		Attribute: []*onnx.Attribute{{Name: "1", Type: onnx.AttrGraph, G: &onnx.Graph{Name: "nan"}}, {Name: "random", Type: onnx.AttrString, S: []byte{0, 1}}},
	}}}}
	s := text.String(m)
	for _, c := range s {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Errorf("character %q in %q", c, s)
		}
	}
	if d := diff(m, mustParse(t, s)); d != "" {
		t.Error(d)
	}
}

// Nothing that a decoded file can hold may stop the printer.
func TestDamagedTensors(t *testing.T) {
	tensors := []*onnx.Tensor{
		{Name: "a", Type: onnx.Float, Dims: []int64{4}},
		{Name: "b", Type: onnx.Float, Dims: []int64{-1}},
		{Name: "c", Type: 99, Dims: []int64{1}},
		{Name: "d", Type: onnx.Float, Dims: []int64{1 << 40, 1 << 40}},
		{Name: "e", Type: onnx.String, Dims: []int64{2}},
		{Name: "f", Type: -1},
	}
	m := &onnx.Model{Graph: &onnx.Graph{Initializer: tensors, Node: []*onnx.Node{{
		Attribute: []*onnx.Attribute{{Type: onnx.AttrTensor}, {Type: onnx.AttrGraph}, {Type: onnx.AttrSparseTensor}, {Type: 77}, {}, {Type: onnx.AttrTypeProto}},
	}}}}
	s := text.String(m)
	if n := strings.Count(s, "{..."); n != 8 {
		t.Errorf("%d elided tensors, want 8, in\n%s", n, s)
	}
}
