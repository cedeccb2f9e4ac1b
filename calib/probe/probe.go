package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Candidate is one change to a model whose price is asked.
type Candidate struct {
	Name string // for messages
	// At names the first value, in graph order, that the change alters: a node's
	// first output, in the main graph.
	At string
	// Edit makes the change in a copy of the model, or of the part of it from
	// before the producer of At to the outputs that depend on it. Values have
	// the names that they have in the model; the outputs must keep theirs. It
	// is called from several goroutines, each with a copy of its own.
	Edit func(piece *graph.Model) error
}

// Options steer Measure.
type Options struct {
	Threads int // how many candidates run at a time; 0: as many as there are cores
	// Limit is the time after which no more candidates are begun; 0: none. The
	// samples are thinned out beforehand when the time for them will not do.
	Limit    time.Duration
	Memory   int64                 // bytes of inner values to hold at most; 0: 256 MiB
	Progress func(done, total int) // in units of equal work; called by several goroutines
}

// Damage is what one candidate costs.
type Damage struct {
	Measured bool // false: the time was over, or Err says what is wrong
	Err      error
	// Outputs compares the changed model with the model, in the order of its
	// outputs and then of the values that Report.Rank adds; what the change does
	// not reach is without error. Divergence is measured where a value looks
	// like the scores of classes.
	Outputs []calib.Agreement
}

// Noise is the power of the error over the power of the signal in output i: 10^(-SQNR/10).
func (d Damage) Noise(i int) float64 { return noise(d.Outputs[i].SQNR) }

// Report is what Measure found.
type Report struct {
	Damages []Damage // of the candidates, in their order
	Samples int      // that each of them ran on
	Outputs int      // of the model
	// Rank has, for each output, the index in Damage.Outputs to rank candidates
	// by: the output itself, or what its softmax or sigmoid reads. There the
	// errors of several candidates add up, which they do not in probabilities.
	Rank   []int
	Logits []bool // of Damage.Outputs: those that look like the scores of classes
	// Runs is the work in runs of the whole model for each sample, by its
	// multiply-accumulates; nearly half the number of candidates when they are spread evenly.
	Runs float64
	Time time.Duration
}

// Measure runs m once on the samples and then, for every candidate, the part
// of it behind the change with the change made: what comes before is the same
// and is held at a cut that follows the candidates. Every run has one thread
// and its own candidate, so the figures do not depend on Options.Threads.
func Measure(ctx context.Context, r calib.Runner, m *graph.Model, list []Candidate, set *calib.Set, o Options) (*Report, error) {
	if set.Len() == 0 {
		return nil, diag.New("OP6001", "no samples to measure on").Hinted("give real inputs with -d")
	}
	p, err := newProber(ctx, r, m, list, set, o)
	if err != nil {
		return nil, err
	}
	if err := p.reference(ctx); err != nil {
		return nil, err
	}
	if err := p.measure(ctx); err != nil {
		return nil, err
	}
	p.report.Time = time.Since(p.start)
	return p.report, nil
}

// place finds the producer of the candidate's first changed value.
func place(m *graph.Model, c Candidate) (*graph.Node, error) {
	v := m.Main.Local(c.At)
	if v == nil || v.Def() == nil {
		return nil, fmt.Errorf("candidate %s: no node of the main graph computes %s", c.Name, c.At)
	}
	return v.Def(), nil
}
