package axes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// Mask is the reference for Cut: a copy of the model, uncut, in which the
// removed classes contribute nothing where they are summed over. Constant
// floating-point factors get zeros, before all others the data is multiplied
// with a constant of ones and zeros. It shares nothing with Cut but the list
// of sinks. Channels themselves stay as they are: what a constant, bias or
// activation makes of them does not matter when nobody adds them up.
func (a *Analysis) Mask(classes []int) (*graph.Model, error) {
	c, err := a.newCut(a.Model, classes)
	if err != nil {
		return nil, err
	}
	m := a.Model.Clone()
	twin := map[*graph.Node]*graph.Node{}
	copies := slices.Collect(m.Main.All())
	for i, n := range slices.Collect(a.Model.Main.All()) {
		twin[n] = copies[i]
	}
	for _, s := range a.Sinks {
		n := twin[s.Node]
		if err := c.mask(s, n); err != nil {
			return nil, err
		}
	}
	c.silenceOutputs(m)
	if err := m.Infer(); err != nil {
		return nil, fmt.Errorf("axes: shapes do not agree after masking: %w", err)
	}
	return m, nil
}

// mask silences the removed atoms of one sink; n is its node in the copy.
func (c *cut) mask(s Sink, n *graph.Node) error {
	w := s.Node.In(s.Weight)
	a := c.at(w, s.WeightAxis)
	if s.Data >= 0 && (a == none || c.lost[a] == 0) {
		a = c.at(s.Node.In(s.Data), s.DataAxis)
	}
	if a == none || c.lost[a] == 0 {
		return nil
	}
	if t := n.In(s.Weight).Const(); t != nil && (t.Type.IsFloat() || s.Zero > 0) && c.lost[c.at(w, s.WeightAxis)] > 0 {
		codes, err := zeroCodes(n.In(s.Zero), s.Zero)
		if err != nil {
			return err
		}
		zeroed, err := c.zero(t, s, a, codes)
		if err != nil {
			return err
		}
		n.SetIn(s.Weight, n.Graph().Init(w.Name()+"_masked", zeroed))
		return nil
	}
	if s.Data < 0 {
		return errors.New("axes: recurrent weights are no floating-point constant")
	}
	data := n.In(s.Data)
	x := c.at(s.Node.In(s.Data), s.DataAxis)
	ones, err := c.ones(x, data, s.DataAxis)
	if err != nil {
		return err
	}
	product := n.Before().Op("Mul", data.Name()+"_mask", data, n.Graph().Init(data.Name()+"_mask", ones))
	n.SetIn(s.Data, product.Out(0))
	return nil
}

// zeroCodes are the bytes that mean zero in an integer weight, one for all or one for each output; nil for floats.
func zeroCodes(v *graph.Value, at int) ([]byte, error) {
	switch {
	case at == 0:
		return nil, nil
	case v == nil:
		return []byte{0}, nil
	case v.Const() == nil:
		return nil, errors.New("axes: a zero point is computed")
	}
	return v.Const().Raw()
}

// zero is t with zeros, or the codes that mean it, at the removed indices of the axis of a sink.
func (c *cut) zero(t *onnx.Tensor, s Sink, a axis, codes []byte) (*onnx.Tensor, error) {
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	out := slices.Clone(raw)
	inner := t.Type.Bits() / 8
	for _, d := range t.Dims[s.WeightAxis+1:] {
		inner *= int(d)
	}
	for i := 0; i < len(out) && inner > 0; i += inner {
		if k := int32(i/inner) % c.width[a]; !c.gone[c.start[a]+k] {
			continue
		}
		clear(out[i : i+inner])
		for j := i; len(codes) > 0 && j < i+inner; j++ {
			out[j] = codes[indexAlong(t.Dims, outputsOf(s, len(t.Dims)), j)%len(codes)]
		}
	}
	return onnx.NewTensor(t.Type, t.Dims, out), nil
}

// outputsOf is the axis of a sink's weights that its outputs run along.
func outputsOf(s Sink, rank int) int {
	switch {
	case strings.Contains(s.Node.Op(), "Conv"):
		return 0
	case s.WeightAxis == rank-1:
		return rank - 2
	}
	return rank - 1
}

// indexAlong is the index of element j along an axis.
func indexAlong(dims []int64, along, j int) int {
	for _, d := range dims[along+1:] {
		j /= int(d)
	}
	return j % int(dims[along])
}

// ones is a constant that multiplies the removed indices of an axis of data by 0.
func (c *cut) ones(a axis, data *graph.Value, along int) (*onnx.Tensor, error) {
	dims := make([]int64, rank(data)-along)
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = int64(c.width[a])
	values := make([]float32, c.width[a])
	for i := range values {
		if !c.gone[c.start[a]+int32(i)] {
			values[i] = 1
		}
	}
	switch data.Elem() {
	case onnx.Float:
		return onnx.FromFloat32s(dims, values), nil
	case onnx.Double:
		wide := make([]float64, len(values))
		for i, v := range values {
			wide[i] = float64(v)
		}
		return onnx.From(dims, wide), nil
	case onnx.Float16:
		raw := make([]byte, 2*len(values))
		dtype.EncodeF16(raw, values)
		return onnx.NewTensor(onnx.Float16, dims, raw), nil
	}
	return nil, fmt.Errorf("axes: data of type %s cannot be masked", data.Elem())
}
