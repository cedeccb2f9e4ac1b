package precision

import (
	"context"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// StorageOptions of fp16-storage.
type StorageOptions struct {
	Strict bool `help:"fail when a constant has values outside the range of the type"`
}

// Storage halves the file and changes no arithmetic.
var Storage = passes.New(passes.Info{
	Name:    "fp16-storage",
	Summary: "float16 constants behind a Cast to float32: half the file, the same arithmetic",
	Doc: `Stores float32 constants of 256 elements and more as float16, each behind a Cast to float32 that runtimes fold when they
load the file. Arithmetic, speed and memory stay those of the float32 model (OpenVINO keeps weights of matrix products in
16 bits). Constants stay as they are that have values beyond +-65504, NaN or infinity, that keep less than 50 dB, that
operators read which take initializers only, or whose readers --exclude names. Values below the smallest float16
become zero and are counted.

Before:   y = Conv (x, w)                    with float32[64, 64, 3, 3] w
After:    w_float32 = Cast <to = float32> (w_float16)    with float16[64, 64, 3, 3] w_float16
          y = Conv (x, w_float32)`,
	Phase: passes.Quantize,
	Needs: []string{"opset", "cleanup"},
}, StorageOptions{}, func(_ context.Context, env *passes.Env, o StorageOptions) error {
	p := env.Target
	if p == nil {
		p = target.Lookup("portable")
	}
	c := newConverter(env, p, onnx.Float16, Options{Strict: o.Strict})
	if o.Strict {
		list, err := c.storedForms()
		if err != nil {
			return err
		}
		if err := strict(onnx.Float16, list); err != nil {
			return err
		}
	}
	if err := c.storeRest(); err != nil {
		return err
	}
	if err := c.model.Infer(); err != nil {
		return err
	}
	conversions(env, onnx.Float16, c.stored)
	return nil
})

// storedForms are the constants that would be stored in 16 bits.
func (c *converter) storedForms() ([]*constant, error) {
	var out []*constant
	for g := range c.model.Graphs() {
		if g.Function() != nil {
			continue
		}
		for _, v := range g.Initializers() {
			k, err := c.storedForm(v)
			if err != nil {
				return nil, err
			}
			if k != nil {
				out = append(out, k)
			}
		}
	}
	return out, nil
}
