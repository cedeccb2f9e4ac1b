package palette

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
	"github.com/onnxpass/onnxpass/passes/layerwise"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// coding is a table, or one for each group of channels, fitted to a weight.
// The file computes entry * scale in the type arith.
type coding struct {
	weight *weights.Weight
	tables []*Table
	group  int       // channels that share a table
	pairs  bool      // entries are pairs
	scale  []float32 // by channel, as stored; nil: none
	shared bool      // the table is that of other weights too
	every  bool      // the table holds all values of the weight

	entry, scaleType, arith onnx.DataType
	whole                   bool // entries are whole numbers of 8 bits
	pinned                  bool // 0 is an entry and stays one
	integer                 bool // codes name whole numbers, and DequantizeLinear has the scales
	threads                 int
}

// exact makes a table of all values of the weight.
func (c *coding) exact(values []float32) {
	c.tables, c.every = []*Table{newTable(values, false)}, true
	c.entry, c.arith = onnx.Float, onnx.Float
	if c.weight.Const.Type == onnx.Float16 {
		c.entry, c.arith = onnx.Float16, onnx.Float16
		return
	}
	for _, v := range values {
		if half(v) != v {
			return
		}
	}
	if 2*len(values) > castBytes {
		c.entry = onnx.Float16
	}
}

// Exact says whether a coding stores every element of its weight as it is.
func Exact(c weights.Coding) bool {
	p, ok := c.(*coding)
	return ok && p.every
}

// Describe says in a few words how a coding stores its weight; empty for codings of other packages.
func Describe(c weights.Coding) string {
	p, ok := c.(*coding)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%d values", p.tables[0].count())
	if p.pairs {
		text = fmt.Sprintf("%d pairs", p.tables[0].count())
	}
	if len(p.tables) > 1 {
		text += fmt.Sprintf(" in each of %d tables", len(p.tables))
	}
	if p.scale != nil {
		text += ", scale per channel"
	}
	if p.integer {
		text += ", int8 at run time"
	}
	return text
}

// groups is the number of tables.
func (c *coding) groups() int { return (c.weight.Channels + c.group - 1) / c.group }

func (c *coding) table(channel int) *Table { return c.tables[channel/c.group] }

// Unit is 2 for pairs.
func (c *coding) Unit() int {
	if c.pairs {
		return 2
	}
	return 1
}

// Round replaces v by the nearest number, or pair, that the tables hold.
func (c *coding) Round(channel, _ int, v, metric []float32) {
	t := c.table(channel)
	if c.scale != nil && c.scale[channel] == 0 {
		clear(v)
		return
	}
	if c.pairs {
		m := t.pairCode([2]float64{float64(c.divided(v[0], channel)), float64(c.divided(v[1], channel))}, metric)
		v[0], v[1] = c.value(t.entries[2*m], channel), c.value(t.entries[2*m+1], channel)
		return
	}
	for i, x := range v {
		v[i] = c.value(t.entries[t.code(c.divided(x, channel))], channel)
	}
}

func (c *coding) divided(v float32, channel int) float32 {
	if c.scale == nil {
		return v
	}
	return v / c.scale[channel]
}

// value is what the file computes for an entry, as the runtime rounds it.
func (c *coding) value(entry float32, channel int) float32 {
	if c.scale != nil {
		entry *= c.scale[channel]
	}
	switch c.weight.Const.Type {
	case onnx.Float16:
		return half(entry)
	case onnx.BFloat16:
		return dtype.BF16ToF32(dtype.BF16FromF32(entry))
	}
	return entry
}

// Scaled multiplies the scales.
func (c *coding) Scaled(factor []float32) weights.Coding {
	if c.scale == nil {
		return nil
	}
	out := *c
	out.scale = make([]float32, len(c.scale))
	for i, v := range c.scale {
		out.scale[i] = c.storedScale(v * factor[i])
	}
	return &out
}

