package onnx_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onnxpass/onnxpass/onnx"
	"pgregory.net/rapid"
)

// sameModel compares all fields, tensor content by its bytes.
var sameModel = []cmp.Option{
	cmpopts.EquateEmpty(),
	cmpopts.EquateNaNs(),
	cmpopts.IgnoreUnexported(onnx.Model{}, onnx.OperatorSet{}, onnx.Entry{}, onnx.TrainingInfo{}, onnx.DeviceConfiguration{},
		onnx.Graph{}, onnx.TensorAnnotation{}, onnx.Node{}, onnx.Function{}, onnx.Attribute{}, onnx.ValueInfo{}, onnx.Type{},
		onnx.TensorType{}, onnx.MapType{}, onnx.OpaqueType{}, onnx.Shape{}, onnx.Dim{}, onnx.Tensor{}, onnx.SparseTensor{}),
	cmp.Comparer(sameData),
}

func sameData(a, b onnx.Data) bool {
	content := func(d onnx.Data) []byte {
		if d == nil {
			return nil
		}
		raw, err := d.Bytes()
		if err != nil {
			panic(err)
		}
		return raw
	}
	return bytes.Equal(content(a), content(b))
}

// maker draws messages with every field set at random.
type maker struct {
	t     *rapid.T
	depth int
}

func (g *maker) flip() bool { return rapid.Bool().Draw(g.t, "flip") }
func (g *maker) str() string {
	return rapid.SampledFrom([]string{"", "x", "name", "ünïcode", "a/b:0"}).Draw(g.t, "str")
}
func (g *maker) int() int64     { return rapid.Int64().Draw(g.t, "int") }
func (g *maker) count() int     { return rapid.IntRange(0, 3).Draw(g.t, "count") }
func (g *maker) bytes() []byte  { return rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(g.t, "bytes") }
func (g *maker) strs() []string { return some(g, g.str) }

func some[T any](g *maker, one func() T) (list []T) {
	for range g.count() {
		list = append(list, one())
	}
	return list
}

func (g *maker) entry() onnx.Entry { return onnx.Entry{Key: g.str(), Value: g.str()} }

func (g *maker) opset() *onnx.OperatorSet {
	return &onnx.OperatorSet{Domain: g.str(), Version: g.int()}
}

func (g *maker) model() *onnx.Model {
	return &onnx.Model{
		IRVersion: rapid.Int64Range(3, 20).Draw(g.t, "ir"), OpsetImport: append(some(g, g.opset), g.opset()),
		ProducerName: g.str(), ProducerVersion: g.str(), Domain: g.str(), ModelVersion: g.int(), DocString: g.str(),
		Graph: g.graph(), MetadataProps: some(g, g.entry), Functions: some(g, g.function),
		TrainingInfo: some(g, func() *onnx.TrainingInfo {
			return &onnx.TrainingInfo{Initialization: g.graph(), InitializationBinding: some(g, g.entry), UpdateBinding: some(g, g.entry)}
		}),
		Configuration: some(g, func() *onnx.DeviceConfiguration {
			return &onnx.DeviceConfiguration{Name: g.str(), NumDevices: int32(g.int()), Device: g.strs()}
		}),
	}
}

func (g *maker) graph() *onnx.Graph {
	if g.depth++; g.depth > 3 {
		g.depth--
		return &onnx.Graph{Name: g.str()}
	}
	defer func() { g.depth-- }()
	return &onnx.Graph{
		Node: some(g, g.node), Name: g.str(), Initializer: some(g, g.tensor), DocString: g.str(),
		SparseInitializer: some(g, g.sparse), Input: some(g, g.value), Output: some(g, g.value), ValueInfo: some(g, g.value),
		MetadataProps: some(g, g.entry),
		QuantizationAnnotation: some(g, func() *onnx.TensorAnnotation {
			return &onnx.TensorAnnotation{TensorName: g.str(), QuantParameterTensorName: some(g, g.entry)}
		}),
	}
}

func (g *maker) node() *onnx.Node {
	return &onnx.Node{Input: g.strs(), Output: g.strs(), Name: g.str(), OpType: g.str(), Domain: g.str(), Overload: g.str(),
		Attribute: some(g, g.attribute), DocString: g.str(), MetadataProps: some(g, g.entry)}
}

func (g *maker) function() *onnx.Function {
	g.depth += 2
	defer func() { g.depth -= 2 }()
	return &onnx.Function{Name: g.str(), Input: g.strs(), Output: g.strs(), Attribute: g.strs(), AttributeProto: some(g, g.attribute),
		Node: some(g, g.node), DocString: g.str(), OpsetImport: some(g, g.opset), Domain: g.str(), Overload: g.str(),
		ValueInfo: some(g, g.value), MetadataProps: some(g, g.entry)}
}

