package region

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Function is the scalar function that leads from the elements of in to those
// of out through elementwise operators and constants of one element; nil when
// something else lies between, or more than 32 operators.
func Function(in, out *graph.Value) func(x float64) float64 {
	p := &program{at: map[*graph.Value]int{in: 0}}
	end, ok := p.compile(out)
	if !ok {
		return nil
	}
	steps := p.steps
	return func(x float64) float64 {
		values := make([]float64, len(steps)+1)
		values[0] = x
		for i, s := range steps {
			values[i+1] = s(values)
		}
		return values[end]
	}
}

// program computes one value a step from those before it; value 0 is the argument.
type program struct {
	at    map[*graph.Value]int
	steps []func(values []float64) float64
}

// compile adds the steps that v needs and returns the index of its value.
func (p *program) compile(v *graph.Value) (int, bool) {
	if i, ok := p.at[v]; ok {
		return i, i >= 0
	}
	p.at[v] = -1 // until it is known: graphs that loop are refused elsewhere
	if c, ok := scalar(v); ok {
		return p.push(v, func([]float64) float64 { return c }), true
	}
	n := def(v)
	if n == nil || n.Domain() != "" || n.Out(0) != v || n.In(0) == nil || len(p.steps) > 2*reach {
		return 0, false
	}
	a, ok := p.compile(n.In(0))
	if !ok {
		return 0, false
	}
	if f := oneOperand(n); f != nil {
		return p.push(v, func(x []float64) float64 { return f(x[a]) }), true
	}
	g := twoOperands[n.Op()]
	if g == nil || n.NumIn() != 2 || n.In(1) == nil {
		return 0, false
	}
	b, ok := p.compile(n.In(1))
	if !ok {
		return 0, false
	}
	return p.push(v, func(x []float64) float64 { return g(x[a], x[b]) }), true
}

func (p *program) push(v *graph.Value, step func([]float64) float64) int {
	p.steps = append(p.steps, step)
	p.at[v] = len(p.steps)
	return p.at[v]
}

var twoOperands = map[string]func(a, b float64) float64{
	"Add": func(a, b float64) float64 { return a + b },
	"Sub": func(a, b float64) float64 { return a - b },
	"Mul": func(a, b float64) float64 { return a * b },
	"Div": func(a, b float64) float64 { return a / b },
	"Pow": math.Pow,
	"Max": func(a, b float64) float64 { return max(a, b) },
	"Min": func(a, b float64) float64 { return min(a, b) },
	"Sum": func(a, b float64) float64 { return a + b },
}

// plain are functions without attributes.
var plain = map[string]func(float64) float64{
	"Identity":   func(x float64) float64 { return x },
	"Dropout":    func(x float64) float64 { return x },
	"Relu":       func(x float64) float64 { return max(x, 0) },
	"Sigmoid":    logistic,
	"HardSwish":  hardSwish,
	"Tanh":       math.Tanh,
	"Erf":        math.Erf,
	"Exp":        math.Exp,
	"Log":        math.Log,
	"Neg":        func(x float64) float64 { return -x },
	"Abs":        math.Abs,
	"Sqrt":       math.Sqrt,
	"Reciprocal": func(x float64) float64 { return 1 / x },
	"Softplus":   softplus,
	"Softsign":   func(x float64) float64 { return x / (1 + math.Abs(x)) },
	"Mish":       mish,
}

// oneOperand is the function of an operator with one computed input; nil for others.
func oneOperand(n *graph.Node) func(float64) float64 {
	if f := plain[n.Op()]; f != nil {
		return f
	}
	switch n.Op() {
	case "Cast":
		if to := onnx.DataType(n.Int("to", 0)); to == onnx.Float || to == onnx.Float16 || to == onnx.BFloat16 || to == onnx.Double {
			return plain["Identity"]
		}
	case "Clip":
		if lo, hi, ok := clip(n); ok {
			return func(x float64) float64 { return min(max(x, lo), hi) }
		}
	case "Gelu":
		if n.String("approximate", "none") == "tanh" {
			return geluTanh
		}
		return gelu
	case "Swish":
		alpha := float64(n.Float("alpha", 1))
		return func(x float64) float64 { return x * logistic(alpha*x) }
	case "HardSigmoid":
		alpha, beta := float64(n.Float("alpha", 0.2)), float64(n.Float("beta", 0.5))
		return func(x float64) float64 { return min(max(alpha*x+beta, 0), 1) }
	case "LeakyRelu":
		alpha := float64(n.Float("alpha", 0.01))
		return func(x float64) float64 { return max(x, 0) + alpha*min(x, 0) }
	}
	return nil
}

// clip are the limits of a Clip, infinite where it has none; false when one is computed.
func clip(n *graph.Node) (lo, hi float64, ok bool) {
	lo, hi, ok = math.Inf(-1), math.Inf(1), true
	if n.Attr("min") != nil || n.Attr("max") != nil {
		return float64(n.Float("min", float32(lo))), float64(n.Float("max", float32(hi))), true
	}
	if n.In(1) != nil {
		lo, ok = scalar(n.In(1))
	}
	if ok && n.In(2) != nil {
		hi, ok = scalar(n.In(2))
	}
	return lo, hi, ok
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func mish(x float64) float64 { return x * math.Tanh(softplus(x)) }

func hardSwish(x float64) float64 { return x * min(max(x/6+0.5, 0), 1) }

func gelu(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}
