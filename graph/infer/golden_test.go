package infer

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// golden is one line of testdata/operators.jsonl.gz: what an operator really produces.
type golden struct {
	Name, Op, Domain string
	V                int64
	Attrs            map[string][2]json.RawMessage
	In, Out          []*goldenValue
}

type goldenValue struct {
	T onnx.DataType
	D []int64
	C []float64
	X string
}

func readGolden(t testing.TB) []golden {
	f, err := os.Open("testdata/operators.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []golden
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		list = append(list, g)
	}
	return list
}

// bytesData is a tensor's content in memory.
type bytesData []byte

func (b bytesData) Len() int64             { return int64(len(b)) }
func (b bytesData) Bytes() ([]byte, error) { return b, nil }

func (v *goldenValue) tensor() *onnx.Tensor {
	var b []byte
	for _, x := range v.C {
		switch v.T {
		case onnx.Int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(toInt64(x)))
		case onnx.Int32:
			b = binary.LittleEndian.AppendUint32(b, uint32(int32(x)))
		case onnx.Bool:
			b = append(b, byte(x))
		case onnx.Float:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		case onnx.Double:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	}
	return &onnx.Tensor{Type: v.T, Dims: v.D, Data: bytesData(b)}
}

// toInt64 undoes the rounding of JSON numbers at the ends of the range.
func toInt64(x float64) int64 {
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int64(x)
}

func (v *goldenValue) value() *Value {
	switch {
	case v == nil:
		return nil
	case v.X != "":
		return &Value{}
	}
	out := &Value{Type: Type{Elem: v.T, Shape: Sizes(v.D...)}}
	if v.C != nil {
		out.Const = v.tensor()
	}
	return out
}

func (g *golden) op() *Op {
	attrs := map[string]*onnx.Attribute{}
	for name, raw := range g.Attrs {
		attrs[name] = goldenAttr(name, raw)
	}
	op := &Op{Domain: g.Domain, Type: g.Op, Version: g.V, NumOut: len(g.Out), Attr: func(name string) *onnx.Attribute { return attrs[name] }}
	for _, v := range g.In {
		op.In = append(op.In, v.value())
	}
	return op
}

func goldenAttr(name string, raw [2]json.RawMessage) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	kind := strings.Trim(string(raw[0]), `"`)
	var into any
	var text string
	var tensor goldenValue
	switch kind {
	case "i":
		a.Type, into = onnx.AttrInt, &a.I
	case "f":
		a.Type, into = onnx.AttrFloat, &a.F
	case "s":
		a.Type, into = onnx.AttrString, &text
	case "is":
		a.Type, into = onnx.AttrInts, &a.Ints
	case "fs":
		a.Type, into = onnx.AttrFloats, &a.Floats
	case "t":
		a.Type, into = onnx.AttrTensor, &tensor
	default:
		a.Type = onnx.AttrStrings
		return a
	}
	if err := json.Unmarshal(raw[1], into); err != nil {
		panic(fmt.Sprint(name, err))
	}
	a.S = []byte(text)
	if kind == "t" {
		a.T = tensor.tensor()
	}
	return a
}

// contradicts tells what is wrong with an answer, "" when it is right or open.
func (v *goldenValue) contradicts(got Value, sizes map[string]int64) string {
	if v == nil || v.X != "" {
		return ""
	}
	if got.Other != nil || got.Elem != onnx.Undefined && got.Elem != v.T {
		return fmt.Sprintf("type %s, really %d", got.Type, v.T)
	}
	if !got.Shape.Ranked {
		return ""
	}
	if len(got.Shape.Dims) != len(v.D) {
		return fmt.Sprintf("shape %s, really %v", got.Shape, v.D)
	}
	for i, d := range got.Shape.Dims {
		n, named := Evaluate(d.Param, sizes)
		if d.IsStatic() && d.Value != v.D[i] || !d.IsStatic() && d.Param != "" && (!named || n != v.D[i]) {
			return fmt.Sprintf("shape %s, really %v", got.Shape, v.D)
		}
	}
	return v.contradictsContent(got, sizes)
}

func (v *goldenValue) contradictsContent(got Value, sizes map[string]int64) string {
	if v.C == nil {
		return ""
	}
	for i, e := range got.Ints {
		n, named := Evaluate(e.Param, sizes)
		if number(e) && e.Value != toInt64(v.C[i]) || symbol(e) && (!named || n != toInt64(v.C[i])) {
			return fmt.Sprintf("content %v, really %v", got.Ints, v.C)
		}
	}
	for i, f := range got.Floats {
		if !math.IsNaN(f) && math.Abs(f-v.C[i]) > 1e-7*math.Abs(f) {
			return fmt.Sprintf("content %v, really %v", got.Floats, v.C)
		}
	}
	return ""
}

