// Package equalize is the pass that evens out the channels of activations
// before they are quantized with one scale a tensor. It divides every channel
// of a tensor by a constant and multiplies the weights that read it: the
// network computes the same, and small channels are no longer rounded with the
// step that the largest one needs.
package equalize

import (
	"context"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// passName is what created nodes say in their metadata.
const passName = "equalize"

// Options of the pass.
type Options struct {
	Mode   string `choices:"auto|fold|off" help:"auto: fold scales into weights, and insert a Mul where that gains much; fold: insert nothing; off: do nothing"`
	Centre bool   `help:"move one-sided activations so that symmetric codes cover them, where the target merges that into the quantization"`
}

// The modes.
const (
	Auto = "auto"
	Fold = "fold"
	Off  = "off"
)

// Few samples are enough for factors: they shape a tensor whose range is
// observed afterwards on all samples. A shift needs the range itself; small
// feature maps show less of it in each sample, so that as many samples are taken as give about enough elements.
const (
	fewSamples  = 16
	manySamples = 128
	enough      = 64 << 20
)

// leastOpset is the version from which the operators are read as they are now. Older models are left alone: quant refuses them anyway.
const leastOpset = 13

// Pass evens out channel ranges for the profile of the environment.
//
// Before: any float model. After: the same function up to rounding in float32,
// with activations whose channels have similar ranges where one 8-bit scale
// loses accuracy otherwise.
var Pass = passes.New(passes.Info{
	Name:    "equalize",
	Summary: "even out the channel ranges of activations before quantization; the function stays the same",
	Doc: `Divides the channels of an activation by constants r and multiplies the weights of the layers that read it by r, so that
one scale for the tensor fits all channels. The division is folded into whatever computes the tensor: the weights of a Conv, ConvTranspose,
Gemm or MatMul (through Relu, LeakyRelu, PRelu, pooling, padding, resizing and additions), a BatchNormalization, the gain of a LayerNormalization, a
constant factor. Behind SiLU, HardSwish and Clip, where that is not possible, one Mul is inserted when the gain is large.

For targets with symmetric codes that merge it into the quantization (tensorrt), activations on one side of zero that only convolutions read are moved
by half of their range, with the biases of those convolutions, the bounds of Relu and Clip, and a Pad where a convolution pads.

Looked at are the inputs of depthwise convolutions and of matrix products. The constants are r = (rms(x_c) + 0.2 max|x_c|)^alpha of channel
c, with the alpha of the least noise that 8 bits add at the reading layers, computed from per-channel histograms of a few samples. Left alone: graph outputs,
tensors with a reader that cannot compensate, gains that are too small. The report says for every tensor what was done or why not.`,
	Phase:     passes.Precision,
	Needs:     []string{"opset", "cleanup"},
	NeedsData: true,
}, Options{Mode: Auto, Centre: true}, run)

func run(ctx context.Context, env *passes.Env, o Options) error {
	if o.Mode == Off || env.Calib == nil || env.Model.Opset("") < leastOpset {
		return nil
	}
	e := &equalizer{env: env, opt: o, profile: env.Target}
	if e.profile == nil {
		e.profile = target.Lookup("portable")
	}
	e.findSites()
	e.findCentres()
	e.findUngated()
	if len(e.sites)+len(e.centres) == 0 {
		return nil
	}
	if err := e.observe(ctx); err != nil {
		return err
	}
	e.group()
	e.decide()
	e.measureCentres()
	if !env.DryRun {
		if err := e.apply(); err != nil {
			return err
		}
	}
	e.report()
	return env.Model.Main.Sort()
}

// equalizer decides what becomes of every tensor, then edits.
type equalizer struct {
	env     *passes.Env
	opt     Options
	profile *target.Profile
	sites   []*site
	classes []*class
	centres []*centre
	ungated []*site // outputs of convolutions that are quantized in front of a gate
}

// observe measures the channels of all sites on a few samples.
func (e *equalizer) observe(ctx context.Context) error {
	all, n := append(slices.Clone(e.sites), e.ungated...), fewSamples
	for _, c := range e.centres {
		all = append(all, c.site)
	}
	if len(e.centres) > 0 {
		n = min(max(enough/elements(all), fewSamples), manySamples)
	}
	for _, s := range append(slices.Clone(e.sites), e.ungated...) {
		s.stats.every = max(n/fewSamples, 1)
	}
	few := &calib.Calibration{Runner: e.env.Calib.Runner, Samples: e.env.Calib.Samples.Spread(n), Threads: e.env.Calib.Threads}
	observers := make([]calib.Observer, len(all))
	for i, s := range all {
		observers[i] = s.stats
	}
	reasons, err := few.Observe(ctx, e.env.Model, observers)
	if err != nil {
		return err
	}
	for i, why := range reasons {
		if why != nil {
			all[i].reason = "its values cannot be observed"
		}
	}
	e.sites = slices.DeleteFunc(e.sites, func(s *site) bool { return s.reason != "" || !s.stats.usable() })
	return nil
}

// unknownSize stands for a size that is not known, but for that of the batch.
const unknownSize = 64

// elements is about how many elements the sites have in one sample.
func elements(sites []*site) int {
	sum := 1
	for _, s := range sites {
		n := 1
		for i, d := range s.value.Shape().Dims {
			switch {
			case d.Value > 0:
				n = min(n*int(min(d.Value, enough)), enough)
			case i > 0:
				n = min(n*unknownSize, enough)
			}
		}
		sum += n
	}
	return sum
}
