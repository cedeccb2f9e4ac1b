package quant

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// tensor is a value that gets a QuantizeLinear > DequantizeLinear pair.
type tensor struct {
	value     *graph.Value
	readers   []graph.Use // which read the dequantized form
	reads     map[graph.Use]bool
	symmetric bool // an operand of an attention product or of a transposed convolution
	repeat    bool // behind data movement: parameters come from the tensor before it
	written   bool // the target fuses the QuantizeLinear into the operator that computes the value

	parent *tensor // of the union-find forest: tensors that share one scale
	chosen estimate
}

// root is the representative of the tensors that share t's scale.
func (t *tensor) root() *tensor {
	for t.parent != nil {
		t = t.parent
	}
	return t
}

// join makes two tensors share one scale. The earlier one represents both.
func (t *tensor) join(o *tensor) {
	if a, b := t.root(), o.root(); a != b {
		b.parent = a
	}
}

// read adds a reader once.
func (t *tensor) read(u graph.Use) {
	if t.reads[u] {
		return
	}
	if t.reads == nil {
		t.reads = map[graph.Use]bool{}
	}
	t.reads[u] = true
	t.readers = append(t.readers, u)
}

// tensor is the entry of v, made at the first call.
func (p *planner) tensor(v *graph.Value) *tensor {
	t := p.byValue[v]
	if t == nil {
		t = &tensor{value: v}
		p.byValue[v] = t
		p.tensors = append(p.tensors, t)
	}
	return t
}

// place decides which tensors carry a pair and who reads it. It first lists
// the uses that want 8 bits, then finds the tensor for each.
func (p *planner) place() {
	p.tensors, p.byValue = nil, map[*graph.Value]*tensor{}
	p.wanted, p.wants, p.joins = map[graph.Use]bool{}, nil, nil
	p.given, p.paths = map[graph.Use][]*tensor{}, nil
	for _, l := range p.layers {
		if l.int8() {
			for _, i := range l.activations() {
				p.want(graph.Use{Node: l.node, Index: i})
			}
		}
	}
	for n := range p.model.Main.Nodes() {
		p.wantResidual(n)
	}
	p.wantConcat()
	p.paths = newPaths() // nothing is wanted any more: answers can be kept
	for _, u := range p.wants {
		p.demand(u)
	}
	p.placeOutputs()
	if p.profile.Quant.ShareAll {
		p.shareAll()
	}
}

func (p *planner) want(u graph.Use) {
	if !p.wanted[u] {
		p.wanted[u] = true
		p.wants = append(p.wants, u)
	}
}

// demand gives the tensor that the use reads a pair: directly, or, where only
// data movement lies between, at the tensor that an 8-bit operator wrote.
func (p *planner) demand(u graph.Use) {
	v := u.Value()
	if l := p.byNode[u.Node]; l != nil && l.attention() {
		t := p.tensor(v)
		t.symmetric = true
		t.read(u)
		p.given[u] = []*tensor{t}
		return
	}
	if !p.travels(v, 0) {
		t := p.tensor(v)
		t.read(u)
		p.markSymmetric(u, t)
		p.given[u] = []*tensor{t}
		return
	}
	sources := p.travel(v)
	p.given[u] = sources
	if p.profile.Quant.RepeatPairs {
		t := p.tensor(v)
		t.repeat = true
		t.read(u)
		sources[0].join(t)
	}
	for _, s := range sources {
		p.markSymmetric(u, s)
	}
}

// markSymmetric asks for a symmetric range where a zero point would cost the 8-bit kernel.
func (p *planner) markSymmetric(u graph.Use, t *tensor) {
	if u.Node.Is("ConvTranspose") {
		t.root().symmetric = true
	}
}

// travel moves the pair of v to the tensors that its data movement reads, and
// returns those. Several (of a Concat) get one scale.
func (p *planner) travel(v *graph.Value) []*tensor {
	if p.paths.sources[v] == nil {
		p.paths.sources[v] = p.travelOnce(v)
	}
	return p.paths.sources[v]
}

