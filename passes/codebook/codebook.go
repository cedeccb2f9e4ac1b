// Package codebook holds the passes that share weights: codebook clusters the
// elements of each weight and stores which entry of a small table each is,
// materialize writes such weights out again.
package codebook

import (
	"context"
	"math/bits"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// Options of the pass.
type Options struct {
	Kind        string          `choices:"scalar|vector|auto" help:"entries are numbers, or pairs for two neighbouring inputs; auto, at 4 bits: pairs for large weights, finer and slower"`
	K           int             `min:"0" max:"256" help:"entries of a table; 0: 16 numbers or 256 pairs. 4, 16 and 256 fill the 2, 4 and 8 bits of a code"`
	Bits        int             `min:"0" max:"8" help:"the same as bits for each weight, in place of k: 4 is k=16, or k=256 for pairs"`
	Granularity string          `help:"what shares a table: tensor, group:N for N output channels, channel, or model for all weights"`
	Scale       bool            `help:"one scale for each output channel"`
	Entries     palette.Entries `choices:"auto|fp32|fp16|int8" help:"what entries are rounded to; auto: int8 where the target keeps such weights in 8 bits and k is at most 16, else fp16"`
	PinZero     palette.Zero    `choices:"auto|on|off" help:"make 0 an entry, so that zeros stay zeros; auto: where more than a twentieth are"`
	Unique      bool            `help:"only weights that have at most k distinct values, exactly"`
	Weighting   string          `choices:"none|variance" help:"with samples: what the error of a weight counts when tables are fitted"`
	Feedback    bool            `help:"with samples: choose entries with error feedback"`
	Refit       bool            `help:"with samples: meet the original's outputs by least squares first"`
	ScaleRefit  bool            `help:"with samples: the best scale of each channel for the entries that were chosen"`
	TableRefit  bool            `help:"with samples: the best entries for the choices that were made"`
	Bias        string          `choices:"mean|none" help:"with samples: correct biases for what clustering adds to the mean of each output channel"`
	MinElems    int64           `min:"1" help:"weights with fewer elements stay as they are"`
}

// The choices of Options.
const (
	Auto     = "auto"
	Scalar   = "scalar"
	Vector   = "vector"
	Tensor   = "tensor"
	Channel  = "channel"
	Model    = "model"
	Group    = "group:"
	None     = "none"
	Variance = "variance"
	BiasMean = "mean"
)

var defaults = Options{
	Kind: Scalar, Granularity: Tensor, Scale: true, Entries: palette.Auto, PinZero: palette.ZeroAuto, Weighting: None,
	Feedback: true, Refit: true, ScaleRefit: true, TableRefit: true, Bias: BiasMean, MinElems: 2048,
}

// Validate checks what belongs together.
func (o Options) Validate() error {
	_, ok := o.group()
	switch {
	case !ok:
		return diag.New("OP2005", "bad value for option granularity of pass codebook", "found", o.Granularity, "wanted", "tensor, group:N, channel or model")
	case o.K == 1 || o.Bits == 1:
		return diag.New("OP2005", "a table of one entry holds nothing", "option", "k, bits").Hinted("use 2 or more")
	case o.K > 0 && o.Bits > 0 && o.entries() != o.K:
		return diag.New("OP2005", "k and bits of pass codebook contradict each other", "k", strconv.Itoa(o.K), "bits", strconv.Itoa(o.Bits)).Hinted("give one of them")
	case o.Kind == Vector && o.Bits > 4:
		return diag.New("OP2005", "a table of pairs holds at most 256, which is 4 bits for each weight", "bits", strconv.Itoa(o.Bits)).Hinted("use kind=scalar")
	case o.Granularity == Model && !o.Scale:
		return diag.New("OP2005", "one table for all weights needs a scale for each channel", "option", "scale").Hinted("use scale=true, or another granularity")
	case o.Entries == palette.Int8 && o.entries() > 16:
		return diag.New("OP2005", "int8 entries are as coarse as int8 weights, which need no table", "k", strconv.Itoa(o.entries())).Hinted("use entries=fp16, k=16, or the pass woq")
	}
	return nil
}

// entries is the size of a table.
func (o Options) entries() int {
	switch {
	case o.Bits > 0 && o.Kind == Vector:
		return 1 << min(8, 2*o.Bits)
	case o.Bits > 0:
		return 1 << o.Bits
	case o.K > 0:
		return o.K
	case o.Kind == Vector:
		return palette.Most
	}
	return 16
}

// group is how many channels share a table, 0 for all.
func (o Options) group() (int, bool) {
	switch o.Granularity {
	case Tensor, Model:
		return 0, true
	case Channel:
		return 1, true
	}
	text, ok := strings.CutPrefix(o.Granularity, Group)
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n > 0
}

// format is what weights are stored in.
func (o Options) format(t *target.Profile, threads int) *palette.Format {
	group, _ := o.group()
	return &palette.Format{
		K: o.entries(), Pairs: o.Kind == Vector, Group: group, Scale: o.Scale && o.Granularity != Channel, Entries: o.Entries, Zero: o.PinZero,
		Weighted: o.Weighting == Variance, Unique: o.Unique, Target: t, Threads: threads,
	}
}

// pairsFrom is the number of elements from which kind=auto takes pairs: their
// table is 1 KiB, which is then less than a sixteenth of the codes.
const pairsFrom = 32 << 10

// pairs is the format of large weights for kind=auto; nil when there is one format for all.
func (o Options) pairs(f *palette.Format) *palette.Format {
	if o.Kind != Auto || o.entries() != 16 || o.Granularity != Tensor || o.Unique || o.Entries == palette.Int8 {
		return nil
	}
	large := *f
	large.K, large.Pairs = palette.Most, true
	return &large
}

// between says whether codes of this table leave bits unused.
func (o Options) between() bool {
	k := o.entries()
	width := bits.Len(uint(k - 1))
	return !o.Unique && (o.Kind == Vector && width < 8 || o.Kind != Vector && width != 2 && width != 4 && width != 8)
}

// Passes are the passes of this package.
var Passes = []passes.Pass{Pass, Materialize}

// Pass stores weights as codes and tables.
var Pass = passes.New(passes.Info{
	Name:    "codebook",
	Summary: "weight sharing: weights as codes of 2, 4 or 8 bits and a table of values",
	Doc: `Clusters the weights of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN and tables that Gather reads, and stores for each
element which entry of a table it is: the best k numbers for the weight, computed exactly (dynamic programming), or
pairs of them. By default each output channel has a scale and all share one table. The file shrinks to about an eighth (k=16)
or a quarter (k=256); arithmetic stays in float. Runtimes put the weights together once, when they load the file, and run as
fast as before. In front of MatMul, where the target's runtime keeps weights in 8 bits, entries are whole numbers behind
DequantizeLinear. TensorRT does not put them together: for that target the pass materialize follows, and the file does not shrink.

With samples, layers are clustered one after another with error feedback, scales and tables are refitted, biases corrected, and
of the ways to choose codes the one is taken that does best on samples put aside. Without, the nearest entry is taken.
A weight whose codes, table and scales are not at least 10 % smaller stays, as does what is stored in codes already.

Before:  y = Conv (x, w)                     with float[64, 32, 3, 3] w
After:   i = Cast <to = int32> (c)           with uint8[9216] c: two codes a byte
         p = Gather (t, b)                   with float[16] t; b: the two codes of each byte, once for the model
         g = Gather (p, i)
         v = Reshape (g, shape)
         w = Mul (v, s)                      with float[64, 1, 1, 1] s
         y = Conv (x, w)`,
	Phase: passes.Storage,
	Needs: []string{"opset", "cleanup"},
	Follow: func(_ any, t *target.Profile) []string {
		if t.Weights.Unfolded {
			return []string{"materialize"}
		}
		return nil
	},
}, defaults, run)

func run(ctx context.Context, env *passes.Env, o Options) error {
	p := &plan{env: env, opt: o}
	if err := p.decide(); err != nil {
		return err
	}
	if err := p.round(ctx); err != nil {
		return err
	}
	return p.finish()
}
