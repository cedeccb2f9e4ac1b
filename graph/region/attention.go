package region

import "github.com/onnxpass/onnxpass/graph"

// fusedAttentions are the operators that hold a whole attention.
var fusedAttentions = []string{"Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention", "PackedAttention"}

// softmaxes finds Softmax operators, exp(x) / sum(exp(x)) and x - log(sum(exp(x))), with or without the maximum taken off.
func (f *finder) softmaxes() {
	for n := range f.graph.Nodes() {
		if n.Out(0) == nil || n.In(0) == nil {
			continue
		}
		switch {
		case n.Is("Softmax", "LogSoftmax"):
			f.add(&Region{Kind: Softmax, Form: "fused", In: n.In(0), Out: n.Out(0)}, map[*graph.Node]bool{n: true})
		case n.Is("Div"):
			f.softmax(n, def(n.In(0)), def(n.In(1)), nil)
		case n.Is("Sub"):
			if log := def(n.In(1)); log != nil && log.Is("Log") {
				if sum := def(log.In(0)); sum != nil && def(sum.In(0)) != nil && def(sum.In(0)).In(0) == n.In(0) {
					f.softmax(n, def(sum.In(0)), sum, log)
				}
			}
		}
	}
}

// softmax adds the region that ends in n, when e is an exponential and s its sum.
func (f *finder) softmax(n, e, s, log *graph.Node) {
	if e == nil || s == nil || !e.Is("Exp") || !s.Is("ReduceSum") || s.In(0) != e.Out(0) || e.In(0) == nil {
		return
	}
	nodes, in := map[*graph.Node]bool{n: true, e: true, s: true}, e.In(0)
	if log != nil {
		nodes[log] = true
	}
	if d := def(in); d != nil && d.Is("Sub") && d.In(0) != nil && d.In(1) != nil {
		if m := def(d.In(1)); m != nil && m.Is("ReduceMax") && m.In(0) == d.In(0) {
			nodes[d], nodes[m], in = true, true, d.In(0)
		}
	}
	f.add(&Region{Kind: Softmax, Form: "decomposed", In: in, Out: n.Out(0)}, nodes)
}

// scoreOps may lie between the product of queries and keys and the softmax;
// probabilityOps between the softmax and the product with values.
var (
	scoreOps = []string{
		"Add", "Sub", "Mul", "Div", "Where", "Cast", "Reshape", "Transpose", "Identity", "Clip", "Max", "Min", "Tanh",
		"Squeeze", "Unsqueeze", "Slice", "Expand",
	}
	probabilityOps = []string{"Cast", "Dropout", "Identity", "Reshape", "Transpose", "Mul", "Where", "Squeeze", "Unsqueeze"}
)

// attentions finds MatMul > scale, mask > softmax > MatMul, and the operators that hold it.
func (f *finder) attentions() {
	for n := range f.graph.Nodes() {
		if operator(n, fusedAttentions...) && n.Out(0) != nil && n.In(0) != nil {
			f.add(&Region{Kind: Attention, Form: "fused", In: n.In(0), Out: n.Out(0)}, map[*graph.Node]bool{n: true})
		}
	}
	for _, s := range f.m.list {
		if s.Kind == Softmax {
			f.attention(s)
		}
	}
}

// attention adds the attention around a softmax.
func (f *finder) attention(s *Region) {
	w := &core{nodes: map[*graph.Node]bool{}, tried: map[*graph.Node]bool{}}
	for _, n := range s.Nodes {
		w.nodes[n] = true
	}
	scores := w.scores(s.In, 0)
	if scores == nil {
		return
	}
	values := w.values(s.Out, 0)
	if values == nil {
		return
	}
	masked := false
	for n := range w.nodes {
		masked = masked || n != scores && n != values && outsider(n, w.nodes)
	}
	f.add(&Region{Kind: Attention, Form: "decomposed", In: scores.In(0), Out: values.Out(0), Scores: scores, Values: values, Masked: masked}, w.nodes)
}

// core gathers the nodes of an attention around its softmax.
type core struct{ nodes, tried map[*graph.Node]bool }

// outsider says whether an elementwise n reads a computed tensor from elsewhere: not a shape or a bound.
func outsider(n *graph.Node, nodes map[*graph.Node]bool) bool {
	if !n.Is("Add", "Sub", "Mul", "Div", "Where", "Max", "Min") {
		return false
	}
	for _, v := range computed(n) {
		if v.Def() == nil || !nodes[v.Def()] {
			return true
		}
	}
	return false
}

// product says whether n multiplies two computed tensors.
func product(n *graph.Node) bool {
	return n.Is("MatMul", "Einsum") && len(computed(n)) == 2 && n.In(0) != nil && n.In(1) != nil
}

// scores walks back from the softmax to a product of two computed tensors, and
// adds the nodes of the way. Where tensors join it tries one after the other.
func (w *core) scores(v *graph.Value, depth int) *graph.Node {
	n := def(v)
	switch {
	case n == nil || depth > reach || w.tried[n]:
		return nil
	case product(n):
		w.nodes[n] = true
		return n
	case !n.Is(scoreOps...):
		return nil
	}
	w.tried[n] = true
	for _, in := range computed(n) {
		if found := w.scores(in, depth+1); found != nil {
			w.nodes[n] = true
			return found
		}
	}
	return nil
}

// values walks on from the probabilities to their product with the values.
func (w *core) values(v *graph.Value, depth int) *graph.Node {
	if depth > reach/2 {
		return nil
	}
	for _, u := range v.Uses() {
		switch n := u.Node; {
		case u.IsReturn() || n.Out(0) == nil || w.tried[n]:
		case product(n):
			w.nodes[n] = true
			return n
		case n.Is(probabilityOps...):
			w.tried[n] = true
			if found := w.values(n.Out(0), depth+1); found != nil {
				w.nodes[n] = true
				return found
			}
		}
	}
	return nil
}