func (p *planner) travelOnce(v *graph.Value) []*tensor {
	m := v.Def()
	var out []*tensor
	for _, i := range dataInputs(m) {
		u := graph.Use{Node: m, Index: i}
		w := u.Value()
		if !p.travels(w, 0) {
			t := p.tensor(w)
			t.read(u)
			out = append(out, t)
			continue
		}
		inner := p.travel(w)
		if p.profile.Quant.RepeatPairs {
			t := p.tensor(w)
			t.repeat = true
			t.read(u)
			inner[0].join(t)
		}
		out = append(out, inner...)
	}
	for _, t := range out[1:] {
		out[0].join(t)
	}
	if m.Is("Concat") {
		p.joins = append(p.joins, concatJoin{v, out})
	}
	return out
}

// concatJoin is a Concat whose inputs share one scale.
type concatJoin struct {
	output *graph.Value
	inputs []*tensor
}

// dataInputs are the indices of the inputs whose elements reach the output.
func dataInputs(m *graph.Node) []int {
	if !m.Is("Concat") {
		return []int{0}
	}
	all := make([]int, m.NumIn())
	for i := range all {
		all[i] = i
	}
	return all
}

// travels says whether the pair of v belongs before the data movement that
// computes v: every source is written by an 8-bit operator or needs a pair of
// its own, and nobody reads v in float.
func (p *planner) travels(v *graph.Value, depth int) bool {
	m := v.Def()
	if m == nil || depth > 8 || p.own[v] || !p.moves(m) || v.Graph() != p.model.Main {
		return false
	}
	if p.paths == nil {
		return p.carries(v, depth)
	}
	k := reach{v, depth}
	known, ok := p.paths.travels[k]
	if !ok {
		known = p.carries(v, depth)
		p.paths.travels[k] = known
	}
	return known
}

// carries is travels for a value that data movement computes.
func (p *planner) carries(v *graph.Value, depth int) bool {
	m := v.Def()
	if v.IsOutput() || !p.profile.Quant.ShareAll && !p.allWant(v, depth) {
		return false
	}
	for _, i := range dataInputs(m) {
		w := m.In(i)
		if w == nil || w.Const() != nil || !p.travels(w, depth+1) && !p.eightBit(w) {
			return false
		}
	}
	return true
}

// allWant says whether every reader of v wants 8 bits or is data movement to such readers.
func (p *planner) allWant(v *graph.Value, depth int) bool {
	for _, u := range v.Uses() {
		switch {
		case p.wanted[u]:
			if l := p.byNode[u.Node]; l != nil && l.attention() {
				return false
			}
		case u.IsReturn() || depth > 8 || !p.moves(u.Node):
			return false
		default:
			for _, out := range u.Node.Outs() {
				if out != nil && !p.allWant(out, depth+1) {
					return false
				}
			}
		}
	}
	return true
}

// eightBit says whether v is written by an 8-bit layer (through its
// activation), by a residual addition, or wanted in 8 bits anyway.
func (p *planner) eightBit(v *graph.Value) bool {
	if p.paths == nil {
		return p.written(v)
	}
	known, ok := p.paths.eightBit[v]
	if !ok {
		known = p.written(v)
		p.paths.eightBit[v] = known
	}
	return known
}

func (p *planner) written(v *graph.Value) bool {
	for _, u := range v.Uses() {
		if p.wanted[u] && !p.moves(u.Node) {
			return true
		}
	}
	if n := p.producer(v); n != nil {
		l := p.byNode[n]
		return l != nil && l.int8()
	}
	for range 4 {
		d := v.Def()
		if d == nil {
			return false
		}
		if d.Is("Add") {
			return p.wanted[graph.Use{Node: d, Index: 0}] || p.wanted[graph.Use{Node: d, Index: 1}]
		}
		if v = p.regions.Source(v); v == nil {
			return false
		}
	}
	return false
}

