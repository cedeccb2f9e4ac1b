// Package quant is the pass that turns products of a trained network into
// 8-bit integer arithmetic: static quantization with QuantizeLinear and
// DequantizeLinear pairs, weights per output channel, activations by observed
// ranges, placed as the target profile says.
package quant

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/passes"
)

// Method is how the range of an activation is chosen from its statistics.
type Method string

// The range methods.
const (
	MSE        Method = "mse"        // least squared error on the histogram
	MinMax     Method = "minmax"     // everything that was observed
	Percentile Method = "percentile" // all but the outermost share of elements
	Auto       Method = "auto"       // mse, with what lies beyond the range weighed as it arrives behind the layers that read the tensor
	Mean       Method = "mean"       // mean over samples of each sample's minimum and maximum
)

// Options of the pass.
type Options struct {
	Format     string  `choices:"int8|fp8|fp8-e5m2" help:"codes of activations and weights; fp8 is float8e4m3fn"`
	Range      Method  `choices:"mse|auto|minmax|percentile|mean" help:"how the range of an activation is chosen"`
	Percentile float64 `min:"50" max:"100" help:"share of elements inside the range, in percent, for range=percentile"`
	MaxClip    float64 `min:"0" max:"100" help:"most elements that range=mse may cut off, in percent; symmetric ranges are not limited"`
	ISA        string  `choices:"vnni|avx2" help:"x86 instructions of the machine that runs the file; avx2 (also AVX-512 without VNNI) enlarges the scales of channels whose 16-bit sums would saturate"`
	Bias       string  `choices:"mean|none" help:"correct biases for what quantization adds to the mean of each output channel"`
	Effort     string  `choices:"fast|default|high" help:"fast corrects biases alone and has no figures of layers; the others rebuild layer after layer on samples"`
	Rounding   string  `choices:"feedback|nearest" help:"how weights are rounded when layers are rebuilt"`
	Refit      bool    `help:"meet the original's outputs by least squares when layers are rebuilt"`
	Budget     string  `choices:"revert|off" help:"with --min-sqnr or --min-agree: return the fewest layers to float that the gate needs, or only judge"`
	MaxFloat   float64 `min:"0" max:"100" help:"most multiply-accumulates that the budget may return to float, in percent"`
	Rest       string  `choices:"auto|float32|float16|bfloat16" help:"element type of what is not quantized, written by fp16 or bf16 behind this pass; auto: what the target runs fastest"`
}

// defaults of the pass.
var defaults = Options{
	Format: FormatInt8, Range: Auto, Percentile: 99.99, MaxClip: 0.1, ISA: ISAVNNI, Bias: BiasMean, Effort: EffortDefault, Rounding: RoundFeedback, Refit: true,
	Budget: BudgetRevert, MaxFloat: 50, Rest: RestAuto,
}

// The choices of Options.
const (
	BiasMean      = "mean"
	BiasNone      = "none"
	EffortFast    = "fast"
	EffortDefault = "default"
	EffortHigh    = "high"
	RoundFeedback = "feedback"
	RoundNearest  = "nearest"
)

// Pass quantizes a model to static INT8 for the profile of the environment.
//
// Before: Conv, ConvTranspose, Gemm, MatMul and LSTM with float32 weights. After:
// their weights are int8 initializers behind DequantizeLinear, their inputs
// pass through a QuantizeLinear > DequantizeLinear pair, biases stay float32.
// Names, types and shapes of the model's inputs and outputs do not change.
// What stays float, and why, is in the report. The pass refuses models below
// opset 13, in which DequantizeLinear has no axis.
var Pass = passes.New(passes.Info{
	Name:    "quant",
	Summary: "static INT8 or FP8: 8-bit weights per output channel, 8-bit activations, by Q/DQ pairs",
	Doc: `Quantizes Conv, ConvTranspose, Gemm and MatMul. Weights become int8, symmetric per output channel, stored as
initializer + DequantizeLinear. Activations get one QuantizeLinear > DequantizeLinear pair per tensor, with ranges
observed on the samples; type, zero point and placement follow the target. Biases stay float32 (int32 where the target asks
for it) and are corrected for what quantization adds to the mean of each output channel. With effort=default and high, layers
are rebuilt one after another on samples: weights by least squares against the original's outputs and by rounding with error
feedback, biases in sequence; of the forms of each layer the one is kept that does best on samples put aside.
With format=fp8, activations and weights become float8e4m3fn (fp8-e5m2: float8e5m2) with the same placement, scales of max|x| / 448
(57344) after the same search of ranges, on the grid of the type; layers are not rebuilt, biases are corrected. It needs opset 19.
LSTM becomes DynamicQuantizeLSTM where the target has it: int8 weights per row, activations quantized at run time.
Computed in float, with the reason in the report: what the target has no 8-bit kernel for, squeeze-and-excite gates, bodies
of If and Loop, tensors that the samples never reach, what --exclude names. Constants of float arithmetic above 4 KiB
(weights of such layers, of GRU and RNN, tables) are stored in 8 bits, or as float16 where the samples or the values show
that 8 bits would be felt, behind nodes that the runtime folds when it loads the file; what --exclude names is not.`,
	Phase:     passes.Quantize,
	Needs:     []string{"opset", "cleanup", "equalize"},
	NeedsData: true,
	Follow:    follow,
	Opset:     restOpset,
	Prepare:   prepare,
}, defaults, run)

