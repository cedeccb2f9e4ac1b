package precision

import (
	"context"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// converter decides the float type of every value and every use, and then edits the model.
type converter struct {
	env     *passes.Env
	opt     Options
	low     onnx.DataType
	model   *graph.Model
	profile *target.Profile

	vars  *variables
	made  map[*graph.Value]variable // the type that a float value is computed in
	order []*graph.Value            // the keys of made, in graph order
	read  map[graph.Use]variable    // the type that a use of a float value wants
	node  map[*graph.Node]variable  // of nodes with one variable
	nodes []*graph.Node             // the keys of node, in graph order
	uses  []graph.Use               // the keys of read, in graph order
	side  []bool                    // by variable: float32; nil until decided

	normalising map[*graph.Node]*region.Region // nodes of written-out normalisations, without the scale and shift at the end
	affine      map[*graph.Node]*region.Region // their scales and shifts
	elementwise map[*graph.Node]*region.Region // nodes of written-out activations
	together    map[*region.Region]variable    // of the written-out activations met so far
	exact       map[*graph.Node]bool           // nodes between a tensor and a comparison with itself
	seen        map[*graph.Value]observed      // on the samples
	constants   map[*graph.Value]*constant
	kept        map[*graph.Node]bool // float32 for a reason that was reported

	lowered, stored []*constant // constants that were converted, in graph order
	casts           int
}

func newConverter(env *passes.Env, p *target.Profile, low onnx.DataType, o Options) *converter {
	return &converter{
		env: env, opt: o, low: low, model: env.Model, profile: p, vars: newVariables(),
		made: map[*graph.Value]variable{}, read: map[graph.Use]variable{}, node: map[*graph.Node]variable{},
		normalising: map[*graph.Node]*region.Region{}, affine: map[*graph.Node]*region.Region{}, elementwise: map[*graph.Node]*region.Region{},
		together: map[*region.Region]variable{}, exact: map[*graph.Node]bool{}, constants: map[*graph.Value]*constant{}, kept: map[*graph.Node]bool{},
	}
}

// plan takes all decisions and edits nothing.
func (c *converter) plan(ctx context.Context) error {
	c.findGroups()
	if err := c.observe(ctx); err != nil {
		return err
	}
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		if g == c.model.Main {
			c.borders(g)
		}
		for n := range g.Nodes() {
			if err := c.declare(n); err != nil {
				return err
			}
		}
	}
	c.decide()
	return ctx.Err()
}

// borders fixes the types of the model's inputs and outputs.
func (c *converter) borders(g *graph.Graph) {
	fixed := float32Type
	if c.opt.IODtype == LowIO {
		fixed = lowType
	}
	for _, v := range g.Inputs() {
		border := fixed
		if v.IsInit() {
			border = float32Type // an override of a constant keeps its form
		}
		c.makes(v, border)
	}
	c.returns(g, func(int) variable { return fixed })
}

// returns fixes the types that the outputs of a graph want.
func (c *converter) returns(g *graph.Graph, of func(i int) variable) {
	for i := range g.Outputs() {
		if v := of(i); v != either {
			c.reads(graph.Use{Node: g.Return(), Index: i}, v)
		}
	}
}

// makes declares the variable of a float value that is computed, or fed.
func (c *converter) makes(v *graph.Value, t variable) {
	if v == nil || v.Elem() != onnx.Float || v.IsInit() && !v.IsInput() {
		return
	}
	c.made[v] = t
	c.order = append(c.order, v)
}

// reads declares the variable of a use of a float value.
func (c *converter) reads(u graph.Use, t variable) {
	if v := u.Value(); v == nil || v.Elem() != onnx.Float || t == either {
		return
	}
	c.read[u] = t
	c.uses = append(c.uses, u)
}

// declare gives the float inputs and outputs of a node their variables.
func (c *converter) declare(n *graph.Node) error {
	switch {
	case n.Is("Constant"):
		return nil
	case n.Is("Cast"):
		if ok, why := c.env.Select.Match(n); !ok {
			c.keep(n, why)
			return nil
		}
		c.makes(n.Out(0), c.vars.add(0)) // its input may be of either type
		return nil
	case n.Is("If", "Loop", "Scan") && c.bodies(n):
		return nil
	}
	why, err := c.reason(n)
	if err != nil {
		return err
	}
	if why != "" {
		c.detach(n)
		c.keep(n, why)
		return nil
	}
	t := c.typeOf(n)
	c.node[n] = t
	c.nodes = append(c.nodes, n)
	c.joinPair(n, t)
	for i := range n.Ins() {
		if c.admits(n, i) {
			c.reads(graph.Use{Node: n, Index: i}, t)
		} else {
			c.reads(graph.Use{Node: n, Index: i}, float32Type)
		}
	}
	for i, v := range n.Outs() {
		if c.computes(n, i) {
			c.makes(v, t)
		} else {
			c.makes(v, float32Type)
		}
	}
	return nil
}

// keep leaves a node in float32. Nodes without float tensors are not counted.
func (c *converter) keep(n *graph.Node, why string) {
	float := false
	for i, v := range n.Ins() {
		float = float || v != nil && v.Elem() == onnx.Float
		c.reads(graph.Use{Node: n, Index: i}, float32Type)
	}
	for _, v := range n.Outs() {
		float = float || v != nil && v.Elem() == onnx.Float
		c.makes(v, float32Type)
	}
	c.kept[n] = true
	for _, g := range n.Subgraphs() {
		c.fixBody(g)
	}
	if float {
		c.env.Skip(n, why)
	}
}

