package precision

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// leastStored is the number of elements from which a constant is worth a Cast: its node takes some 100 bytes.
const leastStored = 256

// leastStoredQuality is the least SQNR in dB of a constant that is stored in 16 bits for operators in float32.
const leastStoredQuality = 50

// storable are the operators that take a constant as data, whether it is an initializer or computed from one.
var storable = []string{
	"Gather", "Add", "Sub", "Mul", "Div", "MatMul", "Gemm", "Concat", "Where", "Expand", "Tile", "Slice", "Max", "Min", "Pow",
	"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Split", "Identity", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN",
}

// storeRest stores large constants that float32 operators read in 16 bits.
func (c *converter) storeRest() error {
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for _, v := range g.Initializers() {
			k, err := c.storedForm(v)
			if err != nil {
				return err
			}
			if k == nil {
				continue
			}
			if err := c.store(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// storedForm is the constant when all that read it take it from a Cast without loss worth mentioning; nil otherwise.
func (c *converter) storedForm(v *graph.Value) (*constant, error) {
	t := v.Const()
	if t == nil || t.Type != onnx.Float || v.IsInput() || v.NumUses() == 0 {
		return nil, nil
	}
	if count, err := t.NumElements(); err != nil || count < leastStored {
		return nil, err
	}
	if slices.ContainsFunc(v.Uses(), func(u graph.Use) bool { return !c.mayStore(u) }) {
		return nil, nil
	}
	k, err := c.examine(v)
	if err != nil || !k.finite || k.clamped > 0 || k.sqnr < leastStoredQuality {
		return nil, err
	}
	return k, nil
}

func (c *converter) mayStore(u graph.Use) bool {
	if u.IsReturn() || !u.Node.Is(storable...) {
		return false
	}
	ok, _ := c.env.Select.Match(u.Node)
	return ok
}

// store puts a Cast between the 16-bit form of a constant and its readers.
func (c *converter) store(k *constant) error {
	v := k.value
	t, err := narrowed(v.Const(), c.low)
	if err != nil {
		return err
	}
	half := v.Graph().Init(v.Name()+"_"+c.low.String(), t)
	v.ReplaceUses(c.castTo(v.Graph().Begin(), half, v.Name()+"_float32", onnx.Float), nil)
	removeUnused(v)
	c.stored = append(c.stored, k)
	return nil
}