func run(ctx context.Context, env *passes.Env, o Options) error {
	if o.limited(env) {
		return withinBudget(ctx, env, o)
	}
	p, err := quantizeModel(ctx, env, o, nil)
	if err != nil || env.DryRun || o.Effort == EffortFast {
		return err
	}
	return p.trace(ctx)
}

// quantizeModel plans, edits the model and reports. The layers in float, by the
// names of their outputs, are left alone for the reasons given.
func quantizeModel(ctx context.Context, env *passes.Env, o Options, float map[string]string) (*planner, error) {
	p, err := newPlanner(env, o)
	if err != nil {
		return nil, err
	}
	p.keep = float
	if err := p.decide(ctx); err != nil {
		return nil, err
	}
	p.report()
	if env.DryRun {
		return p, nil
	}
	p.before = env.Model.Clone()
	if err := p.edit(ctx); err != nil {
		return nil, err
	}
	p.reportRepair()
	return p, nil
}

// decide takes all decisions; it reads the model only.
func (p *planner) decide(ctx context.Context) error {
	if err := p.plan(ctx); err != nil {
		return err
	}
	if err := p.noteEdges(ctx); err != nil {
		return err
	}
	if err := p.guardSaturation(ctx); err != nil {
		return err
	}
	if err := p.measureShifts(ctx); err != nil {
		return err
	}
	return p.planStored(ctx)
}

// edit carries them out.
func (p *planner) edit(ctx context.Context) error {
	if err := p.apply(ctx); err != nil {
		return err
	}
	p.nativeForms()
	return nil
}

// repairs says whether layers are rebuilt on samples.
func (p *planner) repairs() bool {
	return p.env.Calib != nil && p.opt.Effort != EffortFast && !p.float8()
}

// leastSamples are what statistics are taken of at least: in large models more bring little, see docs/quantization-results.md.
const leastSamples = 48

// much is the number of multiply-accumulates in statistics from which a model counts as large.
const much = 20e9

// calibration is what statistics are taken with: all samples where they take
// little time, were asked for by name of the effort or of the method, or where a branch may need a rare one.
func (p *planner) calibration() *calib.Calibration {
	c := p.env.Calib
	n := leastSamples
	if p.opt.Effort == EffortDefault {
		n = max(n, int(min(much/max(1, float64(p.cost.MACs)), math.MaxInt32)))
	}
	everything := p.opt.Effort == EffortHigh || p.opt.Range != Auto && p.opt.Range != MSE || len(p.branching()) > 0
	if c.Samples.Len() <= n || everything && p.opt.Effort != EffortFast {
		return c
	}
	if p.few == nil {
		p.few = &calib.Calibration{
			Runner: c.Runner, Samples: c.Samples.Spread(n), Threads: c.Threads, Progress: c.Progress, CacheDir: c.CacheDir,
		}
	}
	return p.few
}

// collect asks for the statistics of the tensors that carry pairs.
func (p *planner) collect(ctx context.Context) (*calib.Table, error) {
	var reqs []calib.Request
	seen := map[string]bool{}
	for _, t := range p.tensors {
		if name := t.value.Name(); !t.repeat && t.value.Const() == nil && !seen[name] {
			seen[name] = true
			reqs = append(reqs, request(t))
		}
	}
	for _, n := range p.branching() {
		if name := n.In(0).Name(); !seen[name] {
			seen[name] = true
			reqs = append(reqs, calib.Request{Value: name})
		}
	}
	return p.calibration().Collect(ctx, p.model, reqs, p.watchShifts()...)
}

// request asks for statistics along the channels as well where a layer with a
// weight reads the tensor: along the axis over which its product sums.
func request(t *tensor) calib.Request {
	r := calib.Request{Value: t.value.Name()}
	for _, u := range t.readers {
		switch n := u.Node; {
		case u.Index != 0 || n.In(1) == nil || n.In(1).Const() == nil:
		case n.Is("Conv", "ConvTranspose"):
			return calib.Request{Value: r.Value, Channels: true, Axis: 1}
		case n.Is("MatMul"), n.Is("Gemm") && n.Int("transA", 0) == 0:
			return calib.Request{Value: r.Value, Channels: true, Axis: -1}
		}
	}
	return r
}
