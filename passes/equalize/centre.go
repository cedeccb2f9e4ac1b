package equalize

import (
	"iter"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// centre is an activation that lies mostly on one side of zero, for a target
// whose codes always are symmetric: moved by half of its range it uses all
// codes instead of half of them. What the shift adds at the layers that read
// it goes into their biases:
//
//	W x + c = W (x - m) + (c + W m)
//
// Where those layers pad, the zeros of the border become -m, so a Pad does it
// instead. Behind a layer with Relu or Clip nothing else is added: its bias and
// the bounds take up the shift. Elsewhere an Add does.
type centre struct {
	site   *site
	pads   []int64 // of all readers, one begin and end for each spatial axis; nil: none
	source *graph.Node
	act    *graph.Node // Relu or Clip behind source, which take up the shift; nil: an Add does
	shift  float64     // 0: nothing is done
}

// lopsided is how much finer the steps must become: twice the largest magnitude against the width of the range.
const lopsided = 1.5

// findCentres lists the activations that can be moved.
func (e *equalizer) findCentres() {
	if !e.profile.Quant.Centred || !e.opt.Centre {
		return
	}
	for n := range e.env.Model.Main.Nodes() {
		if v := n.Out(0); v != nil && n.NumOut() == 1 && !e.profile.Moves(n.Op()) {
			if c := e.centreOf(v); c != nil {
				e.centres = append(e.centres, c)
			}
		}
	}
}

// centreOf is v as an activation that can be moved, nil when a reader cannot take up the shift.
func (e *equalizer) centreOf(v *graph.Value) *centre {
	uses := v.Uses()
	if len(uses) == 0 || rankOf(v) < 3 || single(v) {
		return nil
	}
	c := &centre{site: &site{value: v, axis: 1}}
	others := false
	for _, u := range uses {
		if u.IsReturn() || u.Index != 0 || u.Node.Graph() != v.Graph() || !u.Node.Is("Conv") {
			others = true
			continue
		}
		r := e.reader(u.Node)
		if r == nil || !shiftable(u.Node) || e.tooSmall(r) {
			return nil
		}
		p, ok := padding(u.Node)
		if !ok || len(c.site.readers) > 0 && !slices.Equal(p, c.pads) {
			return nil
		}
		c.pads = p
		c.site.readers = append(c.site.readers, r)
	}
	if len(c.site.readers) == 0 {
		return nil
	}
	if !others {
		c.foldable()
	}
	if e.opt.Mode == Fold && (c.act == nil || c.pads != nil) {
		return nil
	}
	c.site.stats = newChannelStats(v.Name(), 1, c.site.readers[0].layout.channels)
	return c
}

// single says whether v has one position only, as what lies in the gate of squeeze-and-excite: such layers are not worth it.
func single(v *graph.Value) bool {
	for _, d := range v.Shape().Dims[2:] {
		if d.Value != 1 {
			return false
		}
	}
	return true
}

// tooSmall says whether the target leaves a convolution of so few channels in float.
func (e *equalizer) tooSmall(r *reader) bool {
	s, l := e.profile.Quant.Small, r.layout
	return int64(min(l.channels, l.outputs)) < s.Channels && (l.groups == 1 || s.Multiple == 0 || int64(l.outputs)%s.Multiple != 0)
}

// foldable finds the layer and the activation function before the tensor that take up the shift themselves.
func (c *centre) foldable() {
	act := c.site.value.Def()
	if !fromZero(act) || act.In(0).NumUses() != 1 {
		return
	}
	if n := act.In(0).Def(); n != nil && n.Is("Conv") && shiftable(n) {
		c.source, c.act = n, act
	}
}

// fromZero says whether n is Relu, or Clip with the constant lower bound 0 and no upper bound or a constant one.
func fromZero(n *graph.Node) bool {
	if n == nil || n.In(0) == nil || !n.Is("Relu", "Clip") {
		return false
	}
	if n.Is("Relu") {
		return true
	}
	lo, ok := scalar(n.In(1))
	if n.In(2) != nil {
		_, bounded := scalar(n.In(2))
		ok = ok && bounded
	}
	return ok && lo == 0
}

// padding is what a layer adds around its input: begins, then ends; nil for nothing. False when it is not known.
func padding(n *graph.Node) ([]int64, bool) {
	pads := n.Ints("pads", nil)
	if a := n.String("auto_pad", "NOTSET"); a == "SAME_UPPER" || a == "SAME_LOWER" {
		var ok bool
		if pads, ok = samePadding(n, a == "SAME_LOWER"); !ok {
			return nil, false
		}
	} else if a == "VALID" {
		return nil, true
	}
	if !slices.ContainsFunc(pads, func(p int64) bool { return p != 0 }) {
		return nil, true
	}
	ok := len(pads) == 2*(rankOf(n.In(0))-2) && slices.Min(pads) >= 0
	return slices.Clone(pads), ok
}

// samePadding computes the padding of auto_pad for a known size.
func samePadding(n *graph.Node, lower bool) ([]int64, bool) {
	kernel := n.In(1).Const().Dims[2:]
	rank := len(kernel)
	ones := slices.Repeat([]int64{1}, rank)
	strides, dilations := n.Ints("strides", ones), n.Ints("dilations", ones)
	if rankOf(n.In(0)) != rank+2 || len(strides) != rank || len(dilations) != rank {
		return nil, false
	}
	pads := make([]int64, 2*rank)
	for i, k := range kernel {
		size, s := n.In(0).Shape().Dims[i+2].Value, strides[i]
		if k == 1 {
			continue
		}
		if size <= 0 || s < 1 {
			return nil, false
		}
		total := max(((size+s-1)/s-1)*s+(k-1)*dilations[i]+1-size, 0)
		pads[i], pads[rank+i] = total/2, total-total/2
		if lower {
			pads[i], pads[rank+i] = pads[rank+i], pads[i]
		}
	}
	return pads, true
}

// shiftable says whether the bias of the layer can take up a number for each output channel.
func shiftable(n *graph.Node) bool {
	l, ok := inputLayout(n)
	if !ok {
		return false
	}
	b := n.In(2)
	if b == nil {
		return true
	}
	t := b.Const()
	if t == nil || t.Type != onnx.Float || len(t.Dims) == 0 || t.Dims[len(t.Dims)-1] != int64(l.outputs) {
		return false
	}
	count, err := t.NumElements()
	return err == nil && count == int64(l.outputs)
}

// measureCentres chooses the shifts: the middle of the range with the least error.
func (e *equalizer) measureCentres() {
	for c, r := range e.divided() {
		if c.site.reason != "" || !c.site.stats.usable() {
			continue
		}
		m := newModel(&site{stats: c.site.stats.pooled(r)}, e.profile.Quant)
		m.coding = asymmetric
		if x := m.searchRange([]float64{1}); 2*max(x.hi, -x.lo) > lopsided*(x.hi-x.lo) {
			c.shift = float64(float32((x.hi + x.lo) / 2))
		}
	}
}

// divided yields the centres with the factors that divide them. Behind a Mul the layer before cannot take up the shift.
func (e *equalizer) divided() iter.Seq2[*centre, []float64] {
	folded, inserted := map[*graph.Value]*class{}, map[*graph.Value]*class{}
	for _, k := range e.classes {
		switch {
		case k.factors == nil:
		case k.insert:
			inserted[k.sites[0].value] = k
		default:
			for v := range k.values {
				folded[v] = k
			}
		}
	}
	return func(yield func(*centre, []float64) bool) {
		for _, c := range e.centres {
			v := c.site.value
			r := power(make([]float64, c.site.stats.channels), 0)
			if k := folded[v]; k != nil && k.values[v] == 1 {
				r = k.factors
			}
			if k := inserted[v]; k != nil {
				r, c.act = k.factors, nil
			}
			if !yield(c, r) {
				return
			}
		}
	}
}
