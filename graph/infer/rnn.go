package infer

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
)

// recurrent is RNN, GRU and LSTM; gates is the number of gates in the weights.
// Layout 0 is [seq, batch, input] -> Y [seq, dirs, batch, hidden], Y_h and Y_c [dirs, batch, hidden];
// layout 1 puts batch first.
func recurrent(gates int64) rule {
	return func(c *call) error {
		if err := c.wantRank(0, 3, 3); err != nil {
			return err
		}
		if err := c.checkRecurrent(gates); err != nil {
			return err
		}
		seq, batch := Dynamic(), Dynamic()
		layout := c.Version >= 14 && c.flag("layout", false)
		if dims, ok := c.dims(0); ok {
			seq, batch = dims[0], dims[1]
			if layout {
				seq, batch = batch, seq
			}
		}
		dirs, hidden := c.directions(), c.hidden(gates)
		if layout {
			c.set(0, Of(batch, seq, dirs, hidden))
		} else {
			c.set(0, Of(seq, dirs, batch, hidden))
		}
		for i := 1; i < len(c.out); i++ {
			if layout {
				c.setType(i, c.elem(0), Of(batch, dirs, hidden))
			} else {
				c.setType(i, c.elem(0), Of(dirs, batch, hidden))
			}
		}
		return nil
	}
}

func (c *call) directions() Dim {
	if c.str("direction", "forward") == "bidirectional" {
		return Static(2)
	}
	return Static(1)
}

// hidden is the attribute, or the last axis of the recurrent weights.
func (c *call) hidden(gates int64) Dim {
	if a := c.attr("hidden_size", onnx.AttrInt); a != nil && a.I > 0 {
		return Static(a.I)
	}
	if dims, ok := c.dims(2); ok && len(dims) == 3 {
		if dims[2].IsStatic() {
			return dims[2]
		}
		if dims[1].IsStatic() && dims[1].Value%gates == 0 {
			return Static(dims[1].Value / gates)
		}
	}
	return Dynamic()
}

// checkRecurrent compares the input weights with the size of the input.
func (c *call) checkRecurrent(gates int64) error {
	x, ok0 := c.dims(0)
	w, ok1 := c.dims(1)
	if !ok0 || !ok1 || len(w) != 3 {
		return nil
	}
	if _, ok := equalDim(x[2], w[2]); !ok {
		return c.mismatch("input size does not fit the weights", w[2], c.shape(0))
	}
	if h := c.hidden(gates); h.IsStatic() && w[1].IsStatic() && mul(h, Static(gates)).Value != w[1].Value {
		return c.mismatch("weights do not fit the hidden size", fmt.Sprintf("%d times %s rows", gates, h), c.shape(1))
	}
	return nil
}

// dynamicLSTM is DynamicQuantizeLSTM of com.microsoft: an LSTM of layout 0 whose
// weights are 8-bit and transposed, [dirs, input, 4*hidden] and [dirs, hidden, 4*hidden].
func dynamicLSTM(c *call) error {
	if err := c.wantRank(0, 3, 3); err != nil {
		return err
	}
	seq, batch, hidden := Dynamic(), Dynamic(), Dynamic()
	if x, ok := c.dims(0); ok {
		seq, batch = x[0], x[1]
		if w, ok := c.dims(1); ok && len(w) == 3 {
			if _, ok := equalDim(x[2], w[1]); !ok {
				return c.mismatch("input size does not fit the weights", w[1], c.shape(0))
			}
		}
	}
	if a := c.attr("hidden_size", onnx.AttrInt); a != nil && a.I > 0 {
		hidden = Static(a.I)
	} else if r, ok := c.dims(2); ok && len(r) == 3 {
		hidden = r[1]
	}
	dirs := c.directions()
	c.setType(0, onnx.Float, Of(seq, dirs, batch, hidden))
	for i := 1; i < len(c.out); i++ {
		c.setType(i, onnx.Float, Of(dirs, batch, hidden))
	}
	return nil
}
