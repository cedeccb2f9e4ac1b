package opset

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// maxNamed is how many nodes one message names.
const maxNamed = 10

// soundNodes are the nodes that conform to the operator table. What does not
// conform before raising is not raising's business afterwards.
func soundNodes(m *graph.Model) map[*graph.Node]bool {
	sound := map[*graph.Node]bool{}
	for n := range m.All() {
		sound[n] = conforms(n) == nil
	}
	return sound
}

// check looks at the outcome: refused nodes, and nodes that conformed to the
// table (sound; nodes that were added are to conform) and no longer do. A nil
// map skips the second part.
func (r *raiser) check(sound map[*graph.Node]bool) error {
	for n := range r.m.All() {
		if ok, old := sound[n]; sound == nil || r.stuck[n] || old && !ok {
			continue
		}
		if err := conforms(n); err != nil {
			r.refuse(n, r.from, err.Error())
		}
	}
	if len(r.blocked) == 0 {
		return nil
	}
	e := diag.New("OP3301", fmt.Sprintf("the model cannot be raised from opset %d to opset %d", r.from, r.to))
	for i, b := range r.blocked {
		if i == maxNamed {
			e.With("node", fmt.Sprintf("and %d more", len(r.blocked)-i))
			break
		}
		e.With("node", b.text())
	}
	return e.Hinted("export the model again with opset %d or later", r.to)
}

func (b refusal) text() string {
	where := ""
	if f := b.node.Graph().Function(); f != nil {
		where = " in function " + f.Proto.Name
	}
	return fmt.Sprintf("%s (%s, opset %d)%s: %s", b.node.Label(), b.node.Op(), b.version, where, b.reason)
}

// conforms checks one ai.onnx node against the operator table: counts,
// attributes and element types. Operators that the table does not know conform.
func conforms(n *graph.Node) error {
	op, ok := schema.Lookup("", n.Op(), n.Version())
	switch {
	case n.Domain() != "" || !schema.Known("", n.Op()):
		return nil
	case !ok:
		return fmt.Errorf("the operator does not exist in opset %d", n.Version())
	case op.Deprecated:
		return fmt.Errorf("the operator is gone since opset %d", op.Since)
	}
	if err := op.CheckArity(present(n.Ins()), present(n.Outs())); err != nil {
		return err
	}
	if err := op.CheckAttrs(n.Attrs()); err != nil {
		return err
	}
	return op.CheckElems(elems(n.Ins()), elems(n.Outs()))
}

func present(values []*graph.Value) []bool {
	out := make([]bool, len(values))
	for i, v := range values {
		out[i] = v != nil
	}
	return out
}

func elems(values []*graph.Value) []onnx.DataType {
	out := make([]onnx.DataType, len(values))
	for i, v := range values {
		if v != nil {
			out[i] = v.Elem()
		}
	}
	return out
}
