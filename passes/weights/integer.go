package weights

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Integer stores codes of 8 or 4 bits with one scale for each channel or for
// each block of columns.
type Integer struct {
	Bits       int             // 8 or 4
	Block      int             // columns that share a scale; 0: all of a channel
	Asymmetric bool            // with zero points, in blocks only
	AbsMax     bool            // scales reach the largest element; otherwise they have the least squared error
	Target     *target.Profile // decides how the codes are widened
	Threads    int
}

// Name names the format.
func (f *Integer) Name() string {
	name := fmt.Sprintf("int%d", f.Bits)
	if f.Asymmetric {
		name = "u" + name
	}
	if f.Block == 0 {
		return name + " per channel"
	}
	return fmt.Sprintf("%s in blocks of %d", name, f.Block)
}

// Fit chooses the scales.
func (f *Integer) Fit(s *Source) (Coding, string, error) {
	g, why := f.grid(s.Weight)
	if why != "" {
		return nil, why, nil
	}
	if !finite(s.X) {
		return nil, "the weight holds NaN or infinity", nil
	}
	g.search(s)
	return g, "", nil
}

// Suits is why the format does not suit a weight, whatever its elements; empty when it does.
func (f *Integer) Suits(w *Weight) string {
	_, why := f.grid(w)
	return why
}

// grid is the format for one weight, without scales.
func (f *Integer) grid(w *Weight) (*grid, string) {
	g := &grid{format: f, weight: w, block: w.Cols, least: -127, most: 127}
	if f.Bits == 4 {
		g.least, g.most = -8, 7
	}
	if f.Asymmetric {
		g.least, g.most = 0, float32(int(1)<<f.Bits-1)
	}
	if f.Block > 0 {
		var why string
		if g.block, why = blockFor(w, f.Block, f.Target.Weights.Blocks); why != "" {
			return nil, why
		}
	}
	return g, g.form()
}

// The bounds of blocks.
const (
	leastBinary = 16 // the least power of two that ONNX Runtime keeps packed
	leastBlock  = 8  // with fewer columns, scales take more room than the blocks save
	furthest    = 4  // how many times larger or smaller than what was asked for a block may be
)

// blockFor is the size of blocks nearest to the one wanted that the target
// takes: the largest that is not above it, or else the least one above.
func blockFor(w *Weight, want int, how target.Blocks) (int, string) {
	switch {
	case len(w.Rest) != 1:
		return 0, "only matrices are divided into blocks"
	case want >= w.Cols:
		return w.Cols, ""
	case how == target.BinaryBlocks:
		b := leastBinary
		for 2*b <= want {
			b *= 2
		}
		return min(b, w.Cols), ""
	}
	for b := want; b >= max(leastBlock, want/furthest); b-- {
		if w.Cols%b == 0 {
			return b, ""
		}
	}
	for b := want + 1; b <= furthest*want && b <= w.Cols; b++ {
		if w.Cols%b == 0 {
			return b, ""
		}
	}
	return 0, fmt.Sprintf("no block of about %d columns divides the rows of the weight", want)
}

func finite(x []float32) bool {
	for _, v := range x {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return false
		}
	}
	return true
}

// grid is Integer fitted to one weight.
type grid struct {
	format      *Integer
	weight      *Weight
	block       int     // columns of one scale
	least, most float32 // codes
	how         form
	scale       []float32 // [Channels, blocks], as the file holds them
	zero        []float32 // likewise; nil: symmetric
}

// blocks is the number of scales of a channel.
func (g *grid) blocks() int { return (g.weight.Cols + g.block - 1) / g.block }

// Unit is 1: every element has its own code.
func (g *grid) Unit() int { return 1 }

// Round decodes the nearest code.
func (g *grid) Round(channel, col int, v, _ []float32) {
	at := channel*g.blocks() + col/g.block
	v[0] = g.value(g.code(v[0], at), at)
}

// code is the nearest code under scale number at.
func (g *grid) code(x float32, at int) float32 {
	q := float32(math.RoundToEven(float64(x / g.scale[at])))
	if g.zero != nil {
		q += g.zero[at]
	}
	return min(max(q, g.least), g.most)
}

// value is what the runtime makes of a code.
func (g *grid) value(q float32, at int) float32 {
	if g.zero != nil {
		q -= g.zero[at]
	}
	return narrowed(g.weight.Const.Type, q*g.scale[at])
}

// Scaled multiplies the scales of each channel.
func (g *grid) Scaled(factor []float32) Coding {
	out := *g
	out.scale = make([]float32, len(g.scale))
	for i, s := range g.scale {
		out.scale[i] = g.stored(float64(s) * float64(factor[i/g.blocks()]))
	}
	return &out
}

// Bytes counts codes, scales and zero points.
func (g *grid) Bytes() int64 {
	codes := int64(g.weight.Elements()*g.format.Bits+7) / 8
	scales, _ := g.scaleType().RawSize(int64(len(g.scale)))
	if g.zero != nil {
		scales += int64(len(g.zero)*g.format.Bits+7) / 8
	}
	return codes + scales
}

// scaleType is the element type of the scales: that of the weight where the nodes take it.
func (g *grid) scaleType() onnx.DataType { return scaleType(g.weight, g.how, g.format.Target) }

// stored is a scale as the file holds it.
func (g *grid) stored(s float64) float32 { return storedScale(g.scaleType(), s) }

// storedScale is a scale as a file holds it in an element type, positive and normal.
func storedScale(t onnx.DataType, s float64) float32 {
	const leastNormal16 = 6.103515625e-05
	v := narrowed(t, float32(s))
	switch {
	case t == onnx.Float16 && v < leastNormal16:
		return leastNormal16
	case !(v >= math.SmallestNonzeroFloat32*(1<<23)):
		return math.SmallestNonzeroFloat32 * (1 << 23)
	}
	return v
}
