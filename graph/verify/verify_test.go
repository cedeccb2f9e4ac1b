package verify_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// good is a valid model with everything that a rule is about.
const good = `
<ir_version: 10, opset_import: ["" : 17, "f" : 1]>
main (float[2,2] x, bool cond) => (float[2,2] y, float[N] z)
<float[2,2] w = {1, 2, 3, 4}>
{
  r = Relu(x)
  h = If (cond) <then_branch = inner () => (float[2,2] t) { t = Add(r, w) }, else_branch = other () => (float[2,2] e) { e = Sub(r, w) }>
  y = f.twice(h)
  c = Constant <value = float[3] {1, 2, 3}> ()
  z = Transpose <perm = [0]> (c)
}
<domain: "f", opset_import: ["" : 17]>
twice (a) => (b) { b = Add(a, a) }
`

func parse(t *testing.T) *onnx.Model {
	t.Helper()
	m, err := text.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.SparseInitializer = []*onnx.SparseTensor{{
		Values:  &onnx.Tensor{Name: "sp", Type: onnx.Float, Dims: []int64{2}, Data: onnx.RawBytes(make([]byte, 8))},
		Indices: onnx.FromInt64s([]int64{2}, []int64{1, 3}),
		Dims:    []int64{2, 2}}}
	m.Graph.QuantizationAnnotation = []*onnx.TensorAnnotation{{TensorName: "r", QuantParameterTensorName: []onnx.Entry{{Key: "SCALE_TENSOR", Value: "w"}}}}
	m.TrainingInfo = []*onnx.TrainingInfo{{UpdateBinding: []onnx.Entry{{Key: "w", Value: "w2"}}}}
	m.MetadataProps = []onnx.Entry{{Key: "a", Value: "1"}, {Key: "b", Value: "1"}}
	return m
}

// check verifies m after import and inference.
func check(t *testing.T, m *onnx.Model) error {
	t.Helper()
	g, err := graph.Import(m)
	if err != nil {
		return err
	}
	if err := g.Infer(); err != nil {
		t.Log(err)
	}
	return verify.Model(g)
}

func nodeOf(m *onnx.Model, op string) *onnx.Node {
	for _, n := range m.Graph.Node {
		if n.OpType == op {
			return n
		}
	}
	return nil
}

func then(m *onnx.Model) *onnx.Graph { return nodeOf(m, "If").Attribute[0].G }

