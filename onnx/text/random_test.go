package text_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// TestRoundTrip draws models that use every construct of the syntax.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		src := text.String(m)
		back, err := text.Parse(src)
		if err != nil {
			t.Fatalf("%v in\n%s", err, src)
		}
		if d := diff(m, back); d != "" {
			t.Fatalf("%s\n%s", d, src)
		}
		if again := text.String(back); again != src {
			t.Fatalf("printed differently:\n%s\n%s", src, again)
		}
	})
}

type bits []byte

func (b bits) Len() int64             { return int64(len(b)) }
func (b bits) Bytes() ([]byte, error) { return b, nil }

var anyName = rapid.OneOf(
	rapid.SampledFrom([]string{"x", "y_1", "float", "nan", "random", "a.b", "", "a/b:0", "1", "\\\"", "ü", "\x00\xff"}),
	rapid.String(),
)

func names(t *rapid.T, label string) []string {
	return rapid.SliceOfN(anyName, 0, 3).Draw(t, label)
}

func drawModel(t *rapid.T) *onnx.Model {
	m := &onnx.Model{
		IRVersion: rapid.Int64().Draw(t, "ir"), ModelVersion: rapid.Int64().Draw(t, "version"),
		ProducerName: anyName.Draw(t, "producer"), ProducerVersion: anyName.Draw(t, "producer version"),
		Domain: anyName.Draw(t, "domain"), DocString: anyName.Draw(t, "doc"),
		OpsetImport: drawOpsets(t), MetadataProps: drawEntries(t), Graph: drawGraph(t, 2),
	}
	for range rapid.IntRange(0, 2).Draw(t, "functions") {
		m.Functions = append(m.Functions, drawFunction(t))
	}
	return m
}

func drawOpsets(t *rapid.T) []*onnx.OperatorSet {
	return drawList(t, "opsets", func() *onnx.OperatorSet {
		return &onnx.OperatorSet{Domain: anyName.Draw(t, "domain"), Version: rapid.Int64().Draw(t, "version")}
	})
}

func drawEntries(t *rapid.T) []onnx.Entry {
	return drawList(t, "entries", func() onnx.Entry {
		return onnx.Entry{Key: anyName.Draw(t, "key"), Value: anyName.Draw(t, "value")}
	})
}

func drawList[E any](t *rapid.T, label string, draw func() E) []E {
	var all []E
	for range rapid.IntRange(0, 2).Draw(t, label) {
		all = append(all, draw())
	}
	return all
}

func drawFunction(t *rapid.T) *onnx.Function {
	return &onnx.Function{
		Name: anyName.Draw(t, "name"), Domain: anyName.Draw(t, "domain"), Overload: anyName.Draw(t, "overload"),
		DocString: anyName.Draw(t, "doc"), OpsetImport: drawOpsets(t), MetadataProps: drawEntries(t),
		Input: names(t, "in"), Output: names(t, "out"), Attribute: names(t, "attributes"),
		AttributeProto: drawList(t, "defaults", func() *onnx.Attribute { return drawAttribute(t, 1) }),
		Node:           drawNodes(t, 1),
		ValueInfo:      drawList(t, "infos", func() *onnx.ValueInfo { return drawInfo(t) }),
	}
}

func drawGraph(t *rapid.T, depth int) *onnx.Graph {
	return &onnx.Graph{
		Name:              anyName.Draw(t, "graph"),
		Input:             drawList(t, "inputs", func() *onnx.ValueInfo { return drawInfo(t) }),
		Output:            drawList(t, "outputs", func() *onnx.ValueInfo { return drawInfo(t) }),
		ValueInfo:         drawList(t, "infos", func() *onnx.ValueInfo { return drawInfo(t) }),
		Initializer:       drawList(t, "tensors", func() *onnx.Tensor { return drawTensor(t) }),
		SparseInitializer: drawList(t, "sparse", func() *onnx.SparseTensor { return drawSparse(t) }),
		Node:              drawNodes(t, depth),
	}
}

func drawNodes(t *rapid.T, depth int) []*onnx.Node {
	return drawList(t, "nodes", func() *onnx.Node {
		return &onnx.Node{
			OpType: anyName.Draw(t, "op"), Domain: anyName.Draw(t, "domain"), Name: anyName.Draw(t, "name"),
			Overload: anyName.Draw(t, "overload"), Input: names(t, "in"), Output: names(t, "out"),
			Attribute: drawList(t, "attributes", func() *onnx.Attribute { return drawAttribute(t, depth) }),
		}
	})
}

func drawInfo(t *rapid.T) *onnx.ValueInfo {
	return &onnx.ValueInfo{Name: anyName.Draw(t, "name"), Type: drawType(t, 2)}
}

func drawType(t *rapid.T, depth int) *onnx.Type {
	if depth == 0 {
		return &onnx.Type{Tensor: drawTensorType(t)}
	}
	switch rapid.IntRange(0, 6).Draw(t, "type") {
	case 0:
		return &onnx.Type{Sequence: drawType(t, depth-1)}
	case 1:
		return &onnx.Type{Optional: drawType(t, depth-1)}
	case 2:
		return &onnx.Type{Map: &onnx.MapType{Key: drawElem(t), Value: drawType(t, depth-1)}}
	case 3:
		return &onnx.Type{SparseTensor: drawTensorType(t)}
	case 4:
		o := &onnx.OpaqueType{Domain: anyName.Draw(t, "domain"), Name: anyName.Draw(t, "name")}
		return &onnx.Type{Opaque: o}
	}
	return &onnx.Type{Tensor: drawTensorType(t)}
}

func drawElem(t *rapid.T) onnx.DataType {
	return onnx.DataType(rapid.IntRange(1, int(onnx.Int2)).Draw(t, "elem"))
}

