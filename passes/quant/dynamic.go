package quant

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// microsoft is the domain of ONNX Runtime's own operators.
const microsoft = "com.microsoft"

// dynamicForm is a recurrent weight as DynamicQuantizeLSTM takes it: transposed
// int8 codes [directions, columns, rows] and a scale for each direction and row.
type dynamicForm struct {
	source *graph.Value
	cells  cells // of the source
	scale  []float32
	sqnr   float64
}

func newDynamicForm(v *graph.Value, x []float32) dynamicForm {
	f := dynamicForm{source: v, cells: newCells(v.Const().Dims, 2, 3)}
	f.scale = f.cells.scales(x)
	f.sqnr = f.cells.quality(x, f.scale)
	return f
}

// inits adds codes, scales and zero points, in this order, to a graph.
func (f dynamicForm) inits(g *graph.Graph) [3]*graph.Value {
	d, name := f.source.Const().Dims, f.source.Name()
	rows := []int64{d[0], d[1]}
	return [3]*graph.Value{g.Init(name+"_q", f.tensor()), g.Init(name+"_scale", onnx.FromFloat32s(rows, f.scale)),
		g.Init(name+"_zero_point", onnx.From(rows, make([]int8, len(f.scale))))}
}

// tensor is the transposed initializer; its codes are computed when they are read.
func (f dynamicForm) tensor() *onnx.Tensor {
	t, c, scale := f.source.Const(), f.cells, f.scale
	dirs, rows, columns := int(t.Dims[0]), int(t.Dims[1]), int(t.Dims[2])
	return &onnx.Tensor{Type: onnx.Int8, Dims: []int64{t.Dims[0], t.Dims[2], t.Dims[1]}, Data: onnx.Lazy(elements(t.Dims), func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		out := make([]byte, len(x))
		c.each(func(cell, k int) {
			d, row, column := k/(rows*columns)%dirs, k/columns%rows, k%columns
			out[(d*columns+column)*rows+row] = byte(code(x[k], scale[cell]))
		})
		return out, nil
	})}
}

// dynamicName is the operator of ONNX Runtime that computes n in 8 bits.
func dynamicName(n *graph.Node) string { return "DynamicQuantize" + n.Op() }

// dynamicKey is a weight in 8 bits in the graph of its reader, where the initializers must lie.
type dynamicKey struct {
	source *graph.Value
	graph  *graph.Graph
}

// inputs are those of n with the weights in 8 bits, in the order of DynamicQuantizeLSTM:
// the operator's own eight, then scale and zero point of both weights. Weights
// that are in made already are not added again.
func (r *recurrence) inputs(n *graph.Node, made map[dynamicKey][3]*graph.Value) []*graph.Value {
	in := n.Ins()
	for len(in) < 8 {
		in = append(in, nil)
	}
	in = slices.Clip(in[:8])
	for i, f := range r.forms {
		k := dynamicKey{f.source, n.Graph()}
		v, ok := made[k]
		if !ok {
			v = f.inits(n.Graph())
		}
		if made != nil {
			made[k] = v
		}
		in[1+i] = v[0]
		in = append(in, v[1], v[2])
	}
	return in
}

// runDynamic turns the recurrent nodes that run in 8 bits into operators of ONNX Runtime.
func (p *planner) runDynamic() {
	made := map[dynamicKey][3]*graph.Value{}
	for _, r := range p.recurrent {
		if !r.int8() {
			continue
		}
		p.model.SetOpset(microsoft, 1)
		in := r.inputs(r.node, made)
		r.node.SetOp(dynamicName(r.node), microsoft)
		r.node.DropAttr("layout")
		for i, v := range in {
			if v != nil {
				r.node.SetIn(i, v)
			}
		}
		r.node.SetMeta(graph.PassKey, passName)
		removeUnused(r.w)
		removeUnused(r.r)
	}
}
