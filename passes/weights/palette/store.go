package palette

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// Store writes codes, tables and scales, and the nodes that compute the weight
// from them. Names are short: there are many, and files may be small.
func (c *coding) Store(w *weights.Weight, x []float32, pass string) error {
	s := &storing{coding: c, weight: w, graph: w.Value.Graph(), per: 8 / c.bits()}
	codes := c.codes(x)
	if s.ordered = c.pairs || len(c.tables) > 1; !s.ordered {
		codes = weights.Tensor(w.Layout, codes)
	}
	name := w.Value.Name()
	v := s.scaled(s.shaped(s.gathered(codes)))
	v.Def().SetMeta(graph.PassKey, pass)
	w.Replace(v)
	v.Rename(name)
	return nil
}

// storing inserts the nodes that compute one weight.
type storing struct {
	*coding
	weight  *weights.Weight
	graph   *graph.Graph
	at      *graph.Cursor
	per     int  // codes in a byte
	ordered bool // codes are in the order of the matrix, not of the file
}

// gathered are the entries that the codes name: one axis of entries at the end where a byte names several numbers.
func (s *storing) gathered(codes []byte) *graph.Value {
	s.at = s.graph.Begin()
	entries := s.entries()
	index := s.cast(s.init("c", s.packed(codes)), onnx.Int32)
	if len(s.tables) > 1 {
		index = s.op("Add", index, s.offsets())
	}
	return s.op("Gather", entries, index)
}

// packed are the codes as bytes, in rows where each row has a table of its own.
func (s *storing) packed(codes []byte) *onnx.Tensor {
	bits := s.bits()
	out := make([]byte, (len(codes)+s.per-1)/s.per)
	for i, q := range codes {
		out[i/s.per] |= q << (bits * (i % s.per))
	}
	dims := []int64{int64(len(out))}
	switch {
	case len(s.tables) > 1:
		dims = []int64{int64(s.weight.Channels), int64(len(out) / s.weight.Channels)}
	case s.per == 1 && !s.pairs:
		dims = s.weight.Dims
	}
	return onnx.From(dims, out)
}

// entries is the tensor that bytes are looked up in: the table itself, or all
// combinations of its entries that a byte can name.
func (s *storing) entries() *graph.Value {
	if s.per == 1 {
		return s.tableCast()
	}
	combos := s.combinations()
	t := s.tableCast()
	if len(s.tables) == 1 {
		return s.reused("Gather", nil, t, combos)
	}
	all := s.reused("Gather", []*onnx.Attribute{integer("axis", 1)}, t, combos)
	return s.reshape(all, int64(len(s.tables)*256), int64(s.per))
}

// tableCast is the table in the type of the arithmetic.
func (s *storing) tableCast() *graph.Value {
	t := s.tableInit()
	if s.entry == s.arith || s.integer {
		return t
	}
	return s.reused("Cast", []*onnx.Attribute{integer("to", int64(s.arith))}, t)
}

// tableInit holds the entries: [k], [k, 2] for pairs, and for several packed
// tables one row for each. Tables are filled up to the same length.
func (s *storing) tableInit() *graph.Value {
	k := 0
	for _, t := range s.tables {
		k = max(k, t.count())
	}
	if s.per > 1 {
		k = 1 << s.bits()
	}
	unit := s.Unit()
	var all []float32
	for _, t := range s.tables {
		all = append(all, t.entries...)
		for i := t.count(); i < k; i++ {
			all = append(all, t.entries[len(t.entries)-unit:]...)
		}
	}
	dims := []int64{int64(k * len(s.tables))}
	switch {
	case s.pairs:
		dims = append(dims, 2)
	case len(s.tables) > 1 && s.per > 1:
		dims = []int64{int64(len(s.tables)), int64(k)}
	}
	tensor := weights.FloatTensor(s.entry, dims, all)
	if s.entry == onnx.Int8 {
		whole := make([]int8, len(all))
		for i, v := range all {
			whole[i] = int8(v)
		}
		tensor = onnx.From(dims, whole)
	}
	if s.shared {
		return s.same("codebook", tensor)
	}
	return s.init("t", tensor)
}

// offsets are where the table of each channel begins.
func (s *storing) offsets() *graph.Value {
	step := 256
	if s.per == 1 {
		step = 0
		for _, t := range s.tables {
			step = max(step, t.count())
		}
	}
	out := make([]int32, s.weight.Channels)
	for ch := range out {
		out[ch] = int32(ch / s.group * step)
	}
	return s.init("o", onnx.From([]int64{int64(len(out)), 1}, out))
}

// combinations are the codes that every byte stands for, [256, per], low bits first.
func (s *storing) combinations() *graph.Value {
	bits := s.bits()
	all := make([]byte, 256*s.per)
	for i := range all {
		all[i] = byte(i / s.per >> (bits * (i % s.per)) & (1<<bits - 1))
	}
	v := s.same(fmt.Sprintf("codes%d", bits), onnx.From([]int64{256, int64(s.per)}, all))
	return s.reused("Cast", []*onnx.Attribute{integer("to", int64(onnx.Int32))}, v)
}

