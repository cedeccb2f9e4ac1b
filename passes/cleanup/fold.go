package cleanup

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// defaultLimit is the largest constant that folding may add.
const defaultLimit passes.Size = 4 << 10

// maxGrowth bounds what all results of one run may add to the file, in units of the limit for one.
const maxGrowth = 16

// FoldOptions of the fold pass.
type FoldOptions struct {
	Limit passes.Size `help:"largest constant that folding may add to the file; results that replace constants of at least their size are always allowed"`
}

// Fold computes what does not depend on the inputs of the model.
var Fold = passes.New(passes.Info{
	Name:    "fold",
	Summary: "compute what does not depend on the inputs of the model",
	Doc: `Constant folding. Nodes whose inputs are constants are executed once, all in one session of the runtime, and their
results become initializers; without a runtime library the common ones are computed here. Shape arithmetic is folded as far
as shapes are known, also when the tensors themselves are not (Shape of a tensor of fixed size).

Left alone: random operators, QuantizeLinear and DequantizeLinear (int8 weights must stay int8), weights stored as codes and
tables, nodes with subgraphs,
operators of other domains, results larger than the limit that do not replace constants of that size, and nodes that
compute an output of the graph directly.`,
	Phase: passes.Cleanup,
	Needs: []string{"constants"},
}, FoldOptions{Limit: defaultLimit}, fold)

func fold(ctx context.Context, env *passes.Env, o FoldOptions) error {
	f := &folding{env: env, limit: int64(o.Limit), coded: coded(env.Model), resolved: map[*graph.Node]bool{}, waits: map[*graph.Node]bool{}, content: map[*graph.Value]*onnx.Tensor{}, budget: map[*graph.Value]int64{}, charged: map[*graph.Value]int64{}}
	for _, g := range scopes(env.Model) {
		for n := range g.Nodes() {
			f.plan(n)
		}
	}
	if len(f.resolved) == 0 {
		return nil
	}
	if err := f.execute(ctx); err != nil {
		return err
	}
	f.apply()
	return nil
}

// folding is one run of the pass.
type folding struct {
	env      *passes.Env
	limit    int64
	coded    map[*graph.Node]bool          // stays: see coded
	resolved map[*graph.Node]bool          // nodes whose outputs need no execution of the model
	content  map[*graph.Value]*onnx.Tensor // what is known of the outputs of resolved nodes
	budget   map[*graph.Value]int64        // bytes of constants that go when the value goes
	charged  map[*graph.Value]int64        // what the value adds to the file, in grown
	grown    int64                         // bytes that all results add to the file
	pending  []*graph.Node                 // resolved nodes that must be executed, in order
	waits    map[*graph.Node]bool          // the same as a set
}

// plan decides about one node; nodes before it are decided.
func (f *folding) plan(n *graph.Node) {
	if n.Is("Constant") || feedsOutput(n) {
		return
	}
	if weight, stays := f.coded[n]; stays {
		if weight {
			f.env.Skip(n, "a weight that is stored as codes stays so")
		}
		return
	}
	if tensors := knownOutputs(n); tensors != nil {
		f.resolved[n] = true
		for i, t := range tensors {
			if t != nil {
				f.content[n.Out(i)] = t
			}
		}
		return
	}
	if n.NumIn() == 0 || !f.constantInputs(n) {
		return
	}
	if reason := f.refuses(n); reason != "" {
		f.env.Skip(n, reason)
		return
	}
	f.resolved[n] = true
	f.pending = append(f.pending, n)
	f.waits[n] = true
}

func feedsOutput(n *graph.Node) bool {
	for _, v := range n.Outs() {
		if v != nil && v.IsOutput() {
			return true
		}
	}
	return false
}

// knownOutputs are the contents of all outputs that are read; nil when one is not known from shapes.
func knownOutputs(n *graph.Node) []*onnx.Tensor {
	out := make([]*onnx.Tensor, n.NumOut())
	some := false
	for i, v := range n.Outs() {
		if v == nil || v.NumUses() == 0 {
			continue
		}
		if out[i] = known(v); out[i] == nil {
			return nil
		}
		some = true
	}
	if !some {
		return nil
	}
	return out
}

// constantInputs reports whether every input is a constant or an output of a resolved node.
func (f *folding) constantInputs(n *graph.Node) bool {
	for _, v := range n.Ins() {
		if v != nil && constant(v) == nil && (v.Def() == nil || !f.resolved[v.Def()]) {
			return false
		}
	}
	return true
}

// refuses is the reason why a node with constant inputs is not folded, empty when it is.
func (f *folding) refuses(n *graph.Node) string {
	if reason := f.forbids(n); reason != "" {
		return reason
	}
	return f.outgrows(n)
}

// forbids is the reason why an operator is never folded.
func (f *folding) forbids(n *graph.Node) string {
	switch {
	case n.Domain() != "":
		return "operators of other domains are not folded"
	case len(n.Subgraphs()) > 0:
		return "nodes with subgraphs are not folded"
	case random(n):
		return "random operators are not folded"
	case n.Is("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"):
		return "quantized constants stay quantized"
	}
	for _, v := range append(n.Ins(), n.Outs()...) {
		if v != nil && !executable(f.elem(v)) {
			return "an element type cannot be computed with, or is not known"
		}
	}
	return ""
}

