package quant

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// leastStored is the size in bytes of float32 above which a constant is worth
// the nodes that widen it. Constant folding (pass fold) adds nothing larger by
// default, so it does not undo them.
const leastStored = 4 << 10

// constant is a float32 constant of float arithmetic that is stored in fewer
// bits: 8 with scales, or float16. The runtime widens it once, at load.
type constant struct {
	value *graph.Value
	uses  []graph.Use // which read the widened form
	layer *layer      // the only layer whose weight it is, nil when it is something else
	cells cells
	scale []float32 // of 8 bits

	bits   int     // 8 or 16; 32: it stays as it is
	sqnr   float64 // dB of the stored against the float constant
	output float64 // dB of the layer's output with the 8-bit form, measured; NaN when it was not
	reason string  // why not in 8 bits
}

// operandsOfData are the operators that take a constant as data, where it makes
// no difference whether it is an initializer or computed from one.
var operandsOfData = []string{
	"Gather", "Add", "Sub", "Mul", "Div", "MatMul", "Gemm", "Concat", "Where", "Expand", "Tile", "Slice", "Max", "Min", "Pow",
	"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Split", "Identity", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN",
}

// planStored decides what becomes of the recurrent nodes and of the constants of float arithmetic.
func (p *planner) planStored(ctx context.Context) error {
	if err := p.findRecurrent(); err != nil {
		return err
	}
	p.findConstants()
	if p.float8() && p.restsOn16() {
		p.constants = nil // the rest is written in 16 bits, which engines keep
	}
	if err := p.eachConstant(ctx, (*constant).measureCells); err != nil {
		return err
	}
	if p.env.Calib != nil {
		if err := p.measureDamage(ctx); err != nil {
			return err
		}
		least := p.leastOutput()
		if err := p.eachConstant(ctx, func(c *constant) error { return c.decide(least) }); err != nil {
			return err
		}
	}
	dynamic := map[*graph.Node]bool{}
	for _, r := range p.recurrent {
		r.decide()
		dynamic[r.node] = r.int8()
	}
	p.constants = slices.DeleteFunc(p.constants, func(c *constant) bool {
		c.uses = slices.DeleteFunc(c.uses, func(u graph.Use) bool { return dynamic[u.Node] })
		return len(c.uses) == 0
	})
	return nil
}

// eachConstant works on the constants in parallel.
func (p *planner) eachConstant(ctx context.Context, work func(*constant) error) error {
	errs := make([]error, len(p.constants))
	p.each(len(errs), func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = work(p.constants[i])
		}
	})
	return errors.Join(errs...)
}

// findConstants lists the large float constants that nothing in 8 bits takes over, with the reasons against storing them in fewer bits.
func (p *planner) findConstants() {
	for g := range p.model.Graphs() {
		if g != p.model.Main && inFunction(p.model, g) {
			continue
		}
		for _, v := range g.Initializers() {
			t := v.Const()
			if t == nil || v.IsInput() || p.byValue[v] != nil || t.Type != onnx.Float || 4*elements(t.Dims) <= leastStored || vector(t.Dims) {
				continue
			}
			if c := p.newConstant(v); c != nil {
				p.constants = append(p.constants, c)
			}
		}
	}
}

// vector says whether one axis holds all elements: such constants are biases and the like.
func vector(dims []int64) bool { return slices.Contains(dims, elements(dims)) }

// newConstant looks at the readers of a constant; nil when only 8-bit layers read it.
func (p *planner) newConstant(v *graph.Value) *constant {
	c := &constant{value: v, bits: 8, output: math.NaN()}
	for _, u := range v.Uses() {
		l := p.byNode[u.Node]
		if l != nil && u.Index == 1 && l.int8() {
			continue
		}
		c.uses = append(c.uses, u)
		if why := p.keepsFloat(u); why != "" && c.reason == "" {
			c.bits, c.reason = 32, why
		}
		if u.Index == 1 {
			c.layer = l
		}
	}
	if len(c.uses) == 0 {
		return nil
	}
	if len(c.uses) > 1 {
		c.layer = nil
	}
	return c
}

