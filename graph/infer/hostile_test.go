package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// extremes are numbers that overflow, underflow or allocate too much when trusted.
var extremes = []int64{0, 1, -1, 2, 3, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, math.MaxInt32, math.MinInt32, 1 << 40, -1 << 40, 1 << 20, 65, 1000}

// TestHostile mutates every golden case: extreme attributes, sizes and contents, other ranks,
// missing inputs and outputs, any version. Nothing may panic, and answers stay bounded.
func TestHostile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for _, g := range readGolden(t) {
		for range rounds {
			op := g.op()
			mutate(r, op)
			checkBounded(t, g.Name, op)
		}
	}
	for k := range rules {
		for range 50 {
			op := &Op{Domain: k.domain, Type: k.op, NumOut: 1, Attr: func(string) *onnx.Attribute { return nil }}
			for range r.IntN(6) {
				op.In = append(op.In, &Value{Type: Type{Elem: onnx.Int64, Shape: Sizes(make([]int64, r.IntN(4))...)}})
			}
			mutate(r, op)
			checkBounded(t, k.op, op)
		}
	}
}

func checkBounded(t *testing.T, name string, op *Op) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s-%d with %s: %v", name, op.Version, describe(op), p)
		}
	}()
	outs, _ := Infer(op)
	for _, v := range outs {
		if len(v.Shape.Dims) > maxRank || len(v.Ints) > maxContent || len(v.Floats) > maxContent {
			t.Errorf("%s: %d dimensions, %d and %d elements", name, len(v.Shape.Dims), len(v.Ints), len(v.Floats))
		}
	}
}

func mutate(r *rand.Rand, op *Op) {
	original := op.Attr
	seed := r.Uint64()
	op.Attr = func(name string) *onnx.Attribute { return mutatedAttr(original(name), name, seed) }
	if r.IntN(4) == 0 {
		op.Version = int64(r.IntN(30))
	}
	if r.IntN(8) == 0 {
		op.NumOut = r.IntN(6)
	}
	for i, v := range op.In {
		if v == nil {
			continue
		}
		switch r.IntN(8) {
		case 0:
			op.In[i] = nil
		case 1:
			v.Shape = Sizes(make([]int64, r.IntN(70))...)
		case 2:
			v.Const, v.Ints = nil, make([]Dim, r.IntN(5))
			for j := range v.Ints {
				v.Ints[j] = Static(extremes[r.IntN(len(extremes))])
			}
		case 3:
			v.Const, v.Floats = nil, []float64{math.Inf(1), -1e300, math.NaN(), 1e-320, 0}[:r.IntN(6)]
		}
		for j := range v.Shape.Dims {
			switch r.IntN(5) {
			case 0:
				v.Shape.Dims[j] = Dim{Value: extremes[r.IntN(len(extremes))]}
			case 1:
				v.Shape.Dims[j] = Symbol([]string{"N", "{2*N}", "{floor((N+1)/9)}", "a-b", "{", "{floor(}"}[r.IntN(6)])
			}
		}
	}
	if len(op.In) > 0 && r.IntN(8) == 0 {
		op.In = op.In[:r.IntN(len(op.In))]
	}
}

// mutatedAttr changes an attribute, the same way at each call for one seed.
func mutatedAttr(a *onnx.Attribute, name string, seed uint64) *onnx.Attribute {
	r := rand.New(rand.NewPCG(seed, uint64(len(name))))
	pick := func() int64 { return extremes[r.IntN(len(extremes))] }
	if a == nil {
		return nil
	}
	b := *a
	switch r.IntN(5) {
	case 0:
		b.I, b.F, b.S = pick(), float32(pick()), []byte(fmt.Sprint(pick()))
		b.Ints = append([]int64(nil), b.Ints...)
		for i := range b.Ints {
			b.Ints[i] = pick()
		}
	case 1:
		b.Ints = make([]int64, r.IntN(100))
		for i := range b.Ints {
			b.Ints[i] = pick()
		}
	case 2:
		b.T = &onnx.Tensor{Type: onnx.DataType(r.IntN(40)), Dims: []int64{pick()}, Data: bytesData(make([]byte, r.IntN(9)))}
	case 3:
		b.Type = onnx.AttributeType(r.IntN(15))
	}
	return &b
}

func BenchmarkInferConv(b *testing.B) {
	op := op("Conv", 13, []*Value{tensor("N", 64, "H", "W"), tensor(64, 64, 3, 3)}, 1, "pads", []int64{1, 1, 1, 1}, "strides", []int64{2, 2}, "kernel_shape", []int64{3, 3})
	for b.Loop() {
		if _, err := Infer(op); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInferAdd(b *testing.B) {
	op := op("Add", 13, []*Value{tensor("N", 64, 56, 56), tensor("N", 64, 56, 56)}, 1)
	for b.Loop() {
		if _, err := Infer(op); err != nil {
			b.Fatal(err)
		}
	}
}
