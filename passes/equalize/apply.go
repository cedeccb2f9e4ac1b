package equalize

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// apply edits the model as decided.
func (e *equalizer) apply() error {
	for _, c := range e.classes {
		if c.factors == nil {
			continue
		}
		if c.insert {
			if err := e.insertMul(c); err != nil {
				return err
			}
			continue
		}
		c.openGates()
		for _, x := range c.edits {
			if err := x.apply(c.factors); err != nil {
				return err
			}
		}
	}
	return e.applyCentres()
}

// apply multiplies the constants of a node.
func (x edit) apply(r []float64) error {
	n := x.node
	by := func(c int) float64 {
		if x.divide {
			return 1 / r[c]
		}
		return r[c]
	}
	switch x.kind {
	case editInputs:
		l, _ := inputLayout(n)
		return change(graph.Use{Node: n, Index: 1}, func(i int) float64 { return by(l.channel(i)) })
	case editOutputs:
		l, _ := inputLayout(n)
		if err := change(graph.Use{Node: n, Index: 1}, func(i int) float64 { return by(l.output(i)) }); err != nil {
			return err
		}
		return changeBias(n, l.outputs, by)
	case editNorm:
		for i := 1; i < min(n.NumIn(), 3); i++ {
			if err := change(graph.Use{Node: n, Index: i}, by); err != nil {
				return err
			}
		}
		return nil
	case editNormIn:
		if err := change(graph.Use{Node: n, Index: 1}, by); err != nil {
			return err
		}
		return change(graph.Use{Node: n, Index: 3}, func(c int) float64 { return 1 / by(c) })
	}
	t := spread(n.In(x.index).Const(), x.axis, x.rank, len(r))
	y, err := scaled(t, by)
	if err != nil {
		return err
	}
	replace(graph.Use{Node: n, Index: x.index}, y)
	return nil
}

// change multiplies element i of the constant at u by factor(i).
func change(u graph.Use, factor func(i int) float64) error {
	t, err := scaled(u.Value().Const(), factor)
	if err != nil {
		return err
	}
	replace(u, t)
	return nil
}

// changeBias multiplies the bias of a layer by output channel.
func changeBias(n *graph.Node, outputs int, by func(c int) float64) error {
	b := n.In(2)
	if b == nil || n.Is("MatMul") {
		return nil
	}
	t := b.Const()
	if n.Is("Gemm") {
		t = spread(t, 1, 2, outputs)
	}
	y, err := scaled(t, by)
	if err != nil {
		return err
	}
	replace(graph.Use{Node: n, Index: 2}, y)
	return nil
}

// insertMul divides a site by a Mul of its own, which only its readers see.
func (e *equalizer) insertMul(c *class) error {
	s := c.sites[0]
	v, rank := s.value, rankOf(s.value)
	axis := s.axis
	if axis < 0 {
		axis += rank
	}
	inverse := make([]float64, len(c.factors))
	for i, f := range c.factors {
		inverse[i] = float64(float32(1 / f))
	}
	for i, f := range inverse { // what the weights take up is the inverse of what was rounded
		c.factors[i] = 1 / f
	}
	name := v.Name() + "_equalized"
	by := v.Graph().Init(name+"_scale", vector(inverse, axis, rank))
	y := v.Def().After().By(passName).OpN("Mul", "", name, 1, []*onnx.Attribute(nil), v, by).Out(0)
	for _, r := range s.readers {
		r.node.SetIn(0, y)
		x := edit{node: r.node, kind: editInputs}
		if err := x.apply(c.factors); err != nil {
			return err
		}
	}
	return nil
}
