package probe

import "github.com/onnxpass/onnxpass/graph"

// saturating functions bound their result, so that errors of different layers
// no longer add up behind them.
var saturating = []string{"Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "Tanh"}

// passing are operators that hand elements on, in some order.
var passing = []string{"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout", "Cast"}

// before is the input of the saturating function that computes the output v,
// possibly moved or cast; nil when there is none.
func before(v *graph.Value) *graph.Value {
	for range 8 {
		n := v.Def()
		switch {
		case n == nil || n.In(0) == nil || n.In(0).Const() != nil:
			return nil
		case n.Is(saturating...):
			return n.In(0)
		case !n.Is(passing...):
			return nil
		}
		v = n.In(0)
	}
	return nil
}

// logits says whether v looks like the scores of classes: computed by a
// product with the features, or the operand of a softmax.
func logits(v *graph.Value) bool {
	for _, u := range v.Uses() {
		if u.Node.Is("Softmax", "LogSoftmax") {
			return true
		}
	}
	for range 8 {
		n := v.Def()
		switch {
		case n == nil || n.In(0) == nil:
			return false
		case n.Is("Gemm", "MatMul"):
			return true
		case !n.Is(passing...) && !n.Is("Add"):
			return false
		}
		if v = n.In(0); v.Const() != nil && n.In(1) != nil {
			v = n.In(1)
		}
	}
	return false
}

// watch lists what is compared: the outputs of the model, and behind them what
// saturating functions in front of outputs read. rank is, for each output, the
// one of these values in which errors add up best.
func watch(m *graph.Model) (values []*graph.Value, rank []int) {
	values = m.Main.Outputs()
	index := map[*graph.Value]int{}
	for i, v := range values {
		index[v] = i
	}
	for i, v := range m.Main.Outputs() {
		rank = append(rank, i)
		w := before(v)
		if w == nil || w.Graph() != m.Main || w.IsInput() {
			continue
		}
		if _, ok := index[w]; !ok {
			index[w] = len(values)
			values = append(values, w)
		}
		rank[i] = index[w]
	}
	return values, rank
}
