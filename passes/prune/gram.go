package prune

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// gramMemory bounds the sums of products that the runtime computes at a time, in bytes.
const gramMemory = 192 << 20

// gram is what the samples say of the channels of a site: means and covariance over samples and positions.
type gram struct {
	rows float64
	mean []float64 // [width]
	cov  []float64 // [width, width]
}

// collect takes the statistics of sites on samples, as many sites at a time as the memory allows.
func (p *pruner) collect(ctx context.Context, sites []*site, samples *calib.Set) error {
	passes := p.batches(sites)
	for i, list := range passes {
		if err := p.collectSome(ctx, list, samples); err != nil {
			return err
		}
		p.env.Advance("statistics", i+1, len(passes))
	}
	return nil
}

// batches divides sites so that what one run of the samples computes of each fits the memory.
func (p *pruner) batches(sites []*site) [][]*site {
	var out [][]*site
	var used int64
	for _, s := range sites {
		need := int64(s.width) * int64(s.width) * int64(4*p.parallel())
		if len(out) == 0 || used+need > gramMemory {
			out, used = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], s)
		used += need
	}
	return out
}

// collectSome runs the samples once. Every sample has a thread of its own and
// sums are added in the order of the samples, so that they do not depend on the threads.
func (p *pruner) collectSome(ctx context.Context, sites []*site, samples *calib.Set) error {
	clone := p.env.Model.Clone()
	var outputs []*graph.Value
	sums := make([]*gramSums, len(sites))
	for i, s := range sites {
		outputs = append(outputs, attachGram(clone, clone.Main.Value(s.tap.Value.Name()), s.tap.Axis, s.width)...)
		sums[i] = newGramSums(s.width)
	}
	session, err := p.open(ctx, clone.Extract(nil, outputs))
	if err != nil {
		return err
	}
	defer session.Close()
	err = calib.InTurn(samples.Len(), p.parallel(), func(i int, ordered func(func() error) error) error {
		sample, err := samples.Read(ctx, i)
		if err != nil {
			return err
		}
		return session.Run(ctx, sample.Inputs, func(out []calib.Array) error {
			return ordered(func() error {
				for k, s := range sums {
					if err := s.add(out[gramOutputs*k : gramOutputs*(k+1)]); err != nil {
						return fmt.Errorf("statistics of %s: %w", sites[k].data.Value.Name(), err)
					}
				}
				return nil
			})
		})
	})
	for i, s := range sites {
		s.gram = sums[i].gram(s)
	}
	return err
}

// open loads a model for runs of one thread each.
func (p *pruner) open(ctx context.Context, m *graph.Model) (calib.Session, error) {
	proto, err := m.Export()
	if err != nil {
		return nil, err
	}
	return p.env.Runner.Open(ctx, proto, calib.OpenOptions{Optimization: calib.Full, Threads: 1})
}

// gramOutputs are the outputs of attachGram: products of channels, sums of channels, and a shape that tells the number of rows.
const gramOutputs = 3

// attachGram adds nodes that multiply the channels of v, along an axis, with each other at every position and add up.
func attachGram(m *graph.Model, v *graph.Value, axis, width int) []*graph.Value {
	b := builder{m.Main}
	if v.Elem() != onnx.Float {
		v = b.with("Cast", []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float)}}, v)
	}
	rank := rankOf(v)
	if axis == 1 && rank > 2 {
		x := b.op("Reshape", v, b.list(0, int64(width), -1))
		turned := b.with("Transpose", []*onnx.Attribute{ints("perm", 0, 2, 1)}, x)
		return []*graph.Value{b.op("MatMul", x, turned), b.sum(x, -1), b.op("Shape", x)}
	}
	if axis != rank-1 {
		perm := make([]int64, 0, rank)
		for i := range rank {
			if i != axis {
				perm = append(perm, int64(i))
			}
		}
		v = b.with("Transpose", []*onnx.Attribute{ints("perm", append(perm, int64(axis))...)}, v)
	}
	x := b.op("Reshape", v, b.list(-1, int64(width)))
	turned := b.with("Transpose", []*onnx.Attribute{ints("perm", 1, 0)}, x)
	return []*graph.Value{b.op("MatMul", turned, x), b.sum(x, 0), b.op("Shape", x)}
}

// builder adds nodes at the end of a graph.
type builder struct{ graph *graph.Graph }

func (b builder) op(op string, in ...*graph.Value) *graph.Value { return b.with(op, nil, in...) }

func (b builder) with(op string, attrs []*onnx.Attribute, in ...*graph.Value) *graph.Value {
	return b.graph.End().OpN(op, "", "onnxpass_"+op, 1, attrs, in...).Out(0)
}

func (b builder) list(v ...int64) *graph.Value {
	return b.graph.Init("onnxpass_list", onnx.FromInt64s([]int64{int64(len(v))}, v))
}

func (b builder) sum(v *graph.Value, axis int64) *graph.Value {
	return b.with("ReduceSum", []*onnx.Attribute{{Name: "keepdims", Type: onnx.AttrInt}}, v, b.list(axis))
}

func ints(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

// gramSums are sums over rows, in float64.
type gramSums struct {
	rows     float64
	sum      []float64
	products []float64
}

func newGramSums(width int) *gramSums {
	return &gramSums{sum: make([]float64, width), products: make([]float64, width*width)}
}

// add takes in the outputs of attachGram for one sample. One that is not finite tells nothing and is left out.
func (g *gramSums) add(out []calib.Array) error {
	products, err := out[0].Float32s(new([]float32))
	if err != nil {
		return err
	}
	sums, err := out[1].Float32s(new([]float32))
	if err != nil {
		return err
	}
	if !finite(products) || !finite(sums) || len(sums)%len(g.sum) != 0 || len(products)%len(g.products) != 0 {
		return nil
	}
	shape, err := out[2].Float64s(new([]float64))
	if err != nil {
		return err
	}
	rows := 1.0 / float64(len(g.sum))
	for _, d := range shape {
		rows *= d
	}
	g.rows += rows
	for i, x := range sums {
		g.sum[i%len(g.sum)] += float64(x)
	}
	for n := len(g.products); len(products) > 0; products = products[n:] {
		for i, x := range products[:n] {
			g.products[i] += float64(x)
		}
	}
	return nil
}

func finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// gram is the mean and the covariance; nil when no sample told anything. Channels
// that different groups of a layer read cannot stand in for each other: their covariance counts as zero.
func (g *gramSums) gram(s *site) *gram {
	if g.rows == 0 {
		return nil
	}
	out := &gram{rows: g.rows, mean: make([]float64, s.width), cov: g.products}
	for i, x := range g.sum {
		out.mean[i] = x / g.rows
	}
	for i := range s.width {
		row := out.cov[i*s.width : (i+1)*s.width]
		for j := range row {
			row[j] = row[j]/g.rows - out.mean[i]*out.mean[j]
			if !s.together(i, j) {
				row[j] = 0
			}
		}
		row[i] = max(row[i], 0)
	}
	return out
}
