package schema

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"

	"github.com/onnxpass/onnxpass/onnx"
)

// operators is the table as text, one fact a line:
//
//	set KIND:MASK...          a set of types, numbered from 0 in order; KIND t, s, o, os; MASK hexadecimal, bit i is data type i; other words are maps
//	domain NAME LATEST
//	op NAME SINCE [deprecated]
//	i [MARK]NAME TYPE [MIN]   input; MARK ? optional, * variadic, ! variadic of mixed types
//	o [MARK]NAME TYPE [MIN]   output
//	a [!]NAME TYPE [DEFAULT]  attribute, ! required; TYPE as in attrTypes
//	t NAME SET                type constraint of the operator
//
//go:embed operators.txt
var operators string

type key struct{ domain, op string }

type table struct {
	ops    map[key][]*Op
	all    []*Op
	latest map[string]int64
}

// load decodes the table once. The result never changes afterwards.
var load = sync.OnceValue(func() *table { return decode(operators) })

var attrTypes = map[string]onnx.AttributeType{
	"f": onnx.AttrFloat, "i": onnx.AttrInt, "s": onnx.AttrString, "t": onnx.AttrTensor, "g": onnx.AttrGraph,
	"fs": onnx.AttrFloats, "is": onnx.AttrInts, "ss": onnx.AttrStrings, "ts": onnx.AttrTensors, "gs": onnx.AttrGraphs,
	"st": onnx.AttrSparseTensor, "sts": onnx.AttrSparseTensors, "tp": onnx.AttrTypeProto, "tps": onnx.AttrTypeProtos,
}

// decode reads the generated table. It is trusted data: a mistake in it shows
// in the package's tests, not at run time.
func decode(text string) *table {
	t := &table{ops: map[key][]*Op{}, latest: map[string]int64{}}
	var sets []*TypeSet
	var domain string
	var op *Op
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "set":
			sets = append(sets, decodeSet(rest))
		case "domain":
			name, latest, _ := strings.Cut(rest, " ")
			domain = canonical(name)
			t.latest[domain] = int64(number(latest))
		case "op":
			op = decodeOp(domain, rest)
			k := key{domain, op.Name}
			t.ops[k] = append(t.ops[k], op)
			t.all = append(t.all, op)
		case "i":
			op.Inputs = append(op.Inputs, decodeParam(rest))
		case "o":
			op.Outputs = append(op.Outputs, decodeParam(rest))
		case "a":
			op.Attrs = append(op.Attrs, decodeAttr(rest))
		case "t":
			name, set, _ := strings.Cut(rest, " ")
			op.constrain(name, sets[number(set)])
		}
	}
	return t
}

func decodeSet(text string) *TypeSet {
	s := new(TypeSet)
	for _, word := range strings.Fields(text) {
		kind, mask, ok := strings.Cut(word, ":")
		bits, _ := strconv.ParseUint(mask, 16, 64)
		switch {
		case !ok:
			s.Other = append(s.Other, word)
		case kind == "t":
			s.Tensor = Elems(bits)
		case kind == "s":
			s.Sequence = Elems(bits)
		case kind == "o":
			s.Optional = Elems(bits)
		case kind == "os":
			s.OptionalSequence = Elems(bits)
		}
	}
	return s
}

func decodeOp(domain, text string) *Op {
	f := strings.Fields(text)
	return &Op{Domain: domain, Name: f[0], Since: int64(number(f[1])), Deprecated: len(f) > 2}
}

func decodeParam(text string) Param {
	f := strings.Fields(text)
	p := Param{Name: strings.TrimLeft(f[0], "?*!"), Type: f[1]}
	switch f[0][0] {
	case '?':
		p.Option = Optional
	case '*', '!':
		p.Option, p.Homogeneous, p.MinArity = Variadic, f[0][0] == '*', number(f[2])
	}
	return p
}

func decodeAttr(text string) Attr {
	name, rest, _ := strings.Cut(text, " ")
	kind, value, hasDefault := strings.Cut(rest, " ")
	a := Attr{Name: strings.TrimPrefix(name, "!"), Required: name[0] == '!', Type: attrTypes[kind]}
	if hasDefault {
		a.Default = decodeDefault(a, value)
	}
	return a
}

func decodeDefault(a Attr, text string) *onnx.Attribute {
	v := &onnx.Attribute{Name: a.Name, Type: a.Type}
	words := strings.Split(text, ",")
	switch a.Type {
	case onnx.AttrFloat:
		v.F = float(text)
	case onnx.AttrInt:
		v.I, _ = strconv.ParseInt(text, 10, 64)
	case onnx.AttrString:
		v.S = unquoted(text)
	case onnx.AttrFloats:
		for _, w := range words {
			v.Floats = append(v.Floats, float(w))
		}
	case onnx.AttrInts:
		for _, w := range words {
			v.Ints = append(v.Ints, int64(number(w)))
		}
	case onnx.AttrStrings:
		for _, w := range words {
			v.Strings = append(v.Strings, unquoted(w))
		}
	}
	return v
}

// constrain resolves every parameter whose type is that constraint.
func (op *Op) constrain(name string, set *TypeSet) {
	for _, list := range [][]Param{op.Inputs, op.Outputs} {
		for i := range list {
			if list[i].Type == name {
				list[i].Allowed = set
			}
		}
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func float(s string) float32 {
	f, _ := strconv.ParseFloat(s, 32)
	return float32(f)
}

func unquoted(s string) []byte {
	u, _ := strconv.Unquote(s)
	return []byte(u)
}