// shaped brings what was gathered to the shape of the weight.
func (s *storing) shaped(v *graph.Value) *graph.Value {
	w := s.weight
	n := int64(w.Elements())
	if s.per > 1 && n%int64(s.per) != 0 {
		v = s.op("Slice", s.reshape(v, -1), s.list(0), s.list(n))
	}
	if !s.ordered {
		if s.per > 1 {
			v = s.reshape(v, w.Dims...)
		}
		return v
	}
	axes := append(append([]int(nil), w.Rows...), w.Rest...)
	dims, perm := make([]int64, len(axes)), make([]int64, len(axes))
	for i, a := range axes {
		dims[i], perm[a] = w.Dims[a], int64(i)
	}
	v = s.reshape(v, dims...)
	if w.Plain() {
		if len(dims) > 1 && !sorted64(perm) {
			v = s.reshape(v, w.Dims...)
		}
		return v
	}
	return s.at.OpN("Transpose", "", "v", 1, []*onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: perm}}, v).Out(0)
}

func sorted64(p []int64) bool {
	for i, v := range p {
		if v != int64(i) {
			return false
		}
	}
	return true
}

// scaled multiplies with the scales and brings the weight to its type.
func (s *storing) scaled(v *graph.Value) *graph.Value {
	w := s.weight
	if s.integer {
		scale := s.init("s", onnx.FromFloat32s([]int64{int64(w.Channels)}, s.scale))
		zero := s.init("z", onnx.From([]int64{int64(w.Channels)}, make([]int8, w.Channels)))
		return s.at.OpN("DequantizeLinear", "", "dq", 1, []*onnx.Attribute{integer("axis", int64(w.Axis()))}, v, scale, zero).Out(0)
	}
	if s.scale != nil {
		scale := s.init("s", weights.FloatTensor(s.scaleType, w.ChannelDims(), weights.ByChannel(w.Layout, s.scale)))
		if s.scaleType != s.arith {
			scale = s.cast(scale, s.arith)
		}
		v = s.op("Mul", v, scale)
	}
	if w.Const.Type != s.arith {
		v = s.cast(v, w.Const.Type)
	}
	return v
}

func (s *storing) init(hint string, t *onnx.Tensor) *graph.Value { return s.graph.Init(hint, t) }

func (s *storing) op(op string, in ...*graph.Value) *graph.Value {
	return s.at.Op(op, "v", in...).Out(0)
}

func (s *storing) cast(v *graph.Value, to onnx.DataType) *graph.Value {
	return s.at.OpN("Cast", "", "v", 1, []*onnx.Attribute{integer("to", int64(to))}, v).Out(0)
}

func (s *storing) reshape(v *graph.Value, dims ...int64) *graph.Value {
	return s.op("Reshape", v, s.list(dims...))
}

// list is an initializer that other weights with the same list share.
func (s *storing) list(v ...int64) *graph.Value {
	name := strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", "x")
	return s.same("d"+name, onnx.FromInt64s([]int64{int64(len(v))}, v))
}

// same is the initializer of that name when it holds the same, or a new one.
func (s *storing) same(name string, t *onnx.Tensor) *graph.Value {
	if v := s.graph.Local(name); v != nil && v.Const() != nil && equal(v.Const(), t) {
		return v
	}
	return s.init(name, t)
}

func equal(a, b *onnx.Tensor) bool {
	if a.Type != b.Type || fmt.Sprint(a.Dims) != fmt.Sprint(b.Dims) || a.Data == nil || b.Data == nil || a.Data.Len() != b.Data.Len() {
		return false
	}
	x, err := a.Data.Bytes()
	y, other := b.Data.Bytes()
	return err == nil && other == nil && bytes.Equal(x, y)
}

// reused is the output of a node that computes the same already, behind which the cursor then stands, or a new one.
func (s *storing) reused(op string, attrs []*onnx.Attribute, in ...*graph.Value) *graph.Value {
	for _, u := range in[0].Uses() {
		n := u.Node
		if n.Graph() == s.graph && n.Is(op) && n.NumIn() == len(in) && n.Meta(graph.PassKey) == "" && sameInputs(n, in) && sameAttrs(n, attrs) {
			s.at = n.After()
			return n.Out(0)
		}
	}
	return s.at.OpN(op, "", "v", 1, attrs, in...).Out(0)
}

func sameInputs(n *graph.Node, in []*graph.Value) bool {
	for i, v := range in {
		if n.In(i) != v {
			return false
		}
	}
	return true
}

func sameAttrs(n *graph.Node, attrs []*onnx.Attribute) bool {
	if len(n.Attrs()) != len(attrs) {
		return false
	}
	for _, a := range attrs {
		if n.Int(a.Name, -1) != a.I {
			return false
		}
	}
	return true
}

func integer(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}