func (f *folding) elem(v *graph.Value) onnx.DataType {
	if t := constant(v); t != nil {
		return t.Type
	}
	return v.Elem()
}

func random(n *graph.Node) bool {
	return n.Is("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli") ||
		n.Is("Dropout") && !inference(n)
}

func executable(t onnx.DataType) bool {
	switch t {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.Bool, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64,
		onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
		return true
	}
	return false
}

// outgrows compares the results with the constants that become unused.
func (f *folding) outgrows(n *graph.Node) string {
	freed, refund := int64(0), int64(0)
	for _, v := range n.Ins() {
		freed += f.frees(v)
		if v != nil && v.NumUses() == 1 {
			refund += f.charged[v]
		}
	}
	size := int64(0)
	for _, v := range n.Outs() {
		if v == nil || v.NumUses() == 0 {
			continue
		}
		b, ok := bytesOf(v)
		if !ok || size+b < size {
			return "the size of the result is not known"
		}
		size += b
	}
	growth := max(0, size-freed)
	grown := f.grown + growth - refund
	if growth > 0 && (size > f.limit || grown > maxGrowth*f.limit) {
		return "the result would be larger than the constants it replaces"
	}
	f.grown = grown
	for _, v := range n.Outs() {
		if v != nil && v.NumUses() == 1 {
			f.budget[v], f.charged[v] = freed, growth
			break
		}
	}
	return ""
}

// frees is how many bytes go with the value when one reader of it goes: the
// share of this reader when all readers may be folded.
func (f *folding) frees(v *graph.Value) int64 {
	if v == nil {
		return 0
	}
	t := constant(v)
	if t == nil {
		return f.budget[v]
	}
	if t.Data == nil {
		return 0
	}
	if v.NumUses() == 1 {
		return t.Data.Len()
	}
	if v.NumUses() > maxShares {
		return 0
	}
	for _, u := range v.Uses() {
		if u.IsReturn() || f.forbids(u.Node) != "" || !f.constantInputs(u.Node) {
			return 0
		}
	}
	return t.Data.Len() / int64(v.NumUses())
}

// maxShares bounds the readers that are looked at, so that a constant with many readers does not cost time at each of them.
const maxShares = 16

// frontier are the values of nodes that one of the others reads.
func frontier(nodes []*graph.Node, others func(*graph.Node) bool) []*graph.Value {
	var out []*graph.Value
	for _, n := range nodes {
		for _, v := range n.Outs() {
			if v == nil {
				continue
			}
			for _, u := range v.Uses() {
				if others(u.Node) {
					out = append(out, v)
					break
				}
			}
		}
	}
	return out
}

// execute computes the pending nodes: in the runtime, else here. Nodes that
// cannot be computed are taken back.
func (f *folding) execute(ctx context.Context) error {
	if len(f.pending) == 0 {
		return nil
	}
	if f.env.Runner != nil {
		results, err := f.session(ctx)
		if err == nil {
			for v, t := range results {
				f.content[v] = t
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.env.Note("OP8051", "the runtime could not fold constants in one go; the common operators are folded without it",
			"cause", err.Error())
	}
	f.compute()
	return nil
}

// compute evaluates pending nodes without a runtime, as far as evaluate goes.
func (f *folding) compute() {
	for _, n := range f.pending {
		ins := make([]*onnx.Tensor, n.NumIn())
		missing := false
		for i, v := range n.Ins() {
			if v == nil {
				continue
			}
			if ins[i] = constant(v); ins[i] == nil {
				ins[i] = f.content[v]
			}
			missing = missing || ins[i] == nil
		}
		var t *onnx.Tensor
		if !missing && n.Out(0) != nil && onlyFirst(n) {
			t = evaluate(n, ins)
		}
		if t == nil {
			delete(f.resolved, n)
			f.env.Skip(n, "no runtime library to compute it with")
			continue
		}
		f.content[n.Out(0)] = t
	}
}

// apply puts initializers in the place of the frontier and removes what nothing reads any more.
func (f *folding) apply() {
	var nodes []*graph.Node
	for _, g := range scopes(f.env.Model) {
		for n := range g.Nodes() {
			if f.resolved[n] {
				nodes = append(nodes, n)
			}
		}
	}
	made := map[*graph.Value]*graph.Value{}
	kept := frontier(nodes, func(n *graph.Node) bool { return !f.resolved[n] })
	for _, v := range kept {
		t := f.content[v]
		if t == nil {
			continue
		}
		init := v.Graph().Init(v.Name(), t)
		made[v] = init
		v.ReplaceUses(init, func(u graph.Use) bool { return !f.resolved[u.Node] })
	}
	removed := 0
	for i := len(nodes) - 1; i >= 0; i-- {
		if n := nodes[i]; !n.Removed() && unused(n) {
			ins := n.Ins()
			n.Remove()
			for _, v := range ins {
				if v != nil && v.Def() == nil {
					release(v)
				}
			}
			removed++
		}
	}
	for _, v := range kept {
		if made[v] != nil && v.Removed() {
			made[v].Rename(v.Name())
		}
	}
	count(f.env, "nodes folded", removed)
}

func size(n int64) string {
	if n < 10<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/1024)
}
