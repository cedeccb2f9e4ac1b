package prune

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Constancy says which channels count as constant.
type Constancy string

// What a lossless removal may rest on.
const (
	Proven   Constancy = "proven" // by the weights, for every input
	Observed Constancy = "data"   // on the samples
)

// steady is the largest range, as a share of the largest magnitude in its tensor, of a channel that counts as constant.
const steady = 1e-7

// extent is the range of every channel of a tensor over samples and positions.
type extent struct{ low, high []float64 }

// observeConstants runs the samples and adds the channels that never changed
// to the constants. It looks at what readers of weights sum up.
func (p *pruner) observeConstants(ctx context.Context, c *constants) error {
	if !p.informed() {
		return diag.New("OP6001", "prune:constant=data needs samples and a runtime").Hinted("give samples with -d, or leave constant=proven")
	}
	watched := p.watched()
	if len(watched) == 0 {
		return nil
	}
	clone := p.env.Model.Clone()
	var outputs []*graph.Value
	extents := make([]extent, len(watched))
	for i, at := range watched {
		v := clone.Main.Value(at.Value.Name())
		outputs = append(outputs, extreme(clone, "ReduceMin", v, at.Axis), extreme(clone, "ReduceMax", v, at.Axis))
		n := int(at.Value.Shape().Dims[at.Axis].Value)
		extents[i] = extent{slices.Repeat([]float64{math.Inf(1)}, n), slices.Repeat([]float64{math.Inf(-1)}, n)}
	}
	if err := p.ranges(ctx, clone.Extract(nil, outputs), extents); err != nil {
		return err
	}
	for i, at := range watched {
		c.add(at, extents[i])
	}
	return nil
}

// watched are the axes that sinks read, whose classes can go.
func (p *pruner) watched() []axes.Axis {
	var out []axes.Axis
	for _, s := range p.analysis.Sinks {
		if s.Data < 0 {
			continue
		}
		at := axes.Axis{Value: s.Node.In(s.Data), Axis: s.DataAxis}
		free := slices.ContainsFunc(p.analysis.ClassesOf(at), func(k int) bool { return k >= 0 })
		if free && at.Value.Graph() == p.env.Model.Main && at.Value.Elem() == onnx.Float && at.Value.Const() == nil && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// extreme adds a reduction of v over all axes but one.
func extreme(m *graph.Model, op string, v *graph.Value, keep int) *graph.Value {
	var over []int64
	for i := range rankOf(v) {
		if i != keep {
			over = append(over, int64(i))
		}
	}
	b := builder{m.Main}
	plain := &onnx.Attribute{Name: "keepdims", Type: onnx.AttrInt}
	if m.Opset("") < 18 {
		return b.with(op, []*onnx.Attribute{plain, ints("axes", over...)}, v)
	}
	return b.with(op, []*onnx.Attribute{plain}, v, b.list(over...))
}

// ranges widens the extents by what the outputs of m, pairs of minima and maxima, are on the samples.
func (p *pruner) ranges(ctx context.Context, m *graph.Model, extents []extent) error {
	session, err := p.open(ctx, m)
	if err != nil {
		return err
	}
	defer session.Close()
	samples := p.env.Calib.Samples
	return calib.InTurn(samples.Len(), p.parallel(), func(i int, ordered func(func() error) error) error {
		sample, err := samples.Read(ctx, i)
		if err != nil {
			return err
		}
		return session.Run(ctx, sample.Inputs, func(out []calib.Array) error {
			return ordered(func() error {
				for k := range extents {
					if err := extents[k].widen(out[2*k], out[2*k+1]); err != nil {
						return fmt.Errorf("ranges of channels: %w", err)
					}
				}
				return nil
			})
		})
	})
}

func (e *extent) widen(low, high calib.Array) error {
	a, err := low.Float64s(new([]float64))
	if err != nil {
		return err
	}
	b, err := high.Float64s(new([]float64))
	if err != nil {
		return err
	}
	if len(a) != len(e.low) || len(b) != len(e.high) {
		return fmt.Errorf("%d channels, not %d", len(a), len(e.low))
	}
	for i := range a {
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
			a[i], b[i] = math.Inf(-1), math.Inf(1)
		}
		e.low[i], e.high[i] = math.Min(e.low[i], a[i]), math.Max(e.high[i], b[i])
	}
	return nil
}

// add makes cells of the channels whose range is nothing.
func (c *constants) add(at axes.Axis, e extent) {
	largest := 0.0
	for i := range e.low {
		largest = math.Max(largest, math.Max(math.Abs(e.low[i]), math.Abs(e.high[i])))
	}
	cells := c.cells[at]
	if cells == nil {
		cells = make([]cell, len(e.low))
		c.cells[at] = cells
	}
	for i := range e.low {
		if !cells[i].fixed && e.high[i]-e.low[i] <= steady*largest {
			cells[i] = cell{true, (e.low[i] + e.high[i]) / 2}
			c.observed++
		}
	}
}
