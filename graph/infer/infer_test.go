package infer

import (
	"errors"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// op makes an operator for a test; attrs are name, value, name, value, ...
func op(kind string, version int64, in []*Value, outs int, attrs ...any) *Op {
	list := map[string]*onnx.Attribute{}
	for i := 0; i+1 < len(attrs); i += 2 {
		list[attrs[i].(string)] = attribute(attrs[i].(string), attrs[i+1])
	}
	return &Op{Type: kind, Version: version, In: in, NumOut: outs, Attr: func(name string) *onnx.Attribute { return list[name] }}
}

func attribute(name string, v any) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	switch v := v.(type) {
	case int:
		a.Type, a.I = onnx.AttrInt, int64(v)
	case float64:
		a.Type, a.F = onnx.AttrFloat, float32(v)
	case string:
		a.Type, a.S = onnx.AttrString, []byte(v)
	case []int64:
		a.Type, a.Ints = onnx.AttrInts, v
	case *onnx.Tensor:
		a.Type, a.T = onnx.AttrTensor, v
	}
	return a
}

// tensor is a float value of a shape; strings are symbols, -1 is unknown.
func tensor(dims ...any) *Value { return typed(onnx.Float, dims...) }

func typed(t onnx.DataType, dims ...any) *Value {
	v := &Value{Type: Type{Elem: t, Shape: Shape{Ranked: true}}}
	for _, d := range dims {
		switch d := d.(type) {
		case string:
			v.Shape.Dims = append(v.Shape.Dims, Symbol(d))
		case int:
			if d < 0 {
				v.Shape.Dims = append(v.Shape.Dims, Dynamic())
			} else {
				v.Shape.Dims = append(v.Shape.Dims, Static(int64(d)))
			}
		}
	}
	return v
}

// numbers is an int64 vector of known content; strings are symbols.
func numbers(list ...any) *Value {
	v := typed(onnx.Int64, len(list))
	v.Ints = []Dim{}
	for _, e := range list {
		switch e := e.(type) {
		case string:
			v.Ints = append(v.Ints, Symbol(e))
		case int:
			v.Ints = append(v.Ints, Static(int64(e)))
		}
	}
	return v
}

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		want string
		op   *Op
	}{
		{"float [N,16,112,112]", op("Conv", 11, []*Value{tensor("N", 3, 224, 224), tensor(16, 3, 3, 3)}, 1, "pads", []int64{1, 1, 1, 1}, "strides", []int64{2, 2})},
		{"float [N,16,H,W]", op("Conv", 11, []*Value{tensor("N", 3, "H", "W"), tensor(16, 3, 3, 3)}, 1, "pads", []int64{1, 1, 1, 1})},
		{"float [N,16,{H-2},{W-2}]", op("Conv", 11, []*Value{tensor("N", 3, "H", "W"), tensor(16, 3, 3, 3)}, 1)},
		{"float [N,16,112]", op("Conv", 11, []*Value{tensor("N", 3, 224), tensor(16, 3, 3)}, 1, "auto_pad", "SAME_UPPER", "strides", []int64{2})},
		{"float [N,5]", op("Add", 13, []*Value{tensor("N", 5), tensor(1)}, 1)},
		{"float [?,5]", op("Add", 13, []*Value{tensor("N", 5), tensor("M", 1)}, 1)},
		{"float [N,8,N,10]", op("MatMul", 13, []*Value{tensor("N", 8, "N", 7), tensor(8, 7, 10)}, 1)},
		{"float []", op("MatMul", 13, []*Value{tensor(7), tensor(7)}, 1)},
		{"float [N,12]", op("Reshape", 13, []*Value{tensor("N", 3, 4), numbers("N", -1)}, 1)},
		{"float [N,12]", op("Reshape", 13, []*Value{tensor("N", 3, 4), numbers(0, -1)}, 1)},
		{"float [N,3,4]", op("Reshape", 13, []*Value{tensor("N", 12), numbers(-1, 3, 4)}, 1)},
		{"float [{floor(N/2)},3,8]", op("Reshape", 13, []*Value{tensor("N", 12), numbers(-1, 3, 8)}, 1)},
		{"float [?,12]", op("Reshape", 13, []*Value{tensor(-1, 3, 4), numbers(0, -1)}, 1)},
		{"float [N,2,3]", op("Transpose", 13, []*Value{tensor(2, 3, "N")}, 1, "perm", []int64{2, 0, 1})},
		{"float [N,8]", op("Concat", 13, []*Value{tensor("N", 3), tensor(-1, 5)}, 1, "axis", 1)},
		{"int64 [2]", op("Shape", 13, []*Value{tensor("N", 3)}, 1)},
		{"float [N,1,1]", op("ReduceMean", 13, []*Value{tensor("N", 3, 4)}, 1, "axes", []int64{1, -1})},
		{"float [N]", op("ReduceMean", 18, []*Value{tensor("N", 3, 4), numbers(1, 2)}, 1, "keepdims", 0)},
		{"float [5,2,N,64]", op("LSTM", 14, []*Value{tensor(5, "N", 32), tensor(2, 256, 32), tensor(2, 256, 64)}, 3, "direction", "bidirectional", "hidden_size", 64)},
		{"float [i,k]", op("Einsum", 12, []*Value{tensor("i", 4), tensor(4, "k")}, 1, "equation", "ij,jk->ik")},
		{"float [1,3,448,336]", op("Resize", 13, []*Value{tensor(1, 3, 224, 224), nil, {Type: Type{Elem: onnx.Float, Shape: Sizes(4)}, Floats: []float64{1, 1, 2, 1.5}}}, 1)},
		{"uint8 [N,3]", op("QuantizeLinear", 13, []*Value{tensor("N", 3), tensor()}, 1)},
		{"undefined [...]", op("Foo", 13, []*Value{tensor("N", 3)}, 1)},
	} {
		out, err := Infer(c.op)
		if err != nil || out[0].Type.String() != c.want {
			t.Errorf("%s: %s (%v), %s expected", c.op.Type, out[0].Type, err, c.want)
		}
	}
}