func (g *maker) attribute() *onnx.Attribute {
	a := &onnx.Attribute{Name: g.str(), RefAttrName: g.str(), DocString: g.str(),
		Type: onnx.AttributeType(rapid.IntRange(0, 14).Draw(g.t, "type"))}
	switch a.Type {
	case onnx.AttrFloat:
		a.F = rapid.Float32().Draw(g.t, "f")
	case onnx.AttrInt:
		a.I = g.int()
	case onnx.AttrString:
		a.S = g.bytes()
	case onnx.AttrTensor:
		a.T = g.tensor()
	case onnx.AttrGraph:
		a.G = g.graph()
	case onnx.AttrFloats:
		a.Floats = rapid.SliceOfN(rapid.Float32(), 0, 4).Draw(g.t, "floats")
	case onnx.AttrInts:
		a.Ints = some(g, g.int)
	case onnx.AttrStrings:
		a.Strings = some(g, g.bytes)
	case onnx.AttrTensors:
		a.Tensors = some(g, g.tensor)
	case onnx.AttrGraphs:
		a.Graphs = some(g, g.graph)
	case onnx.AttrSparseTensor:
		a.SparseTensor = g.sparse()
	case onnx.AttrSparseTensors:
		a.SparseTensors = some(g, g.sparse)
	case onnx.AttrTypeProto:
		a.TypeProto = g.typ()
	case onnx.AttrTypeProtos:
		a.TypeProtos = some(g, g.typ)
	}
	return a
}

func (g *maker) tensor() *onnx.Tensor {
	t := &onnx.Tensor{Name: g.str(), DocString: g.str(), MetadataProps: some(g, g.entry),
		Type: onnx.DataType(rapid.IntRange(1, 28).Draw(g.t, "elem")),
		Dims: rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 3).Draw(g.t, "dims")}
	n, err := t.NumElements()
	if err != nil {
		g.t.Fatal(err)
	}
	if t.Type == onnx.String {
		for range n {
			t.Strings = append(t.Strings, g.bytes())
		}
		return t
	}
	size, _ := t.Type.RawSize(n)
	if size > 0 {
		raw := make([]byte, size)
		for i := range raw {
			raw[i] = byte(i) + byte(g.depth)
		}
		t.Data = onnx.RawBytes(raw)
	}
	return t
}

func (g *maker) sparse() *onnx.SparseTensor {
	return &onnx.SparseTensor{Values: g.tensor(), Indices: g.tensor(), Dims: some(g, g.int)}
}

func (g *maker) value() *onnx.ValueInfo {
	v := &onnx.ValueInfo{Name: g.str(), DocString: g.str(), MetadataProps: some(g, g.entry)}
	if g.flip() {
		v.Type = g.typ()
	}
	return v
}

func (g *maker) typ() *onnx.Type {
	t := &onnx.Type{Denotation: g.str()}
	g.depth++
	defer func() { g.depth-- }()
	kind := rapid.IntRange(0, 6).Draw(g.t, "kind")
	if g.depth > 4 {
		kind = 1
	}
	switch kind {
	case 1:
		t.Tensor = g.tensorType()
	case 2:
		t.Sequence = g.typ()
	case 3:
		t.Map = &onnx.MapType{Key: onnx.Int64, Value: g.typ()}
	case 4:
		t.Optional = g.typ()
	case 5:
		t.SparseTensor = g.tensorType()
	case 6:
		t.Opaque = &onnx.OpaqueType{Domain: g.str(), Name: g.str()}
	}
	return t
}

func (g *maker) tensorType() *onnx.TensorType {
	t := &onnx.TensorType{Elem: onnx.DataType(rapid.IntRange(0, 28).Draw(g.t, "elem"))}
	if g.flip() {
		t.Shape = &onnx.Shape{Dim: some(g, func() onnx.Dim {
			d := onnx.Dim{Kind: onnx.DimKind(rapid.IntRange(0, 2).Draw(g.t, "dim")), Denotation: g.str()}
			switch d.Kind {
			case onnx.DimValue:
				d.Value = g.int()
			case onnx.DimParam:
				d.Param = g.str()
			}
			return d
		})}
	}
	return t
}

func write(t interface{ Fatal(...any) }, m *onnx.Model) []byte {
	var out bytes.Buffer
	if err := onnx.Write(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRoundTrip: what is written comes back field by field, and writing it
// again gives the same bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &maker{t: t}
		m := g.model()
		first := write(t, m)
		back, err := onnx.Decode(first)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, back, sameModel...); d != "" {
			t.Fatalf("decoded model differs (-wrote +read):\n%s", d)
		}
		if second := write(t, back); !bytes.Equal(first, second) {
			t.Fatalf("second writing differs:\n% x\n% x", first, second)
		}
	})
}