// fixBody keeps inputs and outputs of a body whose node stays as it is in float32.
func (c *converter) fixBody(g *graph.Graph) {
	for _, v := range g.Inputs() {
		c.makes(v, float32Type)
	}
	c.returns(g, func(int) variable { return float32Type })
}

// bodies joins what If, Loop and Scan pass in and out. It is false for forms of these operators that it does not follow.
func (c *converter) bodies(n *graph.Node) bool {
	if ok, _ := c.env.Select.Match(n); !ok {
		return false
	}
	switch n.Op() {
	case "If":
		return c.branches(n)
	case "Loop":
		body := n.Subgraph("body")
		return body != nil && c.iterations(n, body, 2, n.NumIn()-2)
	}
	body, scans := n.Subgraph("body"), int(n.Int("num_scan_inputs", 0))
	if body == nil || n.Version() < 9 || scans < 0 || scans > n.NumIn() {
		return false
	}
	return c.iterations(n, body, 0, n.NumIn()-scans)
}

// branches joins output i of an If with output i of both branches.
func (c *converter) branches(n *graph.Node) bool {
	then, other := n.Subgraph("then_branch"), n.Subgraph("else_branch")
	if then == nil || other == nil || len(then.Outputs()) != n.NumOut() || len(other.Outputs()) != n.NumOut() {
		return false
	}
	types := make([]variable, n.NumOut())
	for i := range types {
		types[i] = c.passed(n.Out(i), then.Outputs()[i], other.Outputs()[i])
		c.makes(n.Out(i), types[i])
	}
	c.returns(then, func(i int) variable { return types[i] })
	c.returns(other, func(i int) variable { return types[i] })
	return true
}

// iterations joins the states of a Loop (which begin behind two inputs and one output of the body) or a Scan with what
// enters and leaves the body, and what runs along an axis likewise.
func (c *converter) iterations(n *graph.Node, body *graph.Graph, lead, states int) bool {
	outLead := min(lead, 1)
	ins, outs := body.Inputs(), body.Outputs()
	if states < 0 || len(ins) != n.NumIn() || len(outs)-outLead != n.NumOut() || states > n.NumOut() {
		return false
	}
	types := make([]variable, len(outs))
	for i := range types {
		types[i] = float32Type
	}
	for i := range n.NumOut() {
		joined := []*graph.Value{n.Out(i), outs[outLead+i]}
		if i < states {
			joined = append(joined, n.In(lead+i), ins[lead+i])
		}
		types[outLead+i] = c.passed(joined...)
		c.makes(n.Out(i), types[outLead+i])
	}
	for i := lead; i < len(ins); i++ {
		t := c.passed(n.In(i), ins[i])
		if i-lead < states {
			t = types[outLead+i-lead]
		}
		c.reads(graph.Use{Node: n, Index: i}, t)
		c.makes(ins[i], t)
	}
	c.returns(body, func(i int) variable { return types[i] })
	return true
}

// passed is the variable of values that are handed on as they are: a new one when all are known to be float32.
func (c *converter) passed(values ...*graph.Value) variable {
	for _, v := range values {
		if v != nil && v.Elem() != onnx.Float {
			return float32Type
		}
	}
	return c.vars.add(0)
}

// joinPair gives DequantizeLinear the variable of the QuantizeLinear that it reads, so that both have one scale.
func (c *converter) joinPair(n *graph.Node, t variable) {
	if q := n.In(0); n.Is("DequantizeLinear") && q != nil && q.Def() != nil {
		if other, ok := c.node[q.Def()]; ok && q.Def().Is("QuantizeLinear") {
			c.vars.join(other, t)
		}
	}
}

// castCost is what a Cast costs, in units of an elementwise operator that stays float32.
const castCost = 3

// decide finds the assignment of types with the least cost.
func (c *converter) decide() {
	net := &network{}
	for range c.vars.parent {
		net.add()
	}
	for i := range c.vars.parent {
		if v := variable(i); i > 1 && c.vars.find(v) == v && c.vars.cost[i] > 0 {
			net.join(i, int(lowType), c.vars.cost[i], 0)
		}
	}
	readers := map[*graph.Value][]variable{}
	for _, u := range c.uses {
		readers[u.Value()] = append(readers[u.Value()], c.vars.find(c.read[u]))
	}
	for _, v := range c.order {
		c.connect(net, int(c.vars.find(c.made[v])), readers[v])
	}
	c.side = net.cut()
}

// connect charges one Cast when some reader wants another type than the one a value has, however many do.
func (c *converter) connect(net *network, from int, readers []variable) {
	if len(readers) == 1 {
		net.join(from, int(readers[0]), castCost, castCost)
		return
	}
	if len(readers) == 0 {
		return
	}
	down, up := net.add(), net.add()
	net.join(from, down, castCost, 0) // float32 to 16 bits
	net.join(up, from, castCost, 0)   // 16 bits to float32
	for _, r := range readers {
		net.join(down, int(r), unlimited, 0)
		net.join(int(r), up, unlimited, 0)
	}
}

// isLow says whether a variable was decided to be 16-bit.
func (c *converter) isLow(t variable) bool { return !c.side[c.vars.find(t)] }
