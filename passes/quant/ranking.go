package quant

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// RankingSchema names the JSON form of Ranking. Within one number, changes only add fields.
const RankingSchema = "onnxpass.sensitivity/1"

// Ranking says what every layer of a model costs in 8 bits, the layer first
// that is best left in float.
type Ranking struct {
	Schema  string   `json:"schema"`
	Target  string   `json:"target"`
	Outputs []string `json:"outputs"` // names, in the order of per-output figures
	SQNR    float64  `json:"sqnr_db"` // of the worst output with all layers in 8 bits, on the same samples
	Agree   *float64 `json:"agree_pct"`
	Samples int      `json:"samples"`
	Runs    float64  `json:"runs"` // cost: runs of the model for each sample
	Seconds float64  `json:"seconds"`
	Goal    float64  `json:"goal_sqnr_db"` // what the layers of Exclude are to reach
	Exclude []string `json:"exclude"`      // names of the first layers, with which the goal should be reached
	Layers  []Ranked `json:"layers"`
	// Unmeasured are layers for which there was no time, or which the runtime refuses alone.
	Unmeasured []Ranked `json:"unmeasured,omitempty"`
}

// Ranked is one layer.
type Ranked struct {
	Name     string   `json:"name"`
	Op       string   `json:"op"`
	Output   string   `json:"output"` // the value it computes
	MACs     *int64   `json:"macs"`   // nil when not known
	MACsPct  float64  `json:"macs_pct"`
	SQNR     float64  `json:"sqnr_db"`   // of the worst output with this layer alone in 8 bits
	Agree    *float64 `json:"agree_pct"` // the same argmax, in percent
	KL       *float64 `json:"kl_nats"`   // divergence of the class scores; nil where no output looks like them
	SharePct float64  `json:"share_pct"` // of the noise that all layers make
	// Forecast is the SQNR with this layer and all before it in float, if errors of layers add up.
	Forecast float64 `json:"forecast_sqnr_db"`
	Problem  string  `json:"problem,omitempty"`
}

// RankOptions steer Rank.
type RankOptions struct {
	Samples int // to measure on; 0: 16
	Probe   probe.Options
	Goal    *float64 // SQNR in dB that Exclude is to reach; nil: 3 dB more than there is
}

// Rank is the pass with another ending: it plans and quantizes in memory as
// the pass does, measures what each layer costs alone, stores that in to and
// leaves the environment's model as it was. It has the pass's name and options.
func Rank(o RankOptions, to *Ranking) passes.Pass {
	info := Pass.Info
	info.NeedsData = false // a job that needs data only plans in a dry run; ranking is one that runs
	return passes.New(info, defaults, func(ctx context.Context, env *passes.Env, opt Options) error {
		if env.Calib == nil {
			if env.Runner == nil {
				return diag.New("OP6201", "sensitivity runs the model, and there is no runtime library").Hinted("see onnxpass runtime status")
			}
			return diag.New("OP6001", "sensitivity needs samples").Hinted("give real inputs with -d (npy, npz, images, test_data_set_*), or -d random to try things out")
		}
		r, err := rank(ctx, env, opt, o)
		if err == nil {
			*to = *r
		}
		return err
	})
}

func rank(ctx context.Context, env *passes.Env, opt Options, o RankOptions) (*Ranking, error) {
	inner := *env
	inner.Model, inner.DryRun, inner.Report = env.Model.Clone(), false, &passes.StepReport{}
	p, err := quantizeModel(ctx, &inner, opt, nil)
	if err != nil {
		return nil, err
	}
	env.Report.Notes = append(env.Report.Notes, inner.Report.Notes...)
	if o.Samples <= 0 {
		o.Samples = 16
	}
	s, err := p.surveyed(ctx, o.Probe, o.Samples)
	if err != nil {
		return nil, err
	}
	r := &Ranking{Schema: RankingSchema, Target: p.profile.Name, Samples: s.report.Samples, Runs: s.report.Runs, Seconds: s.report.Time.Seconds()}
	if err := r.whole(ctx, p, o); err != nil {
		return nil, err
	}
	r.list(s, judged(outputPorts(p.before)))
	r.choose(o.Goal)
	return r, nil
}

// whole measures the quantized model on the samples of the survey.
func (r *Ranking) whole(ctx context.Context, p *planner, o RankOptions) error {
	a, err := p.before.Export()
	if err != nil {
		return err
	}
	b, err := p.model.Export()
	if err != nil {
		return err
	}
	c := p.env.Calib
	v, err := passes.Compare(ctx, c.Runner, a, b, c.Samples.Spread(o.Samples).Spread(r.Samples), passes.CompareOptions{Threads: c.Threads})
	if err != nil {
		return err
	}
	r.SQNR, r.Agree = v.Worst, v.Agree
	for _, x := range v.Outputs {
		r.Outputs = append(r.Outputs, x.Name)
	}
	return nil
}

// list fills in the layers in their order.
func (r *Ranking) list(s *survey, weights []float64) {
	left := make([]float64, len(weights)) // of the noise, by output
	for o := range left {
		left[o] = 1
	}
	for _, i := range s.order(weights) {
		e := s.entry(i, weights)
		if !s.report.Damages[i].Measured {
			r.Unmeasured = append(r.Unmeasured, e)
			continue
		}
		most := 0.0
		for o, w := range weights {
			left[o] = max(left[o]-s.shares[i][o], 0)
			most = max(most, w*left[o])
		}
		e.Forecast = min(r.SQNR+decibels(1, most), 200)
		r.Layers = append(r.Layers, e)
	}
}

// entry describes one layer.
func (s *survey) entry(i int, weights []float64) Ranked {
	l, d := s.layers[i], s.report.Damages[i]
	e := Ranked{Name: l.Name, Op: l.Op, Output: l.Output, MACsPct: 100 * s.macs[i], SQNR: 200}
	if n := s.counts[i]; n >= 0 {
		e.MACs = &n
	}
	switch {
	case d.Err != nil:
		e.Problem = d.Err.Error()
		return e
	case !d.Measured:
		e.Problem = "the time was over"
		return e
	}
	for o, w := range weights {
		if a := d.Outputs[o]; w > 0 {
			e.SQNR = min(e.SQNR, a.SQNR)
			if a.Positions > 0 {
				pct := 100 * a.Top1
				if e.Agree == nil || pct < *e.Agree {
					e.Agree = &pct
				}
			}
		}
		if k := d.Outputs[s.report.Rank[o]].Divergence; s.report.Logits[s.report.Rank[o]] && (e.KL == nil || k > *e.KL) {
			e.KL = finite(k)
		}
		e.SharePct = max(e.SharePct, 100*w*s.shares[i][o])
	}
	return e
}

// moreDB is how much better the suggested layers make the model where no goal is given.
const moreDB = 3

// choose picks the first layers that should reach the goal.
func (r *Ranking) choose(goal *float64) {
	r.Goal, r.Exclude = math.Min(r.SQNR+moreDB, 200), []string{}
	if goal != nil {
		r.Goal = *goal
	}
	if r.SQNR >= r.Goal {
		return
	}
	for _, l := range r.Layers {
		r.Exclude = append(r.Exclude, l.Name)
		if l.Forecast >= r.Goal {
			return
		}
	}
}
