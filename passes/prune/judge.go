package prune

import (
	"context"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
)

// judgeMemory bounds the outputs of the original that are held to compare with, in bytes.
const judgeMemory = 128 << 20

// judge holds samples with what the original makes of them.
type judge struct {
	p       *pruner
	samples []calib.Sample
	ports   []calib.Port
	want    [][]calib.Array // of each sample, by output
}

// newJudge runs the original on as many of the samples as the memory allows.
func (p *pruner) newJudge(ctx context.Context, original *graph.Model, set *calib.Set) (*judge, error) {
	session, err := p.open(ctx, original)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	j := &judge{p: p, ports: session.Outputs()}
	var held int64
	for i := 0; i < set.Len() && (i == 0 || held < judgeMemory); i++ {
		sample, err := set.Read(ctx, i)
		if err != nil {
			return nil, err
		}
		err = session.Run(ctx, sample.Inputs, func(out []calib.Array) error {
			var list []calib.Array
			for _, a := range out {
				list = append(list, a.Copy())
				held += int64(len(a.Bytes))
			}
			j.want = append(j.want, list)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w", sample.Name, err)
		}
		for _, a := range sample.Inputs {
			held += int64(len(a.Bytes))
		}
		j.samples = append(j.samples, sample)
	}
	return j, nil
}

// compare runs a model on the samples.
func (j *judge) compare(ctx context.Context, m *graph.Model) (*calib.Comparison, error) {
	session, err := j.p.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	meter := calib.NewMeter(j.ports, nil)
	err = calib.InTurn(len(j.samples), j.p.parallel(), func(i int, ordered func(func() error) error) error {
		return session.Run(ctx, j.samples[i].Inputs, func(out []calib.Array) error {
			return ordered(func() error { return meter.Add(j.samples[i].Name, j.want[i], out) })
		})
	})
	return meter.Comparison(), err
}

// error is the mean over the outputs of their squared distance from those of the original, in units of their mean square.
func (j *judge) error(ctx context.Context, m *graph.Model) (float64, error) {
	c, err := j.compare(ctx, m)
	if err != nil {
		return 0, err
	}
	return relativeError(c), nil
}

// relativeError is the mean over the outputs of noise over signal; one output counts at most as 10.
func relativeError(c *calib.Comparison) float64 {
	sum := 0.0
	for _, o := range c.Outputs {
		sum += min(10, math.Pow(10, -o.SQNR/10))
	}
	return sum / float64(max(1, len(c.Outputs)))
}
