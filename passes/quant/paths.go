package quant

import "github.com/onnxpass/onnxpass/graph"

// paths keeps what placement found out about data movement, so that a tensor
// with many readers is looked at once. It holds while no use is added to the
// wanted ones.
type paths struct {
	travels  map[reach]bool
	eightBit map[*graph.Value]bool
	sources  map[*graph.Value][]*tensor
}

// reach is a value as seen from a reader depth steps of data movement away.
type reach struct {
	value *graph.Value
	depth int
}

func newPaths() *paths {
	return &paths{map[reach]bool{}, map[*graph.Value]bool{}, map[*graph.Value][]*tensor{}}
}