// open counts what an answer leaves unknown.
func (v *goldenValue) open(got Value) bool {
	if v == nil || v.X != "" {
		return false
	}
	_, static := got.Shape.Static()
	return got.Elem == onnx.Undefined || !static
}

// dataDependent are operators whose output size depends on more than inference sees,
// or whose newest form has no fixed answer.
var dataDependent = map[string]bool{
	"Compress": true, "NonZero": true, "NonMaxSuppression": true, "Unique": true, "ImageDecoder": true, "StringSplit": true,
	"StringNormalizer": true, "SequenceAt": true, "ConcatFromSequence": true, "OptionalGetElement": true, "OptionalHasElement": true,
}

// TestGolden infers every case from full knowledge: no answer may be wrong, and only
// operators whose result depends on data may be open.
func TestGolden(t *testing.T) {
	cases := readGolden(t)
	ops, open := map[string]bool{}, map[string]int{}
	total, left := 0, 0
	for _, g := range cases {
		outs, err := Infer(g.op())
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		ops[g.Op] = true
		for i, v := range g.Out {
			if why := v.contradicts(outs[i], nil); why != "" {
				t.Errorf("%s: output %d: %s", g.Name, i, why)
			}
			total++
			if v.open(outs[i]) && !dataDependent[g.Op] {
				left++
				open[g.Op+"-"+fmt.Sprint(g.V)]++
			}
		}
	}
	t.Logf("%d outputs of %d operators, %d left open: %v", total, len(ops), left, open)
	if len(ops) < 190 || left*25 > total {
		t.Errorf("%d operators, %d of %d outputs left open", len(ops), left, total)
	}
}

// TestGoldenPartial hides parts of what is known: sizes become symbols or nothing, ranks
// and contents disappear. Whatever is still answered must be right.
func TestGoldenPartial(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, g := range readGolden(t) {
		if strings.HasSuffix(g.Op, "Pool") && g.leavesOpen() {
			continue // the kernel does not fit the input, which symbolic sizes are taken to rule out
		}
		for range 6 {
			op, sizes := g.op(), map[string]int64{}
			for i, v := range op.In {
				if v != nil {
					hide(r, v, sizes)
					op.In[i] = v
				}
			}
			outs, err := Infer(op)
			if err != nil {
				t.Errorf("%s with %s: %v", g.Name, describe(op), err)
				continue
			}
			for i, v := range g.Out {
				if why := v.contradicts(outs[i], sizes); why != "" {
					t.Errorf("%s with %s: output %d: %s", g.Name, describe(op), i, why)
				}
			}
		}
	}
}

// leavesOpen tells whether full knowledge leaves an output open.
func (g *golden) leavesOpen() bool {
	outs, err := Infer(g.op())
	return err != nil || g.Out[0].open(outs[0])
}

// hide takes knowledge away from a value. Symbols are named after the size.
func hide(r *rand.Rand, v *Value, sizes map[string]int64) {
	if v.Const != nil && r.IntN(2) == 0 {
		x, _ := constContent(v.Const)
		v.Const, v.Ints, v.Floats = nil, x.ints, x.floats
		if r.IntN(2) == 0 {
			v.Ints, v.Floats = nil, nil
		}
		for i, e := range v.Ints {
			if !tracksInts(v.Elem) {
				v.Ints = nil
				break
			}
			v.Ints[i] = hidden(r, e, sizes)
		}
		if v.Ints != nil {
			return // a tracked content comes with a known shape
		}
	}
	if v.Const != nil {
		return
	}
	if r.IntN(10) == 0 {
		v.Shape = Shape{}
	}
	for i, d := range v.Shape.Dims {
		v.Shape.Dims[i] = hidden(r, d, sizes)
	}
	if r.IntN(20) == 0 {
		v.Elem = onnx.Undefined
	}
}

func hidden(r *rand.Rand, d Dim, sizes map[string]int64) Dim {
	switch k := r.IntN(4); {
	case k == 0:
		return Dynamic()
	case k == 1 && d.Value > 0:
		name := fmt.Sprintf("s%d", d.Value)
		sizes[name] = d.Value
		return Symbol(name)
	}
	return d
}

func describe(op *Op) string {
	var words []string
	for _, v := range op.In {
		if v == nil {
			words = append(words, "-")
			continue
		}
		words = append(words, fmt.Sprint(v.Type, v.Ints))
	}
	return strings.Join(words, ", ")
}
