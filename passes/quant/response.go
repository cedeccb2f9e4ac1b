package quant

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
)

// response is the function of x that all readers of v see through an
// activation made of a few elementwise operators, such as x * sigmoid(x); nil
// when v has other readers. An error in v counts as it passes this function:
// what SiLU squashes to zero needs no codes.
func response(v *graph.Value) func(x float64) float64 {
	end := activationEnd(v)
	if end == nil {
		return nil
	}
	return compile(end, v, 0)
}

// activationEnd is the first tensor behind v through which everything read
// from v passes, when it is an elementwise function of v alone.
func activationEnd(v *graph.Value) *graph.Value {
	for _, u := range v.Uses() {
		if u.IsReturn() {
			return nil
		}
	}
	inside := map[*graph.Node]bool{}
	for n := firstReader(v); n != nil && len(inside) < 12; n = n.Next() {
		if !readsFrom(n, v, inside) {
			continue
		}
		if n.Out(0) == nil || compile(n.Out(0), v, 0) == nil {
			return nil
		}
		inside[n] = true
		front := n.Out(0)
		if closed(v, front, inside) {
			return front
		}
	}
	return nil
}

// firstReader is the earliest node of the graph that reads v.
func firstReader(v *graph.Value) *graph.Node {
	readers := map[*graph.Node]bool{}
	for _, u := range v.Uses() {
		readers[u.Node] = true
	}
	if v.Def() == nil {
		return nil
	}
	for n, i := v.Def().Next(), 0; n != nil && i < 64; n, i = n.Next(), i+1 {
		if readers[n] {
			return n
		}
	}
	return nil
}

// readsFrom says whether n reads v or the result of a node inside.
func readsFrom(n *graph.Node, v *graph.Value, inside map[*graph.Node]bool) bool {
	for _, in := range n.Ins() {
		if in != nil && (in == v || in.Def() != nil && inside[in.Def()]) {
			return true
		}
	}
	return false
}

// closed says whether nothing but front leaves the nodes inside.
func closed(v, front *graph.Value, inside map[*graph.Node]bool) bool {
	within := func(w *graph.Value) bool {
		for _, u := range w.Uses() {
			if u.IsReturn() || !inside[u.Node] {
				return false
			}
		}
		return true
	}
	if !within(v) {
		return false
	}
	for n := range inside {
		if out := n.Out(0); out != front && !within(out) {
			return false
		}
	}
	return true
}

// compile builds the scalar function from v to w; nil when an operator on the way is not elementwise.
func compile(w, v *graph.Value, depth int) func(float64) float64 {
	if w == v {
		return func(x float64) float64 { return x }
	}
	if c, ok := scalar(w); ok {
		return func(float64) float64 { return c }
	}
	n := w.Def()
	if n == nil || n.Domain() != "" || depth > 12 || n.In(0) == nil {
		return nil
	}
	a := compile(n.In(0), v, depth+1)
	if a == nil {
		return nil
	}
	if f := oneOperand(n); f != nil {
		return func(x float64) float64 { return f(a(x)) }
	}
	f := twoOperands[n.Op()]
	if f == nil || n.NumIn() != 2 || n.In(1) == nil {
		return nil
	}
	b := compile(n.In(1), v, depth+1)
	if b == nil {
		return nil
	}
	return func(x float64) float64 { return f(a(x), b(x)) }
}

var twoOperands = map[string]func(a, b float64) float64{
	"Add": func(a, b float64) float64 { return a + b },
	"Sub": func(a, b float64) float64 { return a - b },
	"Mul": func(a, b float64) float64 { return a * b },
	"Div": func(a, b float64) float64 { return a / b },
}

// oneOperand is the elementwise function of an operator with one tensor input; nil for others.
func oneOperand(n *graph.Node) func(float64) float64 {
	switch n.Op() {
	case "Identity", "Dropout":
		return func(a float64) float64 { return a }
	case "Relu":
		return func(a float64) float64 { return max(a, 0) }
	case "Clip":
		c := clipBounds(n)
		return func(a float64) float64 { return min(max(a, c.Lo), c.Hi) }
	case "Sigmoid":
		return func(a float64) float64 { return 1 / (1 + math.Exp(-a)) }
	case "HardSigmoid":
		alpha, beta := float64(n.Float("alpha", 0.2)), float64(n.Float("beta", 0.5))
		return func(a float64) float64 { return min(max(alpha*a+beta, 0), 1) }
	case "HardSwish":
		return func(a float64) float64 { return a * min(max(a/6+0.5, 0), 1) }
	case "Tanh":
		return math.Tanh
	case "Erf":
		return math.Erf
	case "LeakyRelu":
		alpha := float64(n.Float("alpha", 0.01))
		return func(a float64) float64 { return max(a, 0) + alpha*min(a, 0) }
	}
	return nil
}
