package palette

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/weights"
	"github.com/onnxpass/onnxpass/passes/weights/kmeans"
)

// NewTable fits one table to many weights, each divided by the root mean
// squares of its channels, for Format.Shared. Weights are read one after
// another; those that are not finite do not count. Every weight counts by its number of elements.
func NewTable(list []*weights.Weight, f *Format) (*Table, error) {
	bins, pairs := new(kmeans.Bins), kmeans.Pairs{}
	total := 0
	for _, w := range list {
		total += w.Elements()
	}
	step := max(1, total/2/pairSamples)
	for _, w := range list {
		x, err := w.Const.Float32s()
		if err != nil {
			return nil, fmt.Errorf("weight %s: %w", w.Value.Name(), err)
		}
		if !finite(x) || f.Pairs && w.Cols%2 != 0 {
			continue
		}
		t := &fitter{format: &Format{Scale: true, Entries: f.Entries}, source: &weights.Source{Weight: w, X: weights.Matrix(w.Layout, x)}, coding: &coding{weight: w, group: w.Channels}}
		t.scales()
		if f.Pairs {
			t.samplePairs(&pairs, step)
		} else {
			t.collect(bins)
		}
	}
	entries := sharedEntries(f, bins, pairs)
	if f.Entries != Float32 {
		entries = rounded(entries)
	}
	return newTable(entries, f.Pairs), nil
}

func sharedEntries(f *Format, bins *kmeans.Bins, pairs kmeans.Pairs) []float32 {
	var out []float32
	if f.Pairs {
		for _, c := range kmeans.ClusterPairs(pairs, f.K, pairRounds) {
			out = append(out, float32(c[0]), float32(c[1]))
		}
	} else {
		p := bins.Points()
		centres := kmeans.Cluster(p, f.K)
		if f.Zero == ZeroOn {
			centres = kmeans.ClusterWithZero(p, f.K)
		}
		for _, c := range centres {
			out = append(out, float32(c))
		}
	}
	if len(out) == 0 {
		return make([]float32, 2)
	}
	return out
}

// collect adds all elements, divided by the scales, alike.
func (t *fitter) collect(bins *kmeans.Bins) {
	s := t.source
	buffer := make([]float32, s.Cols)
	for ch, scale := range t.norm {
		if scale == 0 {
			continue
		}
		for i, v := range s.X[ch*s.Cols : (ch+1)*s.Cols] {
			buffer[i] = v / scale
		}
		bins.Add(buffer, 1)
	}
}

// samplePairs adds every step-th pair.
func (t *fitter) samplePairs(p *kmeans.Pairs, step int) {
	s := t.source
	for i := 0; i < len(s.X)/2; i += step {
		scale := t.norm[2*i/s.Cols]
		if scale == 0 {
			continue
		}
		p.Value = append(p.Value, [2]float64{float64(s.X[2*i] / scale), float64(s.X[2*i+1] / scale)})
		p.Weight = append(p.Weight, 1)
	}
}

// Constants are the tensors that weights are computed from, each once.
func Constants(list []*Stored) []*onnx.Tensor {
	var out []*onnx.Tensor
	seen := map[*onnx.Tensor]bool{}
	var visit func(e *expr)
	visit = func(e *expr) {
		if e.tensor != nil && !seen[e.tensor] {
			seen[e.tensor] = true
			out = append(out, e.tensor)
		}
		for _, in := range e.in {
			visit(in)
		}
	}
	for _, s := range list {
		visit(s.expr)
	}
	return out
}
