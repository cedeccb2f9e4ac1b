package equalize

import (
	"github.com/onnxpass/onnxpass/graph"
)

// class is a set of activations that must be divided by the same factors: what
// lies between the layers that can take up the division and those that can
// take up the multiplication.
type class struct {
	values   map[*graph.Value]int // with the axis of the channels
	order    []*graph.Value
	nodes    map[*graph.Node]bool
	edits    []edit
	gates    []*graph.Node // products y * f(y) of whose f the input is multiplied back
	gated    bool          // gates are allowed
	outputs  bool          // the target quantizes the outputs of convolutions
	channels int
	sites    []*site
	reason   string // why the factors cannot be folded

	factors       []float64 // nil: nothing is done
	insert        bool      // the division is a Mul of its own
	before, after float64   // noise to signal at the readers
	alpha         float64
	ratio         float64 // of the largest to the median channel
	why           string  // why nothing is done
}

// edit multiplies constants of a node: by the factors, or by their reciprocals when it divides.
type edit struct {
	node   *graph.Node
	kind   editKind
	axis   int // of the channels in the node's output or input
	rank   int
	index  int // of the constant operand
	divide bool
}

type editKind int

const (
	editInputs   editKind = iota // weights of a layer, by input channel
	editOutputs                  // weights and bias of a layer, by output channel
	editNorm                     // gain and shift of a normalization behind which the factors begin
	editNormIn                   // gain and mean of a BatchNormalization that reads divided channels
	editConstant                 // a constant operand
)

// group finds the class of every site. Sites of one class come together.
func (e *equalizer) group() {
	of := map[*graph.Value]*class{}
	for _, s := range e.sites {
		c := of[s.value]
		if c == nil {
			c = e.closure(s)
			e.classes = append(e.classes, c)
			for v := range c.values {
				of[v] = c
			}
		}
		c.sites = append(c.sites, s)
	}
	for i := 0; i < len(e.classes); i++ { // of a class that cannot be folded every site is on its own
		if c := e.classes[i]; c.reason != "" && len(c.sites) > 1 {
			for _, s := range c.sites[1:] {
				e.classes = append(e.classes, &class{channels: c.channels, reason: c.reason, sites: []*site{s}})
			}
			c.sites = c.sites[:1]
		}
	}
}

// mostValues bounds a class: long residual streams gain nothing from one set of factors.
const mostValues = 64

// closure follows the channels of a site through all operators that commute
// with factors for channels, up and down, until layers take them up.
func (e *equalizer) closure(s *site) *class {
	c := &class{values: map[*graph.Value]int{}, nodes: map[*graph.Node]bool{}, channels: s.stats.channels, outputs: e.profile.NeedsOutput("Conv")}
	c.gated = c.outputs && e.opt.Mode == Auto
	rank := rankOf(s.value)
	axis := s.axis
	if axis < 0 {
		axis += rank
	}
	if rank == 0 || axis < 0 || axis >= rank {
		c.reason = "the rank of the tensor is not known"
		return c
	}
	c.visit(s.value, axis)
	for i := 0; i < len(c.order) && c.reason == ""; i++ {
		v := c.order[i]
		c.up(v, c.values[v])
		for _, u := range v.Uses() {
			if c.reason == "" {
				c.down(u, c.values[v])
			}
		}
		if len(c.order) > mostValues {
			c.fail("too many tensors share its channels")
		}
	}
	return c
}

func (c *class) fail(reason string) {
	if c.reason == "" {
		c.reason = reason
	}
}

// visit adds a tensor that carries the same channels.
func (c *class) visit(v *graph.Value, axis int) {
	if v == nil {
		return
	}
	if known, ok := c.values[v]; ok {
		if known != axis {
			c.fail("two axes of a tensor carry its channels")
		}
		return
	}
	switch {
	case v.Const() != nil:
		c.fail("a constant shares its channels")
	case v.Def() == nil:
		c.fail("its channels are those of a graph input")
	case channelsAt(v, axis) != c.channels:
		c.fail("the channels of a tensor that shares its factors are not known")
	default:
		c.values[v] = axis
		c.order = append(c.order, v)
	}
}

// rankOf is the rank of v, 0 when it is unknown.
func rankOf(v *graph.Value) int {
	if !v.Shape().Ranked {
		return 0
	}
	return len(v.Shape().Dims)
}

// channelsAt is the size of v along the axis, 0 when it is unknown.
func channelsAt(v *graph.Value, axis int) int {
	if s := v.Shape(); s.Ranked && axis < len(s.Dims) && s.Dims[axis].Value > 0 {
		return int(s.Dims[axis].Value)
	}
	return 0
}
