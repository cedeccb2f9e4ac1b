package infer

import (
	"errors"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// body is a subgraph as a function of its inputs.
type body func(in []Value) ([]Value, error)

func withBodies(o *Op, bodies map[string]body) *Op {
	o.Sub = func(attr string, in []Value) ([]Value, error) { return bodies[attr](in) }
	return o
}

func values(list ...*Value) body {
	return func([]Value) ([]Value, error) {
		var out []Value
		for _, v := range list {
			out = append(out, *v)
		}
		return out, nil
	}
}

func failing([]Value) ([]Value, error) { return nil, errors.New("contradiction") }

func TestIf(t *testing.T) {
	yes, no := typed(onnx.Bool), typed(onnx.Bool)
	yes.Ints, no.Ints = []Dim{Static(1)}, []Dim{Static(0)}
	a, b := values(tensor("N", 3)), values(tensor("N", 4))
	for _, c := range []struct {
		want string
		cond *Value
		then body
		els  body
	}{
		{"float [N,?]", typed(onnx.Bool), a, b},
		{"float [N,3]", yes, a, b},
		{"float [N,4]", no, a, b},
		{"float [...]", typed(onnx.Bool), a, values(tensor("N"))},
		{"float [N,4]", typed(onnx.Bool), failing, b},
		{"undefined [N,?]", typed(onnx.Bool), a, values(typed(onnx.Int64, "N", 4))},
	} {
		out, err := Infer(withBodies(op("If", 13, []*Value{c.cond}, 1), map[string]body{"then_branch": c.then, "else_branch": c.els}))
		if err != nil || out[0].Type.String() != c.want {
			t.Errorf("%s (%v), %s expected", out[0].Type, err, c.want)
		}
	}
	if _, err := Infer(withBodies(op("If", 13, []*Value{typed(onnx.Bool)}, 1), map[string]body{"then_branch": failing, "else_branch": failing})); err == nil {
		t.Error("both branches fail, the If does not")
	}
}

// TestLoop has a body that keeps its first carried value, lengthens the second by one
// each time, adds a rank to the third, and emits a row.
func TestLoop(t *testing.T) {
	grow := func(in []Value) ([]Value, error) {
		cond, kept, long, deep := in[1], in[2], in[3], in[4]
		if long.Shape.Ranked {
			long.Shape = Of(add(long.Shape.Dims[0], Static(1)))
		}
		if deep.Shape.Ranked {
			deep.Shape = Of(append([]Dim{Static(1)}, deep.Shape.Dims...)...)
		}
		return []Value{cond, kept, long, deep, *tensor(7)}, nil
	}
	trips := typed(onnx.Int64)
	trips.Ints = []Dim{Static(5)}
	out, err := Infer(withBodies(op("Loop", 13, []*Value{trips, nil, tensor("N", 2), tensor(3), tensor(1)}, 4), map[string]body{"body": grow}))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"float [N,2]", "float [...]", "float [...]", "float [5,7]"} {
		got := out[i].Type.String()
		if i == 1 && got == "float [?]" {
			continue
		}
		if got != want {
			t.Errorf("output %d: %s, %s expected", i, got, want)
		}
	}
}

func TestLoopThatMayEndEarly(t *testing.T) {
	trips := typed(onnx.Int64)
	trips.Ints = []Dim{Static(5)}
	early := func(in []Value) ([]Value, error) { return []Value{*typed(onnx.Bool), *tensor(7)}, nil }
	out, err := Infer(withBodies(op("Loop", 13, []*Value{trips, nil}, 1), map[string]body{"body": early}))
	if err != nil || out[0].Type.String() != "float [?,7]" {
		t.Errorf("%s (%v)", out[0].Type, err)
	}
}

func TestScan(t *testing.T) {
	step := func(in []Value) ([]Value, error) {
		if got := in[1].Type.String(); got != "float [B,8]" {
			t.Errorf("the body gets slices of %s", got)
		}
		return []Value{in[0], in[1]}, nil
	}
	out, err := Infer(withBodies(op("Scan", 11, []*Value{tensor("B", 4), tensor("B", 10, 8)}, 2,
		"num_scan_inputs", 1, "scan_input_axes", []int64{1}, "scan_output_axes", []int64{-1}), map[string]body{"body": step}))
	if err != nil || out[0].Type.String() != "float [B,4]" || out[1].Type.String() != "float [B,8,10]" {
		t.Errorf("%s and %s (%v)", out[0].Type, out[1].Type, err)
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		inferred, declared *Value
		want               string
		ok                 bool
	}{
		{tensor("N", -1), tensor(1, 5), "float [N,5]", true},
		{tensor(2, 3), tensor(2, 4), "float [2,3]", false},
		{tensor(-1, 3), tensor("dim", 3), "float [?,3]", true},
		{&Value{}, tensor("dim", 3), "float [?,3]", true},
		{tensor(2), typed(onnx.Int64, 2), "float [2]", false},
		{tensor(2), tensor(2, 2), "float [2]", false},
	} {
		if got, ok := Merge(c.inferred.Type, c.declared.Type); got.String() != c.want || ok != c.ok {
			t.Errorf("%s with %s: %s %v", c.inferred.Type, c.declared.Type, got, ok)
		}
	}
}