var rules = []struct {
	name, want string // want: code and a word that names the place
	spoil      func(m *onnx.Model)
}{
	{"old IR", "OP3110 found 2", func(m *onnx.Model) { m.IRVersion = 2 }},
	{"no imports", "OP3111 imports no", func(m *onnx.Model) { m.OpsetImport = nil }},
	{"imported twice", "OP3111 ai.onnx", func(m *onnx.Model) {
		m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSet{Domain: "ai.onnx", Version: 17})
	}},
	{"import without version", "OP3111 domain g", func(m *onnx.Model) {
		m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSet{Domain: "g"})
	}},
	{"domain not imported", "OP3112 com.other", func(m *onnx.Model) { nodeOf(m, "Relu").Domain = "com.other" }},
	{"graph without name", "OP3113 graph", func(m *onnx.Model) { m.Graph.Name = "" }},
	{"subgraph without name", "OP3113 graph", func(m *onnx.Model) { then(m).Name = "" }},
	{"input without type", "OP3114 input x", func(m *onnx.Model) { m.Graph.Input[0].Type = nil }},
	{"input without element type", "OP3114 input x", func(m *onnx.Model) { m.Graph.Input[0].Type.Tensor.Elem = 0 }},
	{"input without shape", "OP3114 input x", func(m *onnx.Model) { m.Graph.Input[0].Type.Tensor.Shape = nil }},
	{"output without shape", "OP3114 output y", func(m *onnx.Model) { m.Graph.Output[0].Type.Tensor.Shape = nil }},
	{"IR of the future", "OP3110 found 99", func(m *onnx.Model) { m.IRVersion = 99 }},
	{"operator set of the future", "OP3111 found 999", func(m *onnx.Model) { m.OpsetImport[0].Version = 999 }},
	{"no outputs", "OP3114 no outputs", func(m *onnx.Model) { m.Graph.Output = nil }},
	{"outputs of one name", "OP3114 output y", func(m *onnx.Model) { m.Graph.Output[1].Name = "y" }},
	{"no operator type", "OP3116 producing", func(m *onnx.Model) { nodeOf(m, "Relu").OpType = "" }},
	{"no inputs and outputs", "OP3116 lonely", func(m *onnx.Model) {
		m.Graph.Node = append(m.Graph.Node, &onnx.Node{Name: "lonely", OpType: "Relu"})
	}},
	{"branch with an input", "OP3130 then_branch", func(m *onnx.Model) { then(m).Input = append(then(m).Input, &onnx.ValueInfo{Name: "fed"}) }},
	{"branch without output", "OP3130 then_branch", func(m *onnx.Model) { then(m).Output = nil }},
	{"shadowing", "OP3117 value r", func(m *onnx.Model) {
		then(m).Node[0].Input[0], then(m).Node[0].Output[0] = "x", "r"
		then(m).Output[0].Name = "r"
	}},
	{"outer value as output", "OP3118 output r", func(m *onnx.Model) { then(m).Output[0].Name = "r" }},
	{"initializer in IR 3", "OP3119 initializer w", func(m *onnx.Model) { m.IRVersion = 3 }},
	{"tensor without type", "OP3120 initializer w", func(m *onnx.Model) { m.Graph.Initializer[0].Type = 0 }},
	{"negative dims", "OP3121 initializer w", func(m *onnx.Model) { m.Graph.Initializer[0].Dims = []int64{-2, 2} }},
	{"dims overflow", "OP3121 initializer w", func(m *onnx.Model) { m.Graph.Initializer[0].Dims = []int64{1 << 40, 1 << 40} }},
	{"short tensor", "OP3121 initializer w", func(m *onnx.Model) { m.Graph.Initializer[0].Data = onnx.RawBytes(make([]byte, 12)) }},
	{"long tensor", "OP3121 initializer w", func(m *onnx.Model) { m.Graph.Initializer[0].Data = onnx.RawBytes(make([]byte, 20)) }},
	{"strings", "OP3121 initializer w", func(m *onnx.Model) { m.Graph.Initializer[0].Type = onnx.String }},
	{"tensor in an attribute", "OP3121 Constant", func(m *onnx.Model) { nodeOf(m, "Constant").Attribute[0].T.Dims = []int64{4} }},
	{"attribute twice", "OP3122 perm", func(m *onnx.Model) {
		n := nodeOf(m, "Transpose")
		n.Attribute = append(n.Attribute, n.Attribute[0])
	}},
	{"attribute without type", "OP3122 perm", func(m *onnx.Model) { nodeOf(m, "Transpose").Attribute[0].Type = 0 }},
	{"attribute of wrong type", "OP3122 perm", func(m *onnx.Model) {
		nodeOf(m, "Transpose").Attribute[0] = &onnx.Attribute{Name: "perm", Type: onnx.AttrInt, I: 1}
	}},
	{"attribute with two values", "OP3122 perm", func(m *onnx.Model) { nodeOf(m, "Transpose").Attribute[0].F = 1 }},
	{"attribute unknown", "OP3122 colour", func(m *onnx.Model) {
		nodeOf(m, "Transpose").Attribute[0] = &onnx.Attribute{Name: "colour", Type: onnx.AttrInt, I: 1}
	}},
	{"attribute missing", "OP3122 else_branch", func(m *onnx.Model) { nodeOf(m, "If").Attribute = nodeOf(m, "If").Attribute[:1] }},
	{"attribute without value", "OP3122 value", func(m *onnx.Model) { nodeOf(m, "Constant").Attribute[0].T = nil }},
	{"attribute without graph", "OP3122 then_branch", func(m *onnx.Model) { nodeOf(m, "If").Attribute[0].G = nil }},
	{"reference outside a function", "OP3122 perm", func(m *onnx.Model) { nodeOf(m, "Transpose").Attribute[0].RefAttrName = "p" }},
	{"too many inputs", "OP3123 Relu", func(m *onnx.Model) { nodeOf(m, "Relu").Input = []string{"x", "x"} }},
	{"required input absent", "OP3123 Relu", func(m *onnx.Model) { nodeOf(m, "Relu").Input = []string{""} }},
	{"element type", "OP3124 Relu", func(m *onnx.Model) { m.Graph.Input[0].Type.Tensor.Elem = onnx.Bool }},
	{"operands differ", "OP3124 Sub", func(m *onnx.Model) {
		w := m.Graph.Initializer[0]
		w.Type, w.Data = onnx.Double, onnx.RawBytes(make([]byte, 32))
	}},
	{"no such operator", "OP3125 Nonsense", func(m *onnx.Model) { nodeOf(m, "Relu").OpType = "Nonsense" }},
	{"operator of a later version", "OP3125 Swish", func(m *onnx.Model) { nodeOf(m, "Relu").OpType = "Swish" }},
	{"deprecated operator", "OP3125 Upsample", func(m *onnx.Model) {
		n := nodeOf(m, "Relu")
		n.OpType, n.Input = "Upsample", []string{"x", "w"}
	}},
	{"function twice", "OP3126 twice", func(m *onnx.Model) { m.Functions = append(m.Functions, m.Functions[0]) }},
	{"function without imports", "OP3126 twice", func(m *onnx.Model) { m.Functions[0].OpsetImport = nil }},
	{"function input unnamed", "OP3126 twice", func(m *onnx.Model) { m.Functions[0].Attribute = []string{"p", "p"} }},
	{"function recursion", "OP3126 calls itself", func(m *onnx.Model) {
		f := m.Functions[0]
		f.Node[0] = &onnx.Node{OpType: "twice", Domain: "f", Input: []string{"a"}, Output: []string{"b"}}
		f.OpsetImport = append(f.OpsetImport, &onnx.OperatorSet{Domain: "f", Version: 1})
	}},
	{"metadata twice", "OP3127 key a", func(m *onnx.Model) { m.MetadataProps[1].Key = "a" }},
	{"metadata of a node", "OP3127 key k", func(m *onnx.Model) {
		nodeOf(m, "Relu").MetadataProps = []onnx.Entry{{Key: "k"}, {Key: "k"}}
	}},
	{"sparse order", "OP3128 tensor sp", func(m *onnx.Model) { m.Graph.SparseInitializer[0].Indices = onnx.FromInt64s([]int64{2}, []int64{3, 1}) }},
	{"sparse outside", "OP3128 tensor sp", func(m *onnx.Model) { m.Graph.SparseInitializer[0].Indices = onnx.FromInt64s([]int64{2}, []int64{1, 4}) }},
	{"sparse count", "OP3128 tensor sp", func(m *onnx.Model) { m.Graph.SparseInitializer[0].Indices = onnx.FromInt64s([]int64{1}, []int64{1}) }},
	{"annotation of nothing", "OP3129 ghost", func(m *onnx.Model) { m.Graph.QuantizationAnnotation[0].TensorName = "ghost" }},
	{"annotation parameter", "OP3129 ghost", func(m *onnx.Model) {
		m.Graph.QuantizationAnnotation[0].QuantParameterTensorName[0].Value = "ghost"
	}},
	{"training binding", "OP3129 ghost", func(m *onnx.Model) { m.TrainingInfo[0].UpdateBinding[0].Key = "ghost" }},
}

