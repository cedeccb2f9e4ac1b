package calib

import (
	"context"
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Comparison says how close the outputs of a model are to those of a
// reference over a set of samples. Outputs are paired by position.
type Comparison struct {
	Reference, Model string // the runners' names
	Samples          int
	Outputs          []Agreement
	All              Agreement // SQNR and MaxAbs over all outputs, Cosine and Top1 of the first
	Worst            []Distance
}

// Agreement are the figures of one output.
type Agreement struct {
	Name string // in the reference; "" for all
	// SQNR is 10 log10(sum ref^2 / sum (ref-out)^2) over all samples, in dB; 200
	// when there is no error at all, -200 when Broken is not 0.
	SQNR   float64
	Cosine float64 // mean over samples of the cosine of the angle between out and ref; 1 for a zero vector
	MaxAbs float64 // largest |ref-out|; the largest float64 when Broken is not 0
	// Top1 is the share of positions with the same index of the largest element,
	// along the last axis, or along the channels of a rank-4 map (the shorter of
	// axis 1 and the last). Positions is 0, and Top1 1, where that axis has one element.
	Top1      float64
	Positions int64
	// Divergence is the mean over positions of the Kullback-Leibler divergence of
	// softmax(out) from softmax(ref), in nats. Only a Meter measures it, where it is told to.
	Divergence float64
	Undefined  int64 // elements that are NaN, or the same infinity, in both: left out
	Broken     int64 // elements that are NaN or infinite in only one of the two
}

// Distance is the SQNR of one sample over all outputs.
type Distance struct {
	Sample string
	SQNR   float64
}

// CompareOptions steer Compare.
type CompareOptions struct {
	Threads  int
	Worst    int                   // how many of the worst samples to name; 0: 5
	Progress func(done, total int) // after every sample; may be nil
}

// Compare runs both models on every sample of set through one runner.
func Compare(ctx context.Context, r Runner, ref, model *onnx.Model, set *Set, o CompareOptions) (*Comparison, error) {
	open := OpenOptions{Optimization: Full, Threads: o.Threads}
	a, err := r.Open(ctx, ref, open)
	if err != nil {
		return nil, fmt.Errorf("reference model: %w", err)
	}
	defer a.Close()
	b, err := r.Open(ctx, model, open)
	if err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	defer b.Close()
	c, err := CompareSessions(ctx, a, b, set, o)
	if c != nil {
		c.Reference, c.Model = r.Name(), r.Name()
	}
	return c, err
}

// CompareSessions is Compare for two open sessions, which may be of different
// runners. Only the outputs of one sample are in memory at a time.
func CompareSessions(ctx context.Context, ref, model Session, set *Set, o CompareOptions) (*Comparison, error) {
	if set.Len() == 0 {
		return nil, diag.New("OP6002", "no samples to compare the models on").Hinted("give samples with --data or --verify-data")
	}
	c, err := newComparer(ref, model, o)
	if err != nil {
		return nil, err
	}
	for i := range set.Len() {
		if err := c.one(ctx, ref, model, set, i); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(i+1, set.Len())
		}
	}
	return c.result(set.Len()), nil
}

// comparer accumulates a Comparison.
type comparer struct {
	ports []Port
	rows  []row
	worst []Distance
	limit int
	a, b  []float64
	logit []bool // outputs whose divergence is measured; nil: none
	plain bool   // no argmax
}

func newComparer(ref, model Session, o CompareOptions) (*comparer, error) {
	want, got := len(ref.Outputs()), len(model.Outputs())
	if want != got {
		return nil, diag.New("OP6040", "the two models have different numbers of outputs",
			"reference", fmt.Sprint(want), "model", fmt.Sprint(got)).Hinted("compare models with the same interface")
	}
	c := &comparer{ports: ref.Outputs(), rows: make([]row, want), limit: o.Worst}
	if c.limit == 0 {
		c.limit = 5
	}
	return c, nil
}

