package opset

import (
	"errors"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// batchNorm9: statistics are per channel. With spatial = 0 they were per
// element, which is the same for inputs of two dimensions.
func batchNorm9(c *conversion) error {
	if err := c.reference("spatial"); err != nil {
		return err
	}
	if dims, ok := shape(c.n.In(0)); c.n.Int("spatial", 1) == 0 && (!ok || len(dims) != 2) {
		return errors.New("spatial = 0: statistics per element")
	}
	return drop("spatial")(c)
}

// batchNorm14 drops the outputs of training, which are other ones now.
func batchNorm14(c *conversion) error {
	for i := c.n.NumOut() - 1; i > 0; i-- {
		v := c.n.Out(i)
		if v == nil {
			continue
		}
		if v.NumUses() > 0 {
			return fmt.Errorf("output %d, of training, is used", i)
		}
		c.n.DropOut(i)
	}
	return nil
}

// groupNorm21: scale and bias are per channel, not per group. Those of a
// group are repeated for each of its channels.
func groupNorm21(c *conversion) error {
	if err := c.reference("num_groups"); err != nil {
		return err
	}
	dims, ok := shape(c.n.In(0))
	groups := c.n.Int("num_groups", 0)
	if !ok || len(dims) < 2 || dims[1] < 0 || groups < 1 || dims[1]%groups != 0 {
		return errors.New("the number of channels is unknown or no multiple of num_groups")
	}
	if dims[1] == groups {
		return nil
	}
	for i := 1; i <= 2; i++ {
		v, err := c.perChannel(c.n.In(i), groups, dims[1]/groups)
		if err != nil {
			return err
		}
		c.replace(i, v)
	}
	return nil
}

// perChannel repeats each of the elements of v.
func (c *conversion) perChannel(v *graph.Value, groups, times int64) (*graph.Value, error) {
	t := v.Const()
	if t == nil || v.IsInput() {
		column := c.before().Op("Reshape", c.hint("groups"), v, c.ints("column", groups, 1)).Out(0)
		wide := c.before().Op("Expand", c.hint("channels"), column, c.ints("times", groups, times)).Out(0)
		return c.before().Op("Reshape", c.hint("channels"), wide, c.ints("vector", groups*times)).Out(0), nil
	}
	size := int64(t.Type.Bits() / 8)
	if size == 0 || t.Data == nil || t.Data.Len() != groups*size {
		return nil, errors.New("scale and bias are not one value per group")
	}
	data, err := t.Data.Bytes()
	if err != nil {
		return nil, err
	}
	var out []byte
	for ; len(data) > 0; data = data[size:] {
		for range times {
			out = append(out, data[:size]...)
		}
	}
	return c.constant(v.Name()+"_channels", &onnx.Tensor{Type: t.Type, Dims: []int64{groups * times}, Data: onnx.RawBytes(out)}), nil
}