func TestRules(t *testing.T) {
	if err := check(t, parse(t)); err != nil {
		t.Fatalf("the good model: %v", err)
	}
	for _, r := range rules {
		m := parse(t)
		r.spoil(m)
		err := check(t, m)
		code, word, _ := strings.Cut(r.want, " ")
		if err == nil || !has(err, code, word) {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

// has reports whether one of the joined errors has the code and the word.
func has(err error, code, word string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if has(e, code, word) {
				return true
			}
		}
		return false
	}
	var e *diag.Error
	return errors.As(err, &e) && e.Code == code && strings.Contains(e.Error(), word)
}

// TestEditsOutOfOrder has rules that only an edit can break: Import sorts.
func TestEditsOutOfOrder(t *testing.T) {
	g, err := graph.Import(parse(t))
	if err != nil {
		t.Fatal(err)
	}
	for n := range g.Main.Nodes() {
		if n.Is("Relu") {
			g.Main.End().Move(n)
		}
	}
	if err := verify.Model(g); err == nil || !has(err, "OP3115", "value r") {
		t.Error(err)
	}
}

func TestKitIsValid(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	for _, path := range paths {
		m, err := onnx.Open(path)
		if err != nil {
			continue
		}
		if err := check(t, m); err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		m.Close()
	}
}
