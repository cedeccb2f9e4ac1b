// Package woq is the pass that stores weights as integers of 8 or 4 bits, or as
// floats of 8, while activations and arithmetic stay in float.
package woq

import (
	"context"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Options of the pass.
type Options struct {
	Type       string `choices:"int8|int4|e4m3|e5m2" help:"element type of the stored weights; int4 is for matrices, see conv"`
	Block      int    `min:"0" max:"65536" help:"rows of a matrix that share a scale in 4 bits; a smaller divisor is taken where it does not divide; 0: all"`
	Zero       string `choices:"auto|symmetric|asymmetric" help:"zero points of 4-bit blocks; auto: where the target takes them"`
	Scale      string `choices:"auto|mse|absmax" help:"scales of least squared error, or those that reach the largest element; auto: mse, without samples absmax for blocks with zero points"`
	Conv       string `choices:"int8|int4|float" help:"weights of convolutions, for type=int4"`
	Last       string `choices:"int8|same|float" help:"weights of the layers behind which there is no other, for type=int4"`
	Embeddings string `choices:"int8|float" help:"tables that rows are looked up in"`
	Feedback   bool   `help:"with samples: round with error feedback"`
	Refit      bool   `help:"with samples: meet the original's outputs by least squares first"`
	Rescale    bool   `help:"with samples: the best scale for each channel after rounding"`
	Bias       string `choices:"mean|none" help:"with samples: correct biases for what rounding adds to the mean of each output channel"`
	Effort     string `choices:"default|high" help:"what rounding on samples may cost; high takes four times as many samples and as much memory"`
	MinElems   int64  `min:"1" help:"weights with fewer elements stay as they are"`
}

// The choices of Options.
const (
	Int8       = "int8"
	Int4       = "int4"
	E4M3       = "e4m3"
	E5M2       = "e5m2"
	Auto       = "auto"
	Asymmetric = "asymmetric"
	MSE        = "mse"
	AbsMax     = "absmax"
	Same       = "same"
	Float      = "float"
	BiasMean   = "mean"
	BiasNone   = "none"
	Default    = "default"
	High       = "high"
)

var defaults = Options{
	Type: Int8, Block: 32, Zero: Auto, Scale: Auto, Conv: Int8, Last: Int8, Embeddings: Int8,
	Feedback: true, Refit: true, Rescale: true, Bias: BiasMean, Effort: Default, MinElems: 2048,
}

// opsets by type: the first in which DequantizeLinear takes what is stored.
var opsets = map[string]int64{Int8: 13, Int4: 21, E4M3: 19, E5M2: 19}

// Pass stores weights in fewer bits.
var Pass = passes.New(passes.Info{
	Name:    "woq",
	Summary: "weight-only: weights as int8, int4 or FP8, arithmetic in float",
	Doc: `Stores weights of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN and of tables that Gather reads in fewer bits. Nothing
is quantized at run time. type=int8: symmetric, one scale for each output channel. type=int4: matrices in blocks along their
rows (opset 21), the weights of convolutions, of last layers and tables in int8. type=e4m3 and e5m2: 8-bit floats with one scale
for each channel. Where the target's runtime keeps packed weights (MatMul), codes stand behind DequantizeLinear; elsewhere behind
Cast and Mul, which every runtime folds when it loads the file, so that only the file is smaller.

With samples, layers are rounded one after another with error feedback, scales and biases are refitted, and of the ways to round
a weight the one is taken that does best on samples put aside. Without, scales of least squared error are searched.

Before:  y = MatMul (x, w)           with float[768, 768] w
After:   d = DequantizeLinear <axis = 0, block_size = 32> (q, s, z)     with int4[768, 768] q, float[24, 768] s
         y = MatMul (x, d)`,
	Phase: passes.Quantize,
	Needs: []string{"opset", "cleanup"},
	Opset: func(o any, _ *target.Profile) int64 { return opsets[o.(Options).Type] },
}, defaults, run)

func run(ctx context.Context, env *passes.Env, o Options) error {
	p := &plan{env: env, opt: o}
	if err := p.decide(ctx); err != nil {
		return err
	}
	if err := p.round(ctx); err != nil {
		return err
	}
	return p.store()
}
