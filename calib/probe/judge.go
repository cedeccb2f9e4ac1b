package probe

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Judge compares changed copies of a model with the model, end to end, on
// samples whose outputs it holds.
type Judge struct {
	Samples int
	Outputs int    // of the model
	Rank    []int  // as in Report
	Logits  []bool // likewise

	runner  calib.Runner
	set     *calib.Set
	ref     [][]calib.Array
	ports   []calib.Port
	watched []string // names of the values that are compared besides the outputs
}

// judgeMemory bounds the outputs that a Judge holds, in bytes.
const judgeMemory = 192 << 20

// NewJudge runs the model on the samples, or on as many as the outputs leave memory for.
func NewJudge(ctx context.Context, r calib.Runner, m *graph.Model, set *calib.Set) (*Judge, error) {
	if set.Len() == 0 {
		return nil, diag.New("OP6001", "no samples to measure on").Hinted("give real inputs with -d")
	}
	j := &Judge{Outputs: len(m.Main.Outputs()), runner: r, set: set}
	var values []*graph.Value
	values, j.Rank = watch(m)
	for i, v := range values {
		j.Logits = append(j.Logits, logits(v))
		if i >= j.Outputs {
			j.watched = append(j.watched, v.Name())
		}
	}
	s, err := j.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	j.ports = s.Outputs()
	for i := 0; i < j.set.Len(); i++ {
		if err := j.run(ctx, s, i, func(_ string, out []calib.Array) error {
			j.keep(out)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	j.Samples = j.set.Len()
	return j, nil
}

// keep holds the outputs of a sample. The first tells how many samples there is memory for.
func (j *Judge) keep(out []calib.Array) {
	var kept []calib.Array
	var bytes int64
	for _, a := range out {
		kept = append(kept, a.Copy())
		bytes += int64(len(a.Bytes))
	}
	if j.ref = append(j.ref, kept); len(j.ref) == 1 {
		if n := int(judgeMemory / max(bytes, 1)); n < j.set.Len() {
			j.set = j.set.Spread(max(1, n)) // which begins with the same sample
		}
	}
}

// open loads a copy of the model with the watched values as outputs.
func (j *Judge) open(ctx context.Context, m *graph.Model) (calib.Session, error) {
	whole := m.Clone()
	for _, name := range j.watched {
		v := whole.Main.Local(name)
		if v == nil {
			return nil, fmt.Errorf("the changed model has no value %s", name)
		}
		whole.Main.AddOutput(v)
	}
	proto, err := whole.Export()
	if err != nil {
		return nil, err
	}
	return j.runner.Open(ctx, proto, calib.OpenOptions{Optimization: calib.Full, Threads: 1})
}

func (j *Judge) run(ctx context.Context, s calib.Session, i int, use func(sample string, out []calib.Array) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sample, err := j.set.Read(ctx, i)
	if err != nil {
		return err
	}
	if err := s.Run(ctx, sample.Inputs, func(out []calib.Array) error { return use(sample.Name, out) }); err != nil {
		return fmt.Errorf("sample %s: %w", sample.Name, err)
	}
	return nil
}

// Measure runs a changed copy of the model. It has one thread, so that no rounding depends on the machine.
func (j *Judge) Measure(ctx context.Context, changed *graph.Model) (Damage, error) {
	s, err := j.open(ctx, changed)
	if err != nil {
		return Damage{}, err
	}
	defer s.Close()
	meter := calib.NewMeter(j.ports, j.Logits)
	for i := range j.set.Len() {
		err := j.run(ctx, s, i, func(name string, out []calib.Array) error { return meter.Add(name, j.ref[i], out) })
		if err != nil {
			return Damage{}, err
		}
	}
	return Damage{Measured: true, Outputs: meter.Comparison().Outputs}, nil
}