func TestRulesAreMany(t *testing.T) {
	if len(rules) < 220 {
		t.Errorf("%d operators have rules", len(rules))
	}
	standard := 0
	for k := range rules {
		if schema.Known(k.domain, k.op) {
			standard++
		} else if k.domain != ms && k.op != "SimplifiedLayerNormalization" {
			t.Errorf("%s is no operator", k)
		}
	}
	if standard < 190 {
		t.Errorf("%d standard operators have rules", standard)
	}
}

func TestContradictions(t *testing.T) {
	for _, c := range []struct {
		code, text string
		op         *Op
	}{
		{"OP3201", "inner dimensions of the product differ", op("MatMul", 13, []*Value{tensor(2, 3), tensor(4, 5)}, 1)},
		{"OP3201", "channels do not fit the weight", op("Conv", 11, []*Value{tensor(1, 4, 8, 8), tensor(8, 3, 3, 3)}, 1)},
		{"OP3201", "larger than the padded input", op("Conv", 11, []*Value{tensor(1, 3, 2, 8), tensor(8, 3, 3, 3)}, 1)},
		{"OP3201", "do not broadcast", op("Add", 13, []*Value{tensor(2, 3), tensor(2)}, 1)},
		{"OP3201", "elements do not fit the new shape", op("Reshape", 13, []*Value{tensor(2, 3), numbers(4, -1)}, 1)},
		{"OP3201", "inputs differ beside axis 1", op("Concat", 13, []*Value{tensor(2, 3), tensor(3, 3)}, 1, "axis", 1)},
		{"OP3201", "not of size 1", op("Squeeze", 11, []*Value{tensor(2, 3)}, 1, "axes", []int64{1})},
		{"OP3203", "wanted rank 3", op("LSTM", 14, []*Value{tensor(2, 3)}, 1)},
		{"OP3204", "an axis from -2 to 1", op("Gather", 13, []*Value{tensor(2, 3), numbers(0)}, 1, "axis", 2)},
		{"OP3204", "an axis from -2 to 1", op("Concat", 13, []*Value{tensor(2, 3)}, 1, "axis", 2)},
		{"OP3204", "a step is zero", op("Slice", 13, []*Value{tensor(9), numbers(0), numbers(5), numbers(0), numbers(0)}, 1)},
		{"OP3204", "not positive", op("MaxPool", 12, []*Value{tensor(1, 3, 8)}, 1, "kernel_shape", []int64{0})},
	} {
		_, err := Infer(c.op)
		var e *diag.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Error(), c.text) {
			t.Errorf("%s: %v, %s with %q expected", c.op.Type, err, c.code, c.text)
		}
	}
}

func TestReferredAttributesLeaveOpen(t *testing.T) {
	o := op("Concat", 13, []*Value{tensor(2, 3), tensor(2, 3)}, 1, "axis", 0)
	o.Attr("axis").RefAttrName = "outer"
	out, err := Infer(o)
	if err != nil || out[0].Type.String() != "float [...]" {
		t.Errorf("%s, %v", out[0].Type, err)
	}
}