// moves says whether the target runs n as data movement on 8-bit data.
func (p *planner) moves(n *graph.Node) bool {
	if n == nil || n.Domain() != "" || !p.profile.Moves(n.Op()) || n.In(0) == nil || n.Out(0) == nil {
		return false
	}
	switch n.Op() {
	case "Concat":
		return p.profile.Quant.Concat == target.ConcatJoin
	case "Resize":
		return n.String("mode", "nearest") == "nearest"
	case "MaxPool":
		return n.Out(1) == nil
	case "Pad":
		return p.movesPad(n)
	}
	return true
}

// movesPad says whether a Pad only adds elements that the input's range holds:
// zeros or copies, and channels only where the target computes that rightly.
func (p *planner) movesPad(n *graph.Node) bool {
	if n.String("mode", "constant") == "constant" && n.In(2) != nil {
		if x, ok := scalar(n.In(2)); !ok || x != 0 {
			return false
		}
	}
	if p.profile.Quant.ChannelPad || p.profile.Quant.UnsignedPad && bounds(n.In(0)).Lo >= 0 && p.staysAlone(n.Out(0)) {
		return true
	}
	if n.In(1) == nil || n.In(1).Const() == nil || n.In(3) != nil {
		return false
	}
	pads, err := n.In(1).Const().Int64s()
	half := len(pads) / 2
	return err == nil && half > 2 && pads[1] == 0 && pads[1+half] == 0
}

// staysAlone says whether nothing behind v can give it the scale, and with it
// the zero point, of another tensor: its readers are no data movement.
func (p *planner) staysAlone(v *graph.Value) bool {
	for _, u := range v.Uses() {
		if u.IsReturn() || p.profile.Moves(u.Node.Op()) {
			return false
		}
	}
	return true
}

// wantConcat lets the inputs of a wanted Concat carry pairs of their own where
// the target has an 8-bit Concat with a scale for each tensor. It pays when all
// of them are written in 8 bits; others would only be rounded twice.
func (p *planner) wantConcat() {
	q := p.profile.Quant
	if q.Concat != target.ConcatOwn || !q.RepeatPairs {
		return
	}
	for i := 0; i < len(p.wants); i++ {
		n := p.wants[i].Value().Def()
		if n == nil || p.wanted[graph.Use{Node: n}] || !n.Is("Concat") || n.Graph() != p.model.Main || n.Out(0) == nil || n.Out(0).IsOutput() || p.avoid[n] {
			continue
		}
		all := true
		for _, w := range n.Ins() {
			all = all && w != nil && (p.direct(w) || padding(w))
		}
		for j := range n.NumIn() {
			if all {
				p.want(graph.Use{Node: n, Index: j})
			}
		}
	}
}

// mostPadding is the most elements of a constant that is quantized with what it is concatenated to.
const mostPadding = 1 << 20

// padding says whether v is a constant that takes part in an 8-bit Concat.
func padding(v *graph.Value) bool {
	if n := v.Def(); n != nil && n.Is("ConstantOfShape") && n.In(0) != nil {
		return n.In(0).Const() != nil && v.Elem() == onnx.Float
	}
	t := v.Const()
	return t != nil && t.Type == onnx.Float && elements(t.Dims) <= mostPadding
}

// direct says whether an operator with a fused QuantizeLinear writes v, with nothing but data movement behind it.
func (p *planner) direct(v *graph.Value) bool {
	for range 8 {
		n := v.Def()
		if n == nil {
			return false
		}
		if p.moves(n) {
			v = n.In(0)
			continue
		}
		if p.profile.Fuses(n.Op()) && n.In(0) != nil && n.In(0).Def() != nil {
			n = n.In(0).Def()
		}
		l := p.byNode[n]
		return l != nil && l.int8() && p.profile.NeedsOutput(n.Op()) && p.fusedOutput(n) == v ||
			n.Is("Add") && p.wanted[graph.Use{Node: n, Index: 0}] && p.fusedOutput(n) == v
	}
	return false
}

