package precision

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// apply edits the model as decided.
func (c *converter) apply() error {
	c.retype()
	c.lowerAttributes()
	if err := c.lowerConstants(); err != nil {
		return err
	}
	c.insertCasts()
	c.dropCasts()
	c.separateBiases()
	c.rewriteBounds()
	if err := c.storeRest(); err != nil {
		return err
	}
	if err := c.model.Main.Sort(); err != nil {
		return err
	}
	if err := c.model.Infer(); err != nil {
		return err
	}
	return c.check()
}

// retype declares the values that are 16-bit from now on.
func (c *converter) retype() {
	for _, v := range c.order {
		if c.isLow(c.made[v]) {
			v.SetType(graph.Type{Elem: c.low, Shape: v.Shape()})
		}
	}
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for i := range g.Outputs() {
			c.retypeOutput(g, i)
		}
	}
}

func (c *converter) retypeOutput(g *graph.Graph, i int) {
	t, ok := c.read[graph.Use{Node: g.Return(), Index: i}]
	if !ok || !c.isLow(t) {
		return
	}
	declared := graph.Type{Elem: c.low, Shape: g.Outputs()[i].Shape()}
	if info := g.OutputInfo(i); info != nil && info.Type != nil && info.Type.Tensor != nil {
		declared.Shape = graph.Shape{}
		if s := info.Type.Tensor.Shape; s != nil {
			declared.Shape = shapeOf(s)
		}
	}
	g.SetOutputType(i, declared)
}

// shapeOf is a declared shape as the graph sees it.
func shapeOf(s *onnx.Shape) graph.Shape {
	out := graph.Shape{Ranked: true}
	for _, d := range s.Dim {
		dim := graph.Dim{Value: -1}
		switch d.Kind {
		case onnx.DimValue:
			dim.Value = d.Value
		case onnx.DimParam:
			dim.Param = d.Param
		}
		out.Dims = append(out.Dims, dim)
	}
	return out
}

// lowerAttributes adapts the attributes that state a type.
func (c *converter) lowerAttributes() {
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for n := range g.Nodes() {
			v := n.Out(0)
			t, ok := c.made[v]
			switch {
			case v == nil || !ok || !c.isLow(t):
			case n.Is("Cast"):
				n.SetInt("to", int64(c.low))
			case n.Is("ConstantOfShape"):
				fill := n.Tensor("value")
				if fill == nil {
					fill = onnx.FromFloat32s([]int64{1}, []float32{0})
				}
				if low, err := narrowed(fill, c.low); err == nil {
					n.SetTensor("value", low)
				}
			}
		}
	}
}

// lowerConstants gives converted readers a 16-bit form of their constants.
func (c *converter) lowerConstants() error {
	made := map[*graph.Value]*graph.Value{}
	for _, u := range c.uses {
		v := u.Value()
		if !isConstant(v) || !c.isLow(c.read[u]) {
			continue
		}
		low, err := c.lowered16(v, u, made)
		if err != nil {
			return err
		}
		u.Set(low)
		removeUnused(v)
	}
	return nil
}

// lowered16 is the 16-bit form of a constant for a use.
func (c *converter) lowered16(v *graph.Value, u graph.Use, made map[*graph.Value]*graph.Value) (*graph.Value, error) {
	if u.Node.Is(pairs...) && u.Index == 1 {
		return c.halfScale(v, u.Node, made)
	}
	if made[v] != nil {
		return made[v], nil
	}
	k, err := c.examine(v)
	if err != nil {
		return nil, err
	}
	t, err := narrowed(v.Const(), c.low)
	if err != nil {
		return nil, err
	}
	c.lowered = append(c.lowered, k)
	made[v] = v.Graph().Init(v.Name()+"_"+c.low.String(), t)
	return made[v], nil
}

// isConstant says whether a value is a constant that no caller can override.
func isConstant(v *graph.Value) bool { return v != nil && v.Const() != nil && !v.IsInput() }

// removeUnused drops a constant without readers.
func removeUnused(v *graph.Value) {
	switch {
	case v.Removed() || v.NumUses() > 0 || v.IsInput():
	case v.IsInit():
		v.RemoveInit()
	case v.Def() != nil:
		v.Def().Remove()
	}
}

// insertCasts puts one Cast behind every value that some readers want in the other type.
func (c *converter) insertCasts() {
	wants := map[*graph.Value][]graph.Use{}
	for _, u := range c.uses {
		if v := u.Value(); !isConstant(v) {
			wants[v] = append(wants[v], u)
		}
	}
	for _, v := range c.order {
		c.cast(v, wants[v])
	}
	for _, u := range c.uses { // constants whose float32 form a 16-bit output of a body returns
		if v := u.Value(); isConstant(v) && v.Elem() != onnx.Float && !c.isLow(c.read[u]) {
			c.cast(v, []graph.Use{u})
		}
	}
}

// cast moves those readers of v behind a Cast that want another type than v has.
func (c *converter) cast(v *graph.Value, readers []graph.Use) {
	low := v.Elem() == c.low
	to := c.low
	if low {
		to = onnx.Float
	}
	readers = slices.DeleteFunc(slices.Clone(readers), func(u graph.Use) bool { return c.isLow(c.read[u]) == low })
	if len(readers) == 0 {
		return
	}
	at := v.Graph().Begin()
	if v.Def() != nil {
		at = v.Def().After()
	}
	out := c.castTo(at, v, v.Name()+"_"+to.String(), to)
	c.casts++
	for _, u := range readers {
		u.Set(out)
	}
	if v.Def() != nil && slices.ContainsFunc(readers, graph.Use.IsReturn) {
		v.Rename(v.Name() + "_" + c.low.String()) // its name belongs to the output
	}
}

func (c *converter) castTo(at *graph.Cursor, v *graph.Value, hint string, to onnx.DataType) *graph.Value {
	n := at.By(c.env.Report.Pass).OpN("Cast", "", hint, 1, []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(to)}}, v)
	return n.Out(0)
}

// dropCasts removes casts of the file that lost their purpose, such as one to float16 behind what is float16 now.
func (c *converter) dropCasts() {
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for n := range g.Nodes() {
			if !n.Is("Cast") || n.In(0) == nil || n.Out(0) == nil || n.Out(0).IsOutput() || c.kept[n] {
				continue
			}
			if n.In(0).Elem() == onnx.DataType(n.Int("to", 0)) && n.In(0).Elem() == c.low {
				n.Out(0).ReplaceUses(n.In(0), nil)
				n.Remove()
			}
		}
	}
}

// check compares what inference says with what was decided: a mismatch is a defect of the rules.
func (c *converter) check() error {
	for _, v := range c.order {
		want := onnx.Float
		if c.isLow(c.made[v]) {
			want = c.low
		}
		if !v.Removed() && v.Elem() != want {
			return fmt.Errorf("%s is %s and was to be %s", v.Name(), v.Elem(), want)
		}
	}
	return nil
}
