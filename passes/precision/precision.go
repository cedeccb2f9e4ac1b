// Package precision is the family of passes that write the float part of a
// model in 16 bits: fp16 and bf16 convert what is computed, fp16-storage
// converts what is stored.
package precision

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Options of fp16 and bf16.
type Options struct {
	// MaxAbs leaves room for inputs that the samples do not show: twice the largest observed value still fits.
	MaxAbs  float64 `min:"1" help:"largest observed magnitude that a 16-bit tensor may have; operators beyond it stay float32"`
	Sums    int     `min:"0" help:"most elements that a reduction, a pooling or a softmax adds up in 16 bits"`
	Samples int     `min:"1" help:"most samples to observe magnitudes on"`
	IODtype string  `opt:"io-dtype" choices:"keep|low" help:"types of the model's float inputs and outputs: as they are, or 16-bit"`
	Strict  bool    `help:"fail when a constant has values outside the range of the type"`
}

// The choices of IODtype.
const (
	KeepIO = "keep"
	LowIO  = "low"
)

// sums is how many elements a sum in 16 bits may have. Rounding errors of a sum of n equal elements reach
// n/2 units of the last place when a kernel adds in 16 bits, one after another.
const sums = 256

// FP16 converts a model to IEEE half precision.
var FP16 = passes.New(passes.Info{
	Name:    "fp16",
	Summary: "float16 weights and arithmetic, float32 where it must stay",
	Doc: halfDoc("float16", `Constants beyond +-65504 are clamped where that changes nothing (bounds of Clip, fill values) and keep their
operator in float32 elsewhere; values below the smallest float16 become zero. Both are counted for each tensor.
With samples, operators with an observed magnitude above max-abs stay float32.`),
	Phase: passes.Quantize,
	Needs: []string{"opset", "cleanup"},
	Opset: pairOpset,
}, Options{MaxAbs: maxHalf / 2, Sums: sums, Samples: 16, IODtype: KeepIO}, func(ctx context.Context, env *passes.Env, o Options) error {
	return run(ctx, env, onnx.Float16, o)
})

// maxHalf is the largest finite float16.
const maxHalf = 65504

// BFloat16Options of bf16.
type BFloat16Options struct {
	Sums    int    `min:"0" help:"most elements that a reduction, a pooling or a softmax adds up in 16 bits"`
	IODtype string `opt:"io-dtype" choices:"keep|low" help:"types of the model's float inputs and outputs: as they are, or 16-bit"`
	Strict  bool   `help:"fail when a constant has values outside the range of the type"`
}

// BF16 converts a model to bfloat16.
var BF16 = passes.New(passes.Info{
	Name:    "bf16",
	Summary: "bfloat16 weights and arithmetic, float32 where it must stay",
	Doc: halfDoc("bfloat16", `bfloat16 has the range of float32 and 8 bits of precision. Most operators take it from opset 22 on, to which the
opset pass raises the model. ONNX Runtime has no CPU kernels for it: target ort is refused.`),
	Phase: passes.Quantize,
	Needs: []string{"opset", "cleanup"},
	Opset: func(any, *target.Profile) int64 { return 22 },
}, BFloat16Options{Sums: sums, IODtype: KeepIO}, func(ctx context.Context, env *passes.Env, o BFloat16Options) error {
	return run(ctx, env, onnx.BFloat16, Options{Sums: o.Sums, IODtype: o.IODtype, Strict: o.Strict})
})

func halfDoc(name, more string) string {
	return `Converts float32 weights and arithmetic to ` + name + `. The model's inputs and outputs keep names and types: a Cast
stands behind each float input and in front of each float output (io-dtype=low: they become ` + name + ` instead).
Float32 stay, with the reason in the report: operators whose definition has no ` + name + ` form, written-out
normalisations, sums of more than sums elements, operators of other domains and calls of functions, what --exclude names,
and small operators between two such, where Casts would cost more than they save. Casts are as few as possible: the border
between the types is a minimum cut of the graph. Bodies of If, Loop and Scan are converted with it. Constants of operators
that stay float32 are stored as ` + name + ` behind a Cast, which runtimes fold at load, where nothing is lost.
Scales of QuantizeLinear and DequantizeLinear become ` + name + ` where the target takes them (opset 19); elsewhere
8-bit layers stay as they are.
` + more
}

// pairOpset is the opset in which pairs take 16-bit scales, where the target wants these.
func pairOpset(_ any, t *target.Profile) int64 {
	if t != nil && t.Float16.Scales {
		return leastPairOpset
	}
	return 0
}

// leastPairOpset is the first opset with 16-bit scales of QuantizeLinear and DequantizeLinear.
const leastPairOpset = 19

// leastOpset is the first opset that the passes write: before it, some operators of the conversion have other forms.
const leastOpset = 13

func run(ctx context.Context, env *passes.Env, low onnx.DataType, o Options) error {
	p := env.Target
	if p == nil {
		p = target.Lookup("portable")
	}
	if v := env.Model.Opset(""); v < leastOpset {
		return diag.New("OP3480", "conversion to 16-bit floats needs opset 13", "found", fmt.Sprintf("opset %d", v)).
			Hinted("leave --no-prep out, so that the opset pass raises it first")
	}
	if !p.Executes16(low) {
		return diag.New("OP3481", p.Title+" does not run "+low.String(), "target", p.Name).
			Hinted("use fp16, or name the runtime that will read the file with --target")
	}
	c := newConverter(env, p, low, o)
	if err := c.plan(ctx); err != nil {
		return err
	}
	if err := c.judgeStrict(); err != nil {
		return err
	}
	if err := c.apply(); err != nil {
		return err
	}
	c.report()
	return nil
}