// one compares the outputs for sample i.
func (c *comparer) one(ctx context.Context, ref, model Session, set *Set, i int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sample, err := set.Read(ctx, i)
	if err != nil {
		return err
	}
	err = together(
		func(use func([]Array) error) error { return ref.Run(ctx, sample.Inputs, use) },
		func(use func([]Array) error) error { return model.Run(ctx, sample.Inputs, use) },
		func(want, got []Array) error { return c.add(sample.Name, want, got) })
	if err != nil {
		return fmt.Errorf("sample %s: %w", sample.Name, err)
	}
	return nil
}

// together runs a and b side by side and calls use with what they hand out. The error is that of a, if it fails.
func together(a, b func(use func([]Array) error) error, use func(x, y []Array) error) error {
	x, done := make(chan []Array), make(chan struct{})
	var errB error
	var panicked any
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		errB = b(func(y []Array) error {
			if first, ok := <-x; ok {
				return use(first, y)
			}
			return nil
		})
	}()
	errA := a(func(first []Array) error {
		select {
		case x <- first:
			<-done // it reads what is valid until here
		case <-done:
		}
		return nil
	})
	close(x)
	if <-done; panicked != nil {
		panic(panicked) // the caller's
	}
	if errA != nil {
		return errA
	}
	return errB
}

func (c *comparer) add(name string, want, got []Array) error {
	var whole row
	for k := range want {
		if !slices.Equal(want[k].Shape, got[k].Shape) {
			return diag.New("OP6041", "the two models' outputs differ in shape",
				"output", c.ports[k].Name, "reference", want[k].String(), "model", got[k].String())
		}
		r, err := c.compare(want[k], got[k], k)
		if err != nil {
			return fmt.Errorf("output %s: %w", c.ports[k].Name, err)
		}
		c.rows[k].add(r)
		whole.add(r)
	}
	c.rank(Distance{name, whole.sqnr()})
	return nil
}

// rank keeps the samples with the lowest SQNR, earlier ones first among equals.
func (c *comparer) rank(d Distance) {
	i := len(c.worst)
	for i > 0 && c.worst[i-1].SQNR > d.SQNR {
		i--
	}
	c.worst = slices.Insert(c.worst, i, d)
	c.worst = c.worst[:min(len(c.worst), max(c.limit, 0))]
}

func (c *comparer) result(samples int) *Comparison {
	r := &Comparison{Samples: samples, Worst: c.worst}
	var all row
	for k := range c.rows {
		r.Outputs = append(r.Outputs, c.rows[k].agreement(c.ports[k].Name, samples))
		all.add(c.rows[k])
	}
	if len(r.Outputs) == 0 {
		return r
	}
	first := r.Outputs[0]
	r.All = all.agreement("", samples)
	r.All.Cosine, r.All.Top1, r.All.Positions = first.Cosine, first.Top1, first.Positions
	return r
}

// compare gives the row of one sample's output.
func (c *comparer) compare(want, got Array, k int) (row, error) {
	if want.Type == onnx.Float && got.Type == onnx.Float {
		a, okA := view[float32](want.Bytes)
		b, okB := view[float32](got.Bytes)
		if okA && okB {
			return compareElements(c, a, b, want.Shape, k)
		}
	}
	a, err := want.Float64s(&c.a)
	if err != nil {
		return row{}, err
	}
	b, err := got.Float64s(&c.b)
	if err != nil {
		return row{}, err
	}
	return compareElements(c, a, b, want.Shape, k)
}

func compareElements[T number](c *comparer, a, b []T, shape []int64, k int) (row, error) {
	if len(a) != len(b) {
		return row{}, fmt.Errorf("%d and %d elements", len(a), len(b))
	}
	r := distance(a, b)
	if !c.plain {
		r.same, r.positions = agree(a, b, shape)
	}
	if k < len(c.logit) && c.logit[k] {
		r.divergence, r.diverged = divergence(a, b, shape)
	}
	return r, nil
}
