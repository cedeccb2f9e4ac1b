package schema

import (
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

func TestTableIsComplete(t *testing.T) {
	if n := len(All()); n < 650 {
		t.Fatalf("%d operator forms, at least 650 expected", n)
	}
	if Latest("") < 26 || Latest("ai.onnx") != Latest("") || Latest("com.microsoft") != 0 || Latest("ai.onnx.ml") < 5 {
		t.Errorf("latest versions: ai.onnx %d, ai.onnx.ml %d", Latest(""), Latest("ai.onnx.ml"))
	}
	last := map[string]int64{}
	for _, op := range All() {
		if name := op.Domain + ":" + op.Name; op.Since <= last[name] {
			t.Errorf("%s follows version %d", op, last[name])
		} else {
			last[name] = op.Since
		}
		for i, p := range append(append([]Param(nil), op.Inputs...), op.Outputs...) {
			if p.Allowed == nil || p.Name == "" || p.Type == "" {
				t.Errorf("%s: parameter %d is incomplete: %+v", op, i, p)
			} else if p.Allowed.TensorsOnly() && p.Allowed.Tensor == 0 {
				t.Errorf("%s: parameter %s allows nothing", op, p.Name)
			}
		}
		for _, a := range op.Attrs {
			if a.Type == onnx.AttrUndefined || a.Name == "" || a.Required && a.Default != nil {
				t.Errorf("%s: attribute is incomplete: %+v", op, a)
			}
		}
	}
}

func TestLookupFindsVersionInForce(t *testing.T) {
	for _, c := range []struct {
		op           string
		opset, since int64
	}{
		{"Conv", 1, 1}, {"Conv", 10, 1}, {"Conv", 11, 11}, {"Conv", 21, 11}, {"Conv", 22, 22}, {"Conv", 1000, 22},
		{"Squeeze", 12, 11}, {"Squeeze", 13, 13}, {"ReduceSum", 17, 13}, {"ReduceMean", 17, 13}, {"ReduceMean", 18, 18},
	} {
		if op, ok := Lookup("", c.op, c.opset); !ok || op.Since != c.since {
			t.Errorf("%s at opset %d: %v, version %d expected", c.op, c.opset, op, c.since)
		}
	}
	if _, ok := Lookup("", "LayerNormalization", 16); ok {
		t.Error("LayerNormalization exists before opset 17")
	}
	if _, ok := Lookup("com.microsoft", "Conv", 16); ok || Known("com.microsoft", "Conv") {
		t.Error("com.microsoft.Conv is in the table")
	}
	if up, _ := Lookup("ai.onnx", "Upsample", 11); !up.Deprecated {
		t.Error("Upsample-10 is not deprecated")
	}
	if len(Versions("", "Cast")) < 6 {
		t.Error("Cast has less than 6 versions")
	}
}

func TestFacts(t *testing.T) {
	conv, _ := Lookup("", "Conv", 11)
	if low, high := conv.InputArity(); low != 2 || high != 3 {
		t.Errorf("Conv takes %d to %d inputs", low, high)
	}
	if d, _ := conv.Attr("auto_pad"); string(d.Default.S) != "NOTSET" {
		t.Errorf("auto_pad defaults to %v", d.Default)
	}
	bn, _ := Lookup("", "BatchNormalization", 15)
	if d, _ := bn.Attr("epsilon"); d.Default.F != 1e-5 {
		t.Errorf("epsilon defaults to %v", d.Default.F)
	}
	concat, _ := Lookup("", "Concat", 13)
	if low, high := concat.InputArity(); low != 1 || high != Unbounded {
		t.Errorf("Concat takes %d to %d inputs", low, high)
	}
	if a, _ := concat.Attr("axis"); !a.Required || a.Type != onnx.AttrInt {
		t.Errorf("Concat axis: %+v", a)
	}
	if p, _ := concat.Input(7); p.Option != Variadic || !p.Homogeneous {
		t.Errorf("input 7 of Concat: %+v", p)
	}
	q, _ := Lookup("", "QuantizeLinear", 19)
	if p, _ := q.Output(0); !p.Allowed.Tensor.Has(onnx.Float8E4M3FN) || p.Allowed.Tensor.Has(onnx.Float) {
		t.Errorf("QuantizeLinear-19 writes %s", p.Allowed.Tensor)
	}
}

func TestChecks(t *testing.T) {
	gather, _ := Lookup("", "Gather", 13)
	add6, _ := Lookup("", "Add", 6)
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"arity", "has 1 inputs, 2 expected", gather.CheckArity([]bool{true}, []bool{true})},
		{"absent", "input 1 (indices) is absent", gather.CheckArity([]bool{true, false}, []bool{true})},
		{"ok", "", gather.CheckArity([]bool{true, true}, []bool{true})},
		{"index type", "input 1 (indices) is uint8, one of int32, int64 expected", gather.CheckElems([]onnx.DataType{onnx.Float, onnx.Uint8}, nil)},
		{"tie", "input 1 (B) is int32, the same type", add6.CheckElems([]onnx.DataType{onnx.Float, onnx.Int32}, nil)},
		{"output tie", "output 0 (C) is double", add6.CheckElems([]onnx.DataType{onnx.Float, onnx.Float}, []onnx.DataType{onnx.Double})},
		{"unknown type", "", add6.CheckElems([]onnx.DataType{onnx.Float, onnx.Undefined}, []onnx.DataType{onnx.Float})},
		{"hostile type", "data type 99", add6.CheckElems([]onnx.DataType{99}, nil)},
		{"attribute", "attribute axs is not one of Gather-13", gather.CheckAttrs([]*onnx.Attribute{{Name: "axs", Type: onnx.AttrInt}})},
		{"attribute type", "attribute axis is a float, an int expected", gather.CheckAttrs([]*onnx.Attribute{{Name: "axis", Type: onnx.AttrFloat}})},
		{"twice", "attribute axis occurs twice", gather.CheckAttrs([]*onnx.Attribute{{Name: "axis", Type: onnx.AttrInt}, {Name: "axis", Type: onnx.AttrInt}})},
		{"reference", "", gather.CheckAttrs([]*onnx.Attribute{{Name: "axis", RefAttrName: "a"}})},
	} {
		if c.want == "" && c.err != nil || c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)) {
			t.Errorf("%s: %v, %q expected", c.name, c.err, c.want)
		}
	}
	concat, _ := Lookup("", "Concat", 13)
	if err := concat.CheckAttrs(nil); err == nil {
		t.Error("Concat without axis passes")
	}
	if got := gather.OutElem(0, []onnx.DataType{onnx.Int8, onnx.Int64}); got != onnx.Int8 {
		t.Errorf("Gather of int8 gives %s", ElemName(got))
	}
	shape, _ := Lookup("", "Shape", 15)
	if got := shape.OutElem(0, nil); got != onnx.Int64 {
		t.Errorf("Shape gives %s", ElemName(got))
	}
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		decode(operators)
	}
}
