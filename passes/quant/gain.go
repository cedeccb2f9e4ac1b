package quant

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// gainSamples are enough for the ratio of two error energies; the size of the
// errors themselves comes from the histogram of all samples.
const gainSamples = 2

// trialClip is the share of the elements that a trial cuts off at each end, so
// that few samples hold enough of them.
const trialClip = 0.002

// gain measures what the layers that read a tensor make of cut-off elements.
//
// Rounding errors are white: a layer with weight W turns energy E in C input
// channels into sum(W^2)/C E. Cut-off elements sit in a few channels and
// next to each other, so what arrives may be far more or, in channels that the
// weights hardly use, far less. The ratio of the two, for each end of the
// range, says how much an element beyond that end counts in the search. The
// mean over positions is left out: the bias can take it.
type gain struct {
	root    *tensor
	trial   Range // beyond which the trial cuts off
	readers []gainReader

	arrived, white [2]float64 // at the lower and upper end, over samples
}

// gainReader is one layer with the value that it reads.
type gainReader struct {
	value *graph.Value
	layer *layer
	white float64 // sum of W^2 over the input channels
}

// newGain lists the layers that read the tensor, or a moved copy of it; nil when there are none.
func (p *planner) newGain(root *tensor, members []*tensor, h *Histogram) *gain {
	g := &gain{root: root, trial: Range{min(h.Quantile(trialClip), 0), max(h.Quantile(1-trialClip), 0)}}
	for _, t := range members {
		for _, u := range t.readers {
			l := p.byNode[u.Node]
			if l == nil || !l.int8() || l.weight == nil || u.Index != 0 || t.value.Const() != nil {
				continue
			}
			if w := p.whiteGain(l); w > 0 {
				g.readers = append(g.readers, gainReader{t.value, l, w})
			}
		}
	}
	if len(g.readers) == 0 {
		return nil
	}
	return g
}

// whiteGain is sum(W^2) over the input channels of a layer; 0 when it cannot be told.
func (p *planner) whiteGain(l *layer) float64 {
	x, err := l.weight.Const().Float32s()
	dims := p.dims(l.node.In(0))
	if err != nil || len(dims) < 2 {
		return 0
	}
	channels := dims[len(dims)-1]
	if channelAxis(l.node) == 1 {
		channels = dims[1]
	}
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	if l.node.Is("ConvTranspose") { // spreads its sums over more positions than it reads
		for _, s := range l.node.Ints("strides", nil) {
			sum /= float64(max(s, 1))
		}
	}
	return sum / float64(max(channels, 1))
}

// Prepare adds, for each end, the cut-off part of the tensor and the layers on
// it: mean squares of the first and variances of the second, per channel.
func (g *gain) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	var out []*graph.Value
	for end := range 2 {
		if g.limit(end) == 0 {
			continue
		}
		for _, r := range g.readers {
			x, err := calib.Find(clone, r.value.Name())
			if err != nil {
				return nil, err
			}
			n := clone.Main.Value(r.layer.node.Out(0).Name()).Def()
			at := n.After().By(passName)
			e := g.cutOff(at, x, end)
			y := at.OpN(n.Op(), "", e.Name()+"_y", 1, n.Attrs(), e, n.In(1)).Out(0)
			rows, answers := channelRows(at, n, e, y)
			out = append(out, squaresOver(at, rows, n), meansOver(at, answers, n), squaresOver(at, answers, n))
		}
	}
	return out, nil
}

// limit is the end of the range at which the trial cuts off.
func (g *gain) limit(end int) float64 { return [2]float64{g.trial.Lo, g.trial.Hi}[end] }

// cutOff is what lies beyond one end: min(x - lo, 0) or max(x - hi, 0).
func (g *gain) cutOff(at *graph.Cursor, x *graph.Value, end int) *graph.Value {
	init := func(v float64) *graph.Value {
		return x.Graph().Init(x.Name()+"_limit", onnx.FromFloat32s(nil, []float32{float32(v)}))
	}
	beyond := at.Op("Sub", x.Name()+"_beyond", x, init(g.limit(end))).Out(0)
	op := [2]string{"Min", "Max"}[end]
	return at.Op(op, x.Name()+"_cut", beyond, init(0)).Out(0)
}

// channelRows shapes input and output of a layer as [N, channels, positions], or [rows, channels] for products.
func channelRows(at *graph.Cursor, n *graph.Node, e, y *graph.Value) (a, b *graph.Value) {
	shape := func(v *graph.Value) *graph.Value {
		dims := []int64{0, 0, -1}
		if channelAxis(n) != 1 {
			dims = []int64{-1, lastDim(v)}
		}
		s := v.Graph().Init(v.Name()+"_rows_shape", onnx.FromInt64s([]int64{int64(len(dims))}, dims))
		return at.Op("Reshape", v.Name()+"_rows", v, s).Out(0)
	}
	return shape(e), shape(y)
}

func lastDim(v *graph.Value) int64 {
	d := v.Shape().Dims
	if len(d) == 0 || d[len(d)-1].Value < 0 {
		return 1
	}
	return d[len(d)-1].Value
}

// meansOver is the mean of each channel. Over positions first: a sum along several
// axes at once is split between threads, and its rounding with it.
func meansOver(at *graph.Cursor, v *graph.Value, n *graph.Node) *graph.Value {
	if channelAxis(n) == 1 {
		return mean(at, mean(at, v, 2), 0)
	}
	return mean(at, v, 0)
}

// squaresOver is the mean square of each channel.
func squaresOver(at *graph.Cursor, v *graph.Value, n *graph.Node) *graph.Value {
	return meansOver(at, at.Op("Mul", v.Name()+"_square", v, v).Out(0), n)
}

// Observe adds one sample.
func (g *gain) Observe(_ int, arrays []calib.Array) error {
	for end := range 2 {
		if g.limit(end) == 0 {
			continue
		}
		for _, r := range g.readers {
			var sums [3]float64 // of input squares, output means squared, output squares
			for k := range sums {
				var scratch []float64
				x, err := arrays[k].Float64s(&scratch)
				if err != nil {
					return err
				}
				for _, v := range x {
					if k == 1 {
						v *= v
					}
					sums[k] += v
				}
			}
			arrays = arrays[3:]
			if v := sums[2] - sums[1]; v >= 0 && !math.IsInf(v, 0) && !math.IsInf(sums[0], 0) {
				g.arrived[end] += v
				g.white[end] += r.white * sums[0]
			}
		}
	}
	return nil
}

// leastGain and mostGain bound what a trial on few samples can say.
const leastGain, mostGain = 0.25, 4

// weight is how much more an element beyond the end counts than a rounding error of its size.
func (g *gain) weight(end int) float64 {
	if g == nil || !(g.white[end] > 0) {
		return 1
	}
	return min(max(g.arrived[end]/g.white[end], leastGain), mostGain)
}

// measureGains runs a few samples for the gains of all tensors that layers read.
func (p *planner) measureGains(ctx context.Context, members map[*tensor][]*tensor, joints []joint) (map[*tensor]*gain, error) {
	gains := map[*tensor]*gain{}
	var observers []calib.Observer
	for i, t := range p.tensors {
		if t.root() != t {
			continue
		}
		if g := p.newGain(t, members[t], joints[i].histogram); g != nil {
			gains[t], observers = g, append(observers, g)
		}
	}
	if len(observers) == 0 {
		return gains, nil
	}
	few := &calib.Calibration{Runner: p.env.Calib.Runner, Samples: p.env.Calib.Samples.Spread(gainSamples), Threads: p.env.Calib.Threads}
	_, err := few.Observe(ctx, p.model, observers)
	return gains, err
}
