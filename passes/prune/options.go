package prune

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// Criterion orders the channels of a pool by importance.
type Criterion string

// The criteria. Those that need samples look at what the channels do on them.
const (
	OBS    Criterion = "obs"    // error of the layers that read a channel when the others make up for it: optimal brain surgeon
	Wanda  Criterion = "wanda"  // its mean square times the squared weights that read it
	FLAP   Criterion = "flap"   // its variance times the squared weights that read it
	L1     Criterion = "l1"     // sum of magnitudes of the weights that make a channel
	L2     Criterion = "l2"     // root of the sum of their squares
	BN     Criterion = "bn"     // scale of the BatchNormalization behind it
	Random Criterion = "random" // none: for comparison
)

// data tells whether a criterion needs samples.
func (c Criterion) data() bool { return c == OBS || c == Wanda || c == FLAP }

// Compensation says how the layers that lose inputs make up for it.
type Compensation string

// The compensations.
const (
	Refit          Compensation = "refit" // merge, then every layer by least squares against the original, where that wins on samples put aside
	Merge          Compensation = "merge" // what the channels that stay tell of a removed one goes into the weights that read them
	BiasOnly       Compensation = "bias"  // the mean of a removed channel goes into the biases
	NoCompensation Compensation = "none"
)

// Scope says how pools share a budget.
type Scope string

// The scopes.
const (
	Global Scope = "global" // where it costs least
	Local  Scope = "local"  // the same part of every pool
)

// Options of the pass.
type Options struct {
	Lossless bool      `help:"remove only what changes nothing: channels that are constant, zero or unused"`
	Constant Constancy `choices:"proven|data" help:"for lossless: channels that the weights prove constant, or also those that are constant on the samples"`
	MACs     float64   `opt:"macs" min:"0" max:"1" help:"fraction of the multiply-accumulates to keep, such as 0.75"`
	Params   float64   `min:"0" max:"1" help:"fraction of the parameters to keep"`
	Ratio    float64   `min:"0" max:"1" help:"fraction of the channels to remove from every pool"`
	Indices  string    `help:"JSON file with the channels to remove: {\"node\": [0, 5, 7]}"`
	PlanIn   string    `help:"JSON file with a plan that plan-out wrote, to be repeated"`
	PlanOut  string    `help:"JSON file to write the plan to"`

	Criterion   Criterion    `choices:"obs|wanda|flap|l1|l2|bn|random" help:"what makes a channel unimportant; obs, wanda and flap look at samples; without any, at what weights and merged normalizations let expect"`
	Compensate  Compensation `choices:"refit|merge|bias|none" help:"how layers that lose inputs make up for it; without samples biases take over what is expected behind normalizations"`
	Ridge       float64      `min:"0" max:"1000" help:"of least squares, as a share of the mean variance of the inputs"`
	Steps       int          `min:"1" max:"64" help:"spend a budget in so many steps, measuring the pools again before each; needs samples"`
	MaxError    float64      `min:"0" help:"largest error of the outputs on held-out samples, as a share of their mean square: less is removed when the budget costs more; 0: any"`
	Scope       Scope        `choices:"global|local" help:"spend a budget where it costs least, or the same everywhere"`
	MaxRatio    float64      `min:"0" max:"1" help:"most that may be removed of one pool; 0: 0.5, and with samples 0.95 where that does better"`
	MinChannels int          `min:"1" help:"fewest channels to leave in a pool"`
	Multiple    int          `min:"1" max:"256" help:"round what is left of a pool up to a multiple, which runtimes compute faster"`
	Heads       string       `choices:"heads|head-dim|off" help:"what of attention layers may be removed"`
	States      []string     `help:"inputs and outputs that carry the state of a recurrent layer between runs: its hidden units may go, the outputs have 0 in their place"`
	Include     []string     `help:"only pools of nodes with these names (globs)"`
	Exclude     []string     `help:"no pools of nodes with these names (globs)"`
	Seed        int64        `help:"of criterion=random"`
	Verify      bool         `help:"run the pruned model against the original with the same channels silenced"`
}

func defaults() Options {
	return Options{Criterion: OBS, Compensate: Refit, Ridge: 1e-3, Steps: 1, Scope: Global, MinChannels: 8, Multiple: 8, Heads: "heads", Constant: Proven, Verify: true}
}

// Validate asks for exactly one way to say how much.
func (o Options) Validate() error {
	ways := 0
	for _, given := range []bool{o.Lossless, o.MACs > 0, o.Params > 0, o.Ratio > 0, o.Indices != "", o.PlanIn != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return diag.New("OP2005", "more than one option says how much to prune", "options", "lossless, macs, params, ratio, indices, plan-in").
			Hinted("give one of them")
	}
	if o.Constant == Observed && !o.Lossless {
		return diag.New("OP2005", "constant=data belongs to lossless=true").Hinted("the criteria that look at samples find constant channels by themselves")
	}
	if o.Lossless && o.PlanOut != "" {
		return diag.New("OP2005", "a lossless removal has no plan", "option", "plan-out").
			Hinted("it also moves constants into biases, which a plan does not say; run it again instead")
	}
	return nil
}

// target reports whether the options say how much to prune.
func (o Options) target() error {
	if o.Lossless || o.MACs > 0 || o.Params > 0 || o.Ratio > 0 || o.Indices != "" || o.PlanIn != "" {
		return nil
	}
	return diag.New("OP2005", "nothing says how much to prune").
		Hinted("prune:macs=0.75 keeps three quarters of the multiply-accumulates, prune:lossless=true removes what changes nothing; see onnxpass passes prune")
}

// keep returns what holds the channels of a node by the user's word.
func (p *pruner) keep() (func(*graph.Node) string, error) {
	if err := p.o.target(); err != nil {
		return nil, err
	}
	own, err := passes.NewSelector(passes.Selection{Only: p.o.Include, Exclude: p.o.Exclude})
	if err != nil {
		return nil, err
	}
	if err := own.Check(p.env.Model); err != nil && len(p.rounds) == 0 {
		return nil, err
	}
	return func(n *graph.Node) string {
		for _, s := range []*passes.Selector{p.env.Select, own} {
			if ok, why := s.Match(n); !ok {
				return fmt.Sprintf("the user's selection keeps it (%s)", why)
			}
		}
		return ""
	}, nil
}
