package precision

import (
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// observed is what the samples show of a tensor.
type observed struct {
	most   float64 // largest finite magnitude
	narrow bool    // the elements differ little, far from zero
}

// narrowest is the ratio of the standard deviation to the mean below which rounding hides how elements differ: float16
// then keeps their differences to less than 40 dB. Cancellation in the next layer makes that error its own.
const narrowest = 0.02

// observe takes the magnitudes of all float tensors that nodes of the main graph compute.
func (c *converter) observe(ctx context.Context) error {
	if c.env.Calib == nil || c.env.Calib.Samples.Len() == 0 {
		return nil
	}
	k := c.env.Calib
	few := &calib.Calibration{Runner: k.Runner, Samples: k.Samples.Spread(c.opt.Samples), Threads: k.Threads, Progress: k.Progress, CacheDir: k.CacheDir}
	var reqs []calib.Request
	for _, v := range c.computed() {
		reqs = append(reqs, calib.Request{Value: v.Name()})
	}
	table, err := few.Collect(ctx, c.model, reqs)
	if err != nil {
		return err
	}
	c.seen = map[*graph.Value]observed{}
	for _, v := range c.computed() {
		if s := table.Stats(v.Name()); s != nil && s.Finite() > 0 {
			mean := s.Mean()
			variance := s.MeanSquare() - mean*mean
			c.seen[v] = observed{
				most: max(-float64(s.Min), float64(s.Max)), narrow: s.Min != s.Max && variance < narrowest*narrowest*mean*mean,
			}
		}
	}
	c.carry()
	return nil
}

// computed are the float tensors of the main graph with elements of their own: not those that only copy others.
func (c *converter) computed() []*graph.Value {
	var out []*graph.Value
	add := func(v *graph.Value) {
		if v != nil && v.Elem() == onnx.Float && v.Const() == nil && v.NumUses() > 0 {
			out = append(out, v)
		}
	}
	for _, v := range c.model.Main.Inputs() {
		add(v)
	}
	for n := range c.model.Main.Nodes() {
		if n.Is("Constant") || n.Is(moves...) {
			continue
		}
		for _, v := range n.Outs() {
			add(v)
		}
	}
	return out
}

// carry gives what copies elements the figures of what it copies.
func (c *converter) carry() {
	for n := range c.model.Main.Nodes() {
		if !n.Is(moves...) {
			continue
		}
		var sum observed
		for i, v := range n.Ins() {
			if o, ok := c.seen[v]; ok && v != nil {
				sum.most = max(sum.most, o.most)
				sum.narrow = sum.narrow || i == 0 && o.narrow && !n.Is("Concat", "Pad")
			}
		}
		for _, v := range n.Outs() {
			if v != nil {
				c.seen[v] = sum
			}
		}
	}
}

// unfit is why a node stays float32 for the sake of its activations.
func (c *converter) unfit(n *graph.Node) string {
	beyond := func(v *graph.Value) bool {
		return v != nil && v.Elem() == onnx.Float && c.low == onnx.Float16 && c.seen[v].most > c.opt.MaxAbs
	}
	narrow := func(v *graph.Value) bool { return v != nil && v.Elem() == onnx.Float && c.seen[v].narrow }
	switch {
	case slices.ContainsFunc(n.Outs(), beyond):
		return "the samples show an output near or beyond the range of " + c.low.String()
	case slices.ContainsFunc(n.Ins(), beyond):
		return "the samples show an input near or beyond the range of " + c.low.String()
	case slices.ContainsFunc(n.Outs(), narrow):
		return "the samples show an output whose elements " + c.low.String() + " hardly tells apart"
	case slices.ContainsFunc(n.Ins(), narrow):
		return "the samples show an input whose elements " + c.low.String() + " hardly tells apart"
	}
	return ""
}
