package quant

import (
	"context"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// windowed is shift from the means of a layer's windows: E[(W - Wq) x] is
// (W - Wq) E[x], with the zeros of padding in x. The means come along with the statistics of the ranges.
type windowed struct {
	*shift
	matrix *layerwise.Layer
	every  int // of how many samples one is looked at
	means  [][]float32
}

// Prepare asks for the layer's input.
func (w *windowed) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	v, err := calib.Find(clone, w.layer.node.In(0).Name())
	if err != nil {
		return nil, err
	}
	return []*graph.Value{v}, nil
}

// Observe takes in the means of one sample. A sample that is not finite there tells nothing.
func (w *windowed) Observe(i int, arrays []calib.Array) error {
	if i%w.every != 0 {
		return nil
	}
	means, err := layerwise.MeanWindows(w.matrix, arrays[0])
	if err != nil || means == nil {
		return err
	}
	x := make([]float32, len(means))
	for k, v := range means {
		x[k] = float32(v)
	}
	w.means = append(w.means, x)
	return nil
}

// settle turns the means into those of the shift.
func (w *windowed) settle() error {
	raw, err := w.residual().Float32s()
	if err != nil {
		return err
	}
	l, r := w.matrix, layerwise.Matrix(w.matrix, raw)
	w.sum, w.square, w.count = make([]float64, l.Channels()), make([]float64, l.Channels()), len(w.means)
	vector := func(x []float32) blas32.Vector { return blas32.Vector{N: len(x), Inc: 1, Data: x} }
	for c := range w.sum {
		row := vector(r[c*l.Cols : (c+1)*l.Cols])
		from := c / l.Rows * l.Cols
		for _, x := range w.means {
			v := float64(blas32.Dot(row, vector(x[from:from+l.Cols])))
			w.sum[c] += v
			w.square[c] += v * v
		}
	}
	w.means = nil
	return nil
}

// watchShifts lists the layers whose biases are to be corrected from the statistics' pass, once.
func (p *planner) watchShifts() []calib.Observer {
	if p.watched != nil || p.opt.Bias != BiasMean || p.env.DryRun || p.repairs() {
		return nil
	}
	p.watched = map[*layer]*windowed{}
	every := max(1, p.calibration().Samples.Len()/biasSamples)
	var out []calib.Observer
	for _, l := range p.layers {
		if !l.int8() || l.weight == nil || l.node.Graph() != p.model.Main {
			continue
		}
		w := p.weights[p.key(l)]
		matrix, why := layerwise.Of(l.node, w.data.Dims)
		if why != "" || !l.biasable(w) {
			continue
		}
		p.watched[l] = &windowed{shift: &shift{layer: l, weight: w}, matrix: matrix, every: every}
		out = append(out, p.watched[l])
	}
	return out
}

// settleShifts takes the corrections of the layers that were watched.
func (p *planner) settleShifts(ctx context.Context) error {
	var layers []*layer
	for l, w := range p.watched {
		if l.int8() && len(w.means) > 0 {
			layers = append(layers, l)
		}
	}
	slices.SortFunc(layers, func(a, b *layer) int { return p.depth[a.node] - p.depth[b.node] })
	errs := make([]error, len(layers))
	p.each(len(layers), func(i int) {
		if errs[i] = p.watched[layers[i]].settle(); errs[i] == nil {
			layers[i].shift = p.watched[layers[i]].deltas()
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