// keepsFloat is why a reader wants its constant in float32; empty when it does not care.
func (p *planner) keepsFloat(u graph.Use) string {
	if u.IsReturn() {
		return "it is an output of its graph"
	}
	if why := p.excluded(u.Node); why != "" {
		return why
	}
	if u.Node.Meta(graph.PassKey) == passName {
		return "already quantized"
	}
	if !u.Node.Is(operandsOfData...) || u.Node.Is(recurrent...) && u.Index != 1 && u.Index != 2 {
		return "its reader takes parameters in float32 only"
	}
	if u.Node.Is("Conv", "ConvTranspose") && u.Index != 1 || u.Node.Is("Gemm") && u.Index == 2 {
		return "a bias"
	}
	return ""
}

// measureCells computes scales and quality of a constant.
func (c *constant) measureCells() error {
	if c.bits == 32 {
		return nil
	}
	t := c.value.Const()
	x, err := t.Float32s()
	if err != nil {
		return err
	}
	if !finiteAll(x) {
		c.bits, c.reason = 32, "the constant holds NaN or infinity"
		return nil
	}
	c.cells = cellsFor(c.uses[0], t.Dims)
	c.scale = c.cells.scales(x)
	c.sqnr = c.cells.quality(x, c.scale)
	if c.cells.fidelity(x, c.scale) < leastFidelity || 3*int64(len(c.scale)) > int64(len(x)) {
		c.halve(x, "8 bits are too coarse for its range of values")
	}
	return nil
}

// leastFidelity is the least fidelity in dB of a constant in 8 bits: normally
// distributed elements reach 40 in cells of 256, Laplacian ones 35.
const leastFidelity = 30

// The least SQNR in dB of a layer's output whose weight alone is in 8 bits.
// Storage gains no speed, so its error must vanish: beside that of the 8-bit
// layers of the model, which keep 20 to 40 dB, or by itself where there are none.
const (
	leastOutput      = 36
	leastFloatOutput = 45
)

// halve stores the constant as float16 instead, where that keeps it.
func (c *constant) halve(x []float32, why string) {
	c.bits, c.reason, c.scale = 16, why, nil
	if c.sqnr = halfQuality(x); c.sqnr < leastHalf {
		c.bits, c.reason = 32, why+", and so is float16"
	}
}

// leastHalf is the least SQNR in dB of a constant in float16; normal numbers of that format keep 73.
const leastHalf = 60

func (p *planner) leastOutput() float64 {
	if slices.ContainsFunc(p.layers, (*layer).int8) {
		return leastOutput
	}
	return leastFloatOutput
}

// decide takes the measured output into account.
func (c *constant) decide(least float64) error {
	if c.bits != 8 || c.layer == nil || c.output >= least {
		return nil
	}
	x, err := c.value.Const().Float32s()
	if err != nil {
		return err
	}
	if math.IsNaN(c.output) {
		c.halve(x, "the samples never reach it, so the error of 8 bits was not measured")
		return nil
	}
	c.halve(x, "8 bits cost too much of the layer's output")
	return nil
}

// cellsFor is how a constant is divided into cells of one scale, by its first
// reader: output channels of products, rows of gates, rows of tables.
func cellsFor(u graph.Use, dims []int64) cells {
	r := len(dims)
	switch {
	case u.Node.Is("MatMul") && u.Index == 1 && r > 2:
		return newCells(dims, r-2, r-1)
	case u.Index == 1 && u.Node.Is("Conv", "ConvTranspose", "Gemm", "MatMul") && r > 1:
		return channelCells(dims, target.WeightAxis(u.Node, r))
	}
	// Rows along the last axis, or longer ones when those are short.
	from := r - 1
	for from > 0 && elements(dims[from:]) < leastRow {
		from--
	}
	return newCells(dims, from, r)
}

// leastRow is the least number of elements that share a scale in rows; it takes as much room as four of them.
const leastRow = 8
