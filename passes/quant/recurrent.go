package quant

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// recurrent are the operators that carry a state from step to step.
var recurrent = []string{"LSTM", "GRU", "RNN"}

// recurrence is a recurrent node and what is decided about it.
type recurrence struct {
	node   *graph.Node
	w, r   *graph.Value   // weights of the input and of the state, [directions, gates*hidden, input or hidden]; nil when computed
	reason string         // why its arithmetic stays float
	forms  [2]dynamicForm // of the weights, when it runs in 8 bits
	output float64        // dB of its output in 8 bits, measured; NaN when it was not
}

// leastRecurrent is the least SQNR in dB of the output of a recurrent operator in 8 bits.
const leastRecurrent = 30

// int8 says whether the operator quantizes its activations itself and multiplies in 8 bits.
func (r *recurrence) int8() bool { return r.reason == "" }

// findRecurrent lists the recurrent nodes, with the reasons that can be seen without samples.
func (p *planner) findRecurrent() error {
	for n := range p.model.All() {
		if !n.Is(recurrent...) || firstOutput(n) < 0 {
			continue
		}
		r := &recurrence{node: n, output: math.NaN()}
		if v := n.In(1); v != nil && v.Const() != nil {
			r.w = v
		}
		if v := n.In(2); v != nil && v.Const() != nil {
			r.r = v
		}
		if r.reason = p.judgeRecurrent(r); r.reason == "" {
			if err := r.code(); err != nil {
				return err
			}
		}
		p.recurrent = append(p.recurrent, r)
	}
	return nil
}

// judgeRecurrent is why a recurrent node computes in float; empty when it need not.
func (p *planner) judgeRecurrent(r *recurrence) string {
	n := r.node
	why := p.excluded(n)
	switch {
	case why != "":
		return why
	case inFunction(p.model, n.Graph()):
		return "inside a model-local function"
	case !p.profile.RunsDynamic(n.Op()):
		return n.Op() + " has no 8-bit kernel in " + p.profile.Title
	case n.Int("layout", 0) != 0:
		return "batch comes before sequence (layout 1)"
	case r.w == nil || r.r == nil:
		return "the weights are computed"
	case r.w.Const().Type != onnx.Float || r.r.Const().Type != onnx.Float:
		return r.w.Const().Type.String() + " weights"
	case len(r.w.Const().Dims) != 3 || len(r.r.Const().Dims) != 3 || elements(r.w.Const().Dims) == 0 || elements(r.r.Const().Dims) == 0:
		return "the weights are not of rank 3"
	case r.r.Const().Dims[2] < p.profile.Quant.Small.Hidden:
		return "the hidden size is so small that quantizing activations at run time costs more than it saves"
	}
	return ""
}

// code computes the 8-bit forms of the weights.
func (r *recurrence) code() error {
	for i, v := range []*graph.Value{r.w, r.r} {
		x, err := v.Const().Float32s()
		if err != nil {
			return err
		}
		if !finiteAll(x) {
			r.reason = "the weight holds NaN or infinity"
			return nil
		}
		r.forms[i] = newDynamicForm(v, x)
	}
	return nil
}

// damage observes the operator in 8 bits; nil when it stays float.
func (r *recurrence) damage() *damage {
	if !r.int8() {
		return nil
	}
	k := firstOutput(r.node)
	return &damage{output: r.node.Out(k).Name(), build: func(at *graph.Cursor, n *graph.Node) *graph.Value {
		n.Graph().Model().SetOpset(microsoft, 1)
		twin := at.OpN(dynamicName(n), microsoft, n.Out(k).Name()+"_damage", k+1, n.Attrs(), r.inputs(n, nil)...)
		return twin.Out(k)
	}}
}

// decide takes the measured output into account.
func (r *recurrence) decide() {
	if r.int8() && r.output < leastRecurrent {
		r.reason = "8 bits cost too much of its output"
	}
}

// firstOutput is the index of the first output of n that is there, -1 when there is none.
func firstOutput(n *graph.Node) int {
	for i := range n.NumOut() {
		if n.Out(i) != nil {
			return i
		}
	}
	return -1
}
