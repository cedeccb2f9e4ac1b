package verify_test

import (
	"bytes"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// FuzzModel: whatever a file holds, it is refused or goes through import,
// inference, verification and export, and what was exported reads as the same model.
func FuzzModel(f *testing.F) {
	for _, src := range []string{good, loops} {
		m, err := text.Parse(src)
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := onnx.Write(&b, m); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := onnx.Decode(data)
		if err != nil {
			return
		}
		m, err := graph.Import(in)
		if err != nil {
			return
		}
		_ = m.Infer()
		if verify.Model(m) != nil {
			return
		}
		out, err := m.Clone().Export()
		if err != nil {
			t.Fatal(err)
		}
		again, err := graph.Import(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify.Model(again); err != nil {
			t.Fatal(err)
		}
	})
}

const loops = `
<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x, int64 n, bool c) => (float[N,3] y, float[A,N,3] z)
<int64[2] to = {-1, 3}>
{
  s = Shape (x)
  r = Reshape (x, to)
  y, z = Loop (n, c, r) <body = b (int64 i, bool k, float[N,3] a) => (bool k2, float[N,3] a2, float[N,3] o) { k2 = Identity(k) a2 = Add(a, x) o = Relu(a2) }>
  e = Expand (x, s)
  q = Concat <axis = 0> (e, e)
  t = Transpose <perm = [1, 0]> (q)
}
`