// wantResidual applies the profile's rule to an addition of two computed
// tensors of which at least one comes from an 8-bit convolution.
func (p *planner) wantResidual(n *graph.Node) {
	if !p.isResidual(n) {
		return
	}
	switch p.profile.Quant.Residual {
	case target.ResidualBoth, target.ResidualOutput:
		p.want(graph.Use{Node: n, Index: 0})
		p.want(graph.Use{Node: n, Index: 1})
	case target.ResidualSkip:
		if i, ok := p.skipInput(n); ok {
			p.want(graph.Use{Node: n, Index: i})
		}
	}
}

func (p *planner) isResidual(n *graph.Node) bool {
	if !n.Is("Add") || n.Out(0) == nil || n.In(0) == nil || n.In(1) == nil || n.In(0).Const() != nil || n.In(1).Const() != nil || n.In(0) == n.In(1) {
		return false
	}
	if p.excluded(n) != "" || p.avoid[n] || n.In(0).Elem() != onnx.Float && n.In(0).Elem() != onnx.Undefined {
		return false
	}
	if p.regions.Source(n.Out(0)) != nil || len(p.regions.Of(n)) > 0 {
		return false
	}
	return p.convolved(n.In(0)) != nil || p.convolved(n.In(1)) != nil
}

// convolved is the 8-bit convolution whose result v is, or nil.
func (p *planner) convolved(v *graph.Value) *graph.Node {
	n := p.producer(v)
	if n == nil || !n.Is("Conv", "ConvTranspose") || !p.byNode[n].int8() {
		return nil
	}
	return n
}

// skipInput is the index of the input of a residual addition that does not
// come from the convolution which fuses with it. That convolution's result has
// no other reader; of two candidates the one deeper in the network fuses.
func (p *planner) skipInput(n *graph.Node) (int, bool) {
	var depth [2]int
	for i := range depth {
		v := n.In(i)
		if c := p.convolved(v); c != nil && v.NumUses() == 1 {
			depth[i] = p.depth[c]
		}
	}
	switch {
	case depth[0] == 0 && depth[1] == 0:
		return 0, false
	case depth[0] > depth[1]:
		return 1, true
	}
	return 0, true
}

// placeOutputs gives pairs to the outputs that the target wants quantized: of
// operators that run in 8 bits only then, and of residual additions.
func (p *planner) placeOutputs() {
	for _, l := range p.layers {
		if l.int8() && p.profile.NeedsOutput(l.node.Op()) {
			p.tensor(p.fusedOutput(l.node)).written = true
		}
	}
	if p.profile.Quant.Residual != target.ResidualOutput {
		return
	}
	for n := range p.model.Main.Nodes() {
		if p.wanted[graph.Use{Node: n, Index: 0}] && p.isResidual(n) {
			if out := p.fusedOutput(n); !out.IsOutput() {
				p.tensor(out).written = true
			}
		}
	}
}

// fusedOutput is where the pair behind n belongs: its output, or that of the
// only reader when the runtime fuses it into n.
func (p *planner) fusedOutput(n *graph.Node) *graph.Value {
	next := soleReader(n.Out(0))
	if next == nil || next.Out(0) == nil || next.Domain() != "" || !p.profile.Fuses(next.Op()) || next.Graph() != p.model.Main {
		return n.Out(0)
	}
	if next.Is("Clip") && clipBounds(next).Lo != 0 {
		return n.Out(0)
	}
	return next.Out(0)
}

// shareAll makes every reader of a tensor that an 8-bit operator writes read
// the dequantized form, but for graph outputs: a reader in between, even Shape,
// hinders fusion. Other tensors stay in float for those who did not ask.
func (p *planner) shareAll() {
	for _, t := range p.tensors {
		if !t.written {
			continue
		}
		for _, u := range t.value.Uses() {
			if !u.IsReturn() {
				t.read(u)
			}
		}
	}
}
