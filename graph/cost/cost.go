// Package cost counts what a model holds and computes: parameters, bytes and
// multiply-accumulates (MACs), for the shapes that the graph carries.
//
// One MAC is one multiplication with its addition; FLOPs would be twice that.
// Counted are convolutions, matrix products and recurrent operators, plain and
// quantized. Element-wise operators, normalisations and poolings are not MACs
// and count as nothing. What should count but cannot be computed (unknown
// shapes, operators without a formula here) is listed, never taken as zero.
package cost

import (
	"math"
	"math/bits"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Layer is one node that multiplies and accumulates.
type Layer struct {
	Node *graph.Node
	MACs int64         // per run of the model; -1 when Why says what is unknown
	Why  string        // "shape of x is unknown"
	Elem onnx.DataType // of the arithmetic: the storage type of its operands behind DequantizeLinear; Undefined when unknown
}

// Cost is the bill of a model.
type Cost struct {
	Layers     []Layer // in node order, subgraphs and functions included
	MACs       int64   // of the layers that could be counted; of If branches the dearer one
	Uncounted  int     // layers with MACs -1
	Approx     []string
	Params     int64 // elements of weight tensors, each tensor once
	ParamBytes int64 // their stored size
}

// Count computes the bill of m for the shapes its values have. Bind gives shapes to symbolic dimensions.
func Count(m *graph.Model) *Cost {
	c := &Cost{}
	c.MACs = c.graph(m.Main)
	for _, f := range m.Functions {
		if f.Body != nil {
			c.graph(f.Body)
		}
	}
	c.params(m)
	return c
}

// Share is the part of the counted MACs, from 0 to 1, for which pick is true; 0 for a model without MACs.
func (c *Cost) Share(pick func(Layer) bool) float64 {
	var some, all float64
	for _, l := range c.Layers {
		if l.MACs > 0 {
			all += float64(l.MACs)
			if pick(l) {
				some += float64(l.MACs)
			}
		}
	}
	if all == 0 {
		return 0
	}
	return some / all
}

// Int8 says whether a layer's arithmetic is in 8-bit integers.
func Int8(l Layer) bool { return l.Elem == onnx.Int8 || l.Elem == onnx.Uint8 }

// graph lists the layers of g and returns their sum.
func (c *Cost) graph(g *graph.Graph) int64 {
	var sum int64
	for n := range g.Nodes() {
		if subs := n.Subgraphs(); len(subs) > 0 {
			sum = add(sum, c.control(n, subs))
			continue
		}
		macs, why, counts := ofNode(n)
		if !counts {
			continue
		}
		c.Layers = append(c.Layers, Layer{Node: n, MACs: macs, Why: why, Elem: Arithmetic(n)})
		if macs < 0 {
			c.Uncounted++
			continue
		}
		sum = add(sum, macs)
	}
	return sum
}

// control is the cost of a node with subgraphs: the dearest branch of If, the trip count times the body of a loop.
func (c *Cost) control(n *graph.Node, subs []*graph.Graph) int64 {
	var most int64
	for _, s := range subs {
		most = max(most, c.graph(s))
	}
	if most == 0 || n.Is("If") {
		return most
	}
	trips, known := tripCount(n)
	if !known {
		c.Approx = append(c.Approx, n.Label()+": body counted once")
		return most
	}
	return mul(most, trips)
}

// tripCount is the number of iterations of a Loop with a constant bound or of a Scan over a known length.
func tripCount(n *graph.Node) (int64, bool) {
	switch {
	case n.Is("Loop"):
		if v := n.In(0); v != nil {
			if ints := v.Ints(); len(ints) == 1 && ints[0].Value >= 0 {
				return ints[0].Value, true
			}
		}
	case n.Is("Scan"):
		scans := int(n.Int("num_scan_inputs", 1))
		if v := n.In(n.NumIn() - scans); v != nil {
			if s := v.Shape(); s.Ranked && len(s.Dims) > 0 && s.Dims[0].Value >= 0 {
				return s.Dims[0].Value, true
			}
		}
	}
	return 0, false
}

// add and mul saturate: sizes come from a file.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func mul(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}
