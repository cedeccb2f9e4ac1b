package text

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/onnxpass/onnxpass/onnx"
)

// maxGenerated bounds the size of one generated tensor, in bytes.
const maxGenerated = 1 << 30

// Generated is tensor content that a formula gives, computed when it is first
// read. It prints as the formula. The formulas are
//
//	fill(v)                 every element is v
//	range(start, step)      element i is start + i*step
//	random(seed)            random(seed, -1, 1) for floats, over the type's range up to 8 bits (else -128 to 127) for integers
//	random(seed, low, high) floats low + (high-low)*u, integers low + floor((high-low+1)*u)
//
// where u is uniform in [0, 1), a function of seed and i alone. Results are
// rounded to the element type; for integers they are truncated toward zero and wrap.
type Generated struct {
	source string
	length int64
	fill   func() []byte
}

// Len is the size in bytes.
func (g *Generated) Len() int64 { return g.length }

// Bytes computes the content once.
func (g *Generated) Bytes() ([]byte, error) { return g.fill(), nil }

// String is the formula.
func (g *Generated) String() string { return g.source }

func isGenerator(word string) bool {
	switch word {
	case "random", "fill", "range":
		return true
	}
	return false
}

// generated ::= ('random' | 'fill' | 'range') '(' number (',' number)* ')'
func (p *parser) generated(out *onnx.Tensor, n int64) {
	word := p.tok
	p.next()
	args, source := p.arguments()
	f, ok := formatOf(out.Type)
	formula := newFormula(word.text, args, f)
	switch {
	case p.err != nil:
	case !isGenerator(word.text):
		p.fail(word.pos, "expected content, found %q", word.text)
	case formula == nil:
		p.fail(word.pos, "%s does not take %d numbers", word.text, len(args))
	case !ok:
		p.fail(word.pos, "tensors of type %s cannot be generated", elementName(out.Type))
	case n > maxGenerated || f.size(n) > maxGenerated:
		p.fail(word.pos, "generated tensors are limited to %d bytes", maxGenerated)
	case n > 0:
		out.Data = &Generated{word.text + source, f.size(n), sync.OnceValue(func() []byte { return f.generate(formula, n) })}
	}
}

// arguments reads numbers and gives their text back.
func (p *parser) arguments() (args []float64, source string) {
	var words []string
	p.expect("(")
	for !p.accept(")") && p.more() {
		t := p.tok
		v, err := strconv.ParseFloat(t.text, 64)
		if t.kind != kindNumber || err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			p.fail(t.pos, "expected a number, found %s", p.found())
		}
		args, words = append(args, v), append(words, t.text)
		p.next()
		p.separator(")")
	}
	return args, "(" + strings.Join(words, ", ") + ")"
}

// newFormula returns element i as a function of i, nil when word does not take these arguments.
func newFormula(word string, args []float64, f format) func(i int64) float64 {
	switch {
	case word == "fill" && len(args) == 1:
		return func(int64) float64 { return args[0] }
	case word == "range" && len(args) == 2:
		return func(i int64) float64 { return args[0] + float64(i)*args[1] }
	case word == "random" && len(args) == 1:
		low, high := f.defaultRange()
		return f.random(args[0], low, high)
	case word == "random" && len(args) == 3:
		return f.random(args[0], args[1], args[2])
	}
	return nil
}

func (f format) isFloat() bool {
	return f.elem == onnx.Float || f.elem == onnx.Double || f.decode != nil
}

func (f format) defaultRange() (low, high float64) {
	switch {
	case f.isFloat():
		return -1, 1
	case f.elem == onnx.Bool:
		return 0, 1
	case f.bits <= 8 && f.signed:
		return -math.Ldexp(1, f.bits-1), math.Ldexp(1, f.bits-1) - 1
	case f.bits <= 8:
		return 0, math.Ldexp(1, f.bits) - 1
	case f.signed:
		return -128, 127
	}
	return 0, 255
}

func (f format) random(seed, low, high float64) func(i int64) float64 {
	s := mix(math.Float64bits(seed))
	return func(i int64) float64 {
		u := float64(mix(s+uint64(i))>>11) * 0x1p-53
		if f.isFloat() {
			return low + (high-low)*u
		}
		return low + math.Floor((high-low+1)*u)
	}
}

// mix is the output function of the SplitMix64 generator (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// generate computes n elements.
func (f format) generate(formula func(i int64) float64, n int64) []byte {
	data := make([]byte, 0, n*int64(max(f.bits, 8))/8)
	for i := range n {
		v := formula(i)
		switch {
		case f.elem == onnx.Float:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		case f.elem == onnx.Double:
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		case f.decode != nil:
			data = appendLow(data, f.encode(v), f.bits)
		default:
			data = appendLow(data, truncate(v), f.bits)
		}
	}
	return pack(data, f.elem)
}

// truncate converts toward zero, saturating at the ends of int64 and uint64.
func truncate(v float64) uint64 {
	switch {
	case v >= math.MaxUint64:
		return math.MaxUint64
	case v >= 0:
		return uint64(v)
	case v <= math.MinInt64:
		return 1 << 63
	}
	return uint64(int64(v))
}

var _ fmt.Stringer = (*Generated)(nil)
