package equalize

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// applyCentres moves the activations.
func (e *equalizer) applyCentres() error {
	for _, c := range e.centres {
		if c.shift == 0 {
			continue
		}
		for _, r := range c.site.readers {
			if err := addWeightSums(r, c.shift); err != nil {
				return err
			}
		}
		moved, err := c.move()
		if err != nil {
			return err
		}
		c.pad(moved)
	}
	return nil
}

// move shifts the activation and returns it.
func (c *centre) move() (*graph.Value, error) {
	v := c.site.readers[0].node.In(0) // behind a Mul, if there is one
	if c.act == nil {
		by := v.Graph().Init(v.Name()+"_shift", onnx.FromFloat32s(nil, []float32{float32(-c.shift)}))
		moved := v.Def().After().By(passName).Op("Add", v.Name()+"_centred", v, by).Out(0)
		for _, r := range c.site.readers {
			r.node.SetIn(0, moved)
		}
		return moved, nil
	}
	l, _ := inputLayout(c.source)
	down := make([]float64, l.outputs)
	for i := range down {
		down[i] = -c.shift
	}
	c.moveBounds()
	return v, addBias(c.source, down)
}

// moveBounds makes the activation function a Clip with shifted bounds.
func (c *centre) moveBounds() {
	g, name := c.act.Graph(), c.act.Out(0).Name()
	bound := func(suffix string, x float64) *graph.Value {
		return g.Init(name+suffix, onnx.FromFloat32s(nil, []float32{float32(x - c.shift)}))
	}
	var hi *graph.Value
	if c.act.Is("Clip") && c.act.In(2) != nil {
		x, _ := scalar(c.act.In(2))
		hi = bound("_max", x)
	}
	old := c.act.Ins()[1:]
	c.act.SetOp("Clip", "")
	c.act.SetIn(1, bound("_min", 0))
	if hi != nil {
		c.act.SetIn(2, hi)
	}
	for _, v := range old {
		if v != nil {
			release(v)
		}
	}
}

// pad lets the readers read the moved activation with a border of what zero has become.
func (c *centre) pad(v *graph.Value) {
	if c.pads == nil {
		return
	}
	half := len(c.pads) / 2
	pads := make([]int64, 2*(half+2))
	copy(pads[2:], c.pads[:half])
	copy(pads[half+4:], c.pads[half:])
	g, name := v.Graph(), v.Name()+"_padded"
	padded := v.Def().After().By(passName).Op("Pad", name, v,
		g.Init(name+"_pads", onnx.FromInt64s([]int64{int64(len(pads))}, pads)),
		g.Init(name+"_value", onnx.FromFloat32s(nil, []float32{float32(-c.shift)}))).Out(0)
	for _, r := range c.site.readers {
		r.node.SetIn(0, padded)
		r.node.DropAttr("auto_pad")
		r.node.SetInts("pads", make([]int64, len(c.pads)))
	}
}

// addWeightSums adds to the bias of a reader what an input of x everywhere contributes.
func addWeightSums(r *reader, x float64) error {
	w, err := r.node.In(1).Const().Float32s()
	if err != nil {
		return err
	}
	sums := make([]float64, r.layout.outputs)
	for i, f := range w {
		sums[r.layout.output(i)] += float64(f) * x
	}
	return addBias(r.node, sums)
}

// addBias adds one number for each output channel to the bias of a layer, which may have none.
func addBias(n *graph.Node, d []float64) error {
	sum, dims := make([]float32, len(d)), []int64{int64(len(d))}
	b := n.In(2)
	if b != nil {
		old, err := b.Const().Float32s()
		if err != nil {
			return err
		}
		copy(sum, old)
		dims = b.Const().Dims
	}
	for i, x := range d {
		sum[i] = float32(float64(sum[i]) + x)
	}
	t := onnx.FromFloat32s(dims, sum)
	if b == nil {
		n.SetIn(2, n.Graph().Init(n.In(1).Name()+"_bias", t))
		return nil
	}
	replace(graph.Use{Node: n, Index: 2}, t)
	return nil
}