func drawTensorType(t *rapid.T) *onnx.TensorType {
	tt := &onnx.TensorType{Elem: drawElem(t)}
	if rapid.Bool().Draw(t, "ranked") {
		tt.Shape = &onnx.Shape{Dim: drawList(t, "dims", func() onnx.Dim {
			switch k := rapid.IntRange(0, 2).Draw(t, "kind"); k {
			case 1:
				return onnx.Dim{Kind: onnx.DimValue, Value: rapid.Int64().Draw(t, "dim")}
			case 2:
				return onnx.Dim{Kind: onnx.DimParam, Param: anyName.Draw(t, "param")}
			}
			return onnx.Dim{}
		})}
	}
	return tt
}

// drawTensor draws arbitrary bits, NaN with payloads included.
func drawTensor(t *rapid.T) *onnx.Tensor {
	w := &onnx.Tensor{Name: anyName.Draw(t, "tensor"), Type: drawElem(t)}
	n := int64(1)
	for range rapid.IntRange(0, 2).Draw(t, "rank") {
		d := rapid.Int64Range(0, 3).Draw(t, "dim")
		w.Dims, n = append(w.Dims, d), n*d
	}
	if n == 0 {
		return w
	}
	if w.Type == onnx.String {
		for range n {
			w.Strings = append(w.Strings, []byte(anyName.Draw(t, "string")))
		}
		return w
	}
	w.Data = bits(drawBits(t, w.Type, n))
	return w
}

var widths = map[onnx.DataType]int64{
	onnx.Float: 32, onnx.Int32: 32, onnx.Uint32: 32, onnx.Double: 64, onnx.Int64: 64, onnx.Uint64: 64, onnx.Complex64: 64,
	onnx.Complex128: 128, onnx.Float16: 16, onnx.BFloat16: 16, onnx.Int16: 16, onnx.Uint16: 16,
	onnx.Int4: 4, onnx.Uint4: 4, onnx.Float4E2M1: 4, onnx.Int2: 2, onnx.Uint2: 2,
}

func drawBits(t *rapid.T, elem onnx.DataType, n int64) []byte {
	w := widths[elem]
	if w == 0 {
		w = 8
	}
	size := int((n*w + 7) / 8)
	b := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 0x7f, 0x80, 0xff})), size, size).Draw(t, "bits")
	if rest := n * w % 8; rest > 0 {
		b[size-1] &= 1<<rest - 1
	}
	return b
}

func drawSparse(t *rapid.T) *onnx.SparseTensor {
	s := &onnx.SparseTensor{Values: drawTensor(t), Indices: drawTensor(t), Dims: []int64{rapid.Int64Range(0, 9).Draw(t, "dim")}}
	s.Indices.Name = ""
	return s
}

func drawAttribute(t *rapid.T, depth int) *onnx.Attribute {
	a := &onnx.Attribute{Name: anyName.Draw(t, "attribute"), Type: onnx.AttributeType(rapid.IntRange(1, 14).Draw(t, "attribute type"))}
	if depth == 0 && (a.Type == onnx.AttrGraph || a.Type == onnx.AttrGraphs) {
		a.Type = onnx.AttrInt
	}
	if rapid.IntRange(0, 9).Draw(t, "reference") == 0 {
		a.RefAttrName = "r" + anyName.Draw(t, "reference")
		return a
	}
	switch a.Type {
	case onnx.AttrFloat:
		a.F = rapid.Float32().Draw(t, "f")
	case onnx.AttrInt:
		a.I = rapid.Int64().Draw(t, "i")
	case onnx.AttrString:
		a.S = []byte(anyName.Draw(t, "s"))
	case onnx.AttrTensor:
		a.T = drawTensor(t)
	case onnx.AttrGraph:
		a.G = drawGraph(t, depth-1)
	case onnx.AttrSparseTensor:
		a.SparseTensor = drawSparse(t)
	case onnx.AttrTypeProto:
		a.TypeProto = drawType(t, 2)
	case onnx.AttrFloats:
		a.Floats = rapid.SliceOfN(rapid.Float32(), 0, 3).Draw(t, "floats")
	case onnx.AttrInts:
		a.Ints = rapid.SliceOfN(rapid.Int64(), 0, 3).Draw(t, "ints")
	case onnx.AttrStrings:
		a.Strings = drawList(t, "strings", func() []byte { return []byte(anyName.Draw(t, "s")) })
	case onnx.AttrTensors:
		a.Tensors = drawList(t, "tensors", func() *onnx.Tensor { return drawTensor(t) })
	case onnx.AttrGraphs:
		a.Graphs = drawList(t, "graphs", func() *onnx.Graph { return drawGraph(t, depth-1) })
	case onnx.AttrSparseTensors:
		a.SparseTensors = drawList(t, "sparse", func() *onnx.SparseTensor { return drawSparse(t) })
	case onnx.AttrTypeProtos:
		a.TypeProtos = drawList(t, "types", func() *onnx.Type { return drawType(t, 2) })
	}
	return a
}

// FuzzParse: no input crashes the parser, and what it reads is a fixed point of printing.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("g () => () <float[2] w = {nan(2143289345), -inf}> { y = Op <a: ints = [], b = @c> () }")
	f.Add("g (seq(map(int64, float[?])) x = {1}) => () { }")
	f.Fuzz(func(t *testing.T, src string) {
		m, err := text.Parse(src)
		if err != nil {
			return
		}
		printed := text.String(m)
		back, err := text.Parse(printed)
		if err != nil {
			t.Fatalf("%v in\n%s", err, printed)
		}
		if again := text.String(back); again != printed {
			t.Fatalf("printed differently:\n%s\n%s", printed, again)
		}
	})
}