// Table says which entry each element is. Entries of all tables are one list.
// Whole numbers, tables that others share and exact ones do not change.
func (c *coding) Table(x []float32) *layerwise.Table {
	if c.entry == onnx.Int8 || c.whole || c.shared || c.every {
		return nil
	}
	t := &layerwise.Table{Index: make([]int32, len(x)), Factor: c.scale}
	if c.scale == nil {
		t.Factor = make([]float32, c.weight.Channels)
		for i := range t.Factor {
			t.Factor[i] = 1
		}
	}
	first := make([]int32, len(c.tables))
	for g, table := range c.tables {
		first[g] = int32(len(t.Value))
		t.Value = append(t.Value, table.entries...)
	}
	unit := int32(c.Unit())
	per := c.weight.Cols / c.Unit()
	for i, code := range c.codes(x) {
		for k := range unit {
			t.Index[int32(i)*unit+k] = first[i/per/c.group] + int32(code)*unit + k
		}
	}
	return t
}

// Retabled has other entries; 0 stays where it is.
func (c *coding) Retabled(value []float32) weights.Coding {
	out := *c
	out.tables = make([]*Table, len(c.tables))
	for g, t := range c.tables {
		entries := append([]float32(nil), value[:len(t.entries)]...)
		value = value[len(t.entries):]
		for i := range entries {
			if c.entry == onnx.Float16 {
				entries[i] = half(entries[i])
			}
			if t.entries[i] == 0 && c.pinned {
				entries[i] = 0
			}
		}
		out.tables[g] = newTable(entries, t.pairs)
	}
	return &out
}

// storedScale is a scale as the file holds it.
func (c *coding) storedScale(v float32) float32 {
	if c.scaleType == onnx.Float16 {
		return half(v)
	}
	return v
}

// bits is how many bits of a byte one code takes.
func (c *coding) bits() int {
	most := 0
	for _, t := range c.tables {
		most = max(most, t.count())
	}
	bits := 8
	switch {
	case c.pairs || most > 16:
	case most > 4:
		bits = 4
	default:
		bits = 2
	}
	if len(c.tables) > 1 && c.weight.Cols*bits%8 != 0 {
		return 8 // rows have to begin with a byte
	}
	return bits
}

// nodeBytes is about what a node with short names takes in the file, castBytes what a Cast does.
const (
	nodeBytes = 40
	castBytes = 46
)

// Bytes counts codes, tables, scales and the nodes that put them together.
func (c *coding) Bytes() int64 {
	n := int64(c.weight.Elements())
	codes := (n*int64(c.bits())/int64(c.Unit()) + 7) / 8
	numbers := int64(0)
	if !c.shared {
		for _, t := range c.tables {
			numbers += int64(len(t.entries))
		}
	}
	return codes + numbers*size(c.entry) + int64(len(c.scale))*size(c.scaleType) + 5*nodeBytes
}

func size(t onnx.DataType) int64 { return int64(t.Bits()) / 8 }

// codes are those of x, which is rounded, one byte each, in the order of the matrix.
func (c *coding) codes(x []float32) []byte {
	w := c.weight
	out := make([]byte, len(x)/c.Unit())
	weights.Each(c.threads, w.Channels, func(ch int) {
		t := c.table(ch)
		from, to := ch*w.Cols/c.Unit(), (ch+1)*w.Cols/c.Unit()
		if c.scale != nil && c.scale[ch] == 0 {
			zero := byte(0)
			if !c.pairs {
				zero = byte(t.code(0))
			}
			for i := from; i < to; i++ {
				out[i] = zero
			}
			return
		}
		guess := 0
		for i := from; i < to; i++ {
			if c.pairs {
				guess, _ = t.plane.Nearest([2]float64{float64(c.divided(x[2*i], ch)), float64(c.divided(x[2*i+1], ch))}, guess)
				out[i] = byte(guess)
				continue
			}
			out[i] = byte(t.code(c.divided(x[i], ch)))
		}
	})
	return out
}
