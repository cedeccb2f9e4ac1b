package prune

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
)

// functionOf is the function that a unary operator computes of every element, nil when it is none or its parameters are not constant.
func functionOf(n *graph.Node) func(float64) float64 {
	if n.Domain() != "" {
		return nil
	}
	alpha := func(def float32) float64 { return float64(n.Float("alpha", def)) }
	switch n.Op() {
	case "Identity", "Dropout":
		return func(x float64) float64 { return x }
	case "Relu":
		return func(x float64) float64 { return math.Max(x, 0) }
	case "LeakyRelu":
		return leaky(alpha(0.01))
	case "Clip":
		return clipping(n)
	case "Sigmoid":
		return sigmoid
	case "HardSigmoid":
		a, b := alpha(0.2), float64(n.Float("beta", 0.5))
		return func(x float64) float64 { return math.Max(0, math.Min(1, a*x+b)) }
	case "HardSwish":
		return func(x float64) float64 { return x * math.Max(0, math.Min(1, x/6+0.5)) }
	case "Elu":
		a := alpha(1)
		return func(x float64) float64 {
			if x < 0 {
				return a * math.Expm1(x)
			}
			return x
		}
	case "Gelu":
		if n.String("approximate", "none") != "none" {
			return nil
		}
		return func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }
	case "Mish":
		return func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }
	case "Tanh":
		return math.Tanh
	case "Erf":
		return math.Erf
	case "Exp":
		return math.Exp
	case "Abs":
		return math.Abs
	case "Sqrt":
		return math.Sqrt
	case "Neg":
		return func(x float64) float64 { return -x }
	}
	return nil
}

func leaky(a float64) func(float64) float64 {
	return func(x float64) float64 {
		if x < 0 {
			return a * x
		}
		return x
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// clipping is Clip with constant bounds: attributes before opset 11, operands from then on.
func clipping(n *graph.Node) func(float64) float64 {
	low, high := math.Inf(-1), math.Inf(1)
	if n.Attr("min") != nil {
		low = float64(n.Float("min", 0))
	}
	if n.Attr("max") != nil {
		high = float64(n.Float("max", 0))
	}
	for i, bound := range []*float64{&low, &high} {
		v := n.In(i + 1)
		if v == nil {
			continue
		}
		w, ok := weights(v)
		if !ok || len(w.at) != 1 {
			return nil
		}
		*bound = w.at[0]
	}
	return func(x float64) float64 { return math.Max(low, math.Min(high, x)) }
}
