package calib

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Observe runs the model once on each of Samples and feeds the observers. One
// session at full graph optimisation serves all of them; the arrays of a
// sample are released before the next one is read. Observers whose values
// cannot be observed have a reason in the result, the others nil.
func (c *Calibration) Observe(ctx context.Context, m *graph.Model, observers []Observer) ([]*Unobservable, error) {
	if c.Samples.Len() == 0 {
		return nil, diag.New("OP6001", "no calibration samples").
			Hinted("give samples with --data (npy, npz, test_data_set folders, images), or --data random to try things out")
	}
	p, err := prepare(m, observers)
	if err != nil {
		return nil, err
	}
	if len(p.taps) == 0 {
		return p.reasons, nil
	}
	return p.reasons, c.stream(ctx, p)
}

// plan is a model that is ready to run and where the observers find their values.
type plan struct {
	model   *graph.Model
	taps    []tap
	reasons []*Unobservable
}

// tap is one observer with the names of the outputs or inputs to give it.
type tap struct {
	observer Observer
	names    []string
	hoisted  []int // which of them come out of branches of If
}

func prepare(m *graph.Model, observers []Observer) (*plan, error) {
	p := &plan{model: m.Clone(), reasons: make([]*Unobservable, len(observers))}
	public := map[*graph.Value]string{}
	for _, v := range p.model.Main.Inputs() {
		public[v] = v.Name()
	}
	for i, v := range p.model.Main.Outputs() {
		if _, ok := public[v]; !ok {
			public[v] = p.model.Main.OutputName(i)
		}
	}
	for i, o := range observers {
		values, err := o.Prepare(p.model)
		if errors.As(err, &p.reasons[i]) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.taps = append(p.taps, p.expose(o, values, public))
	}
	return p, nil
}

// expose makes the values outputs where they are not public yet.
func (p *plan) expose(o Observer, values []*graph.Value, public map[*graph.Value]string) tap {
	t := tap{observer: o, names: make([]string, len(values))}
	for i, v := range values {
		inner := v.Graph() != p.model.Main
		if inner {
			t.hoisted = append(t.hoisted, i)
		}
		if _, ok := public[v]; !ok {
			out := v
			if inner {
				out = hoist(v)
			}
			p.model.Main.AddOutput(out)
			public[v] = out.Name()
		}
		t.names[i] = public[v]
	}
	return t
}

// inFlight is how many samples are run at a time. More would take more memory,
// one would leave cores idle while results are observed.
const inFlight = 2

// stream runs all samples.
func (c *Calibration) stream(ctx context.Context, p *plan) error {
	proto, err := p.model.Export()
	if err != nil {
		return err
	}
	session, err := c.Runner.Open(ctx, proto, OpenOptions{Optimization: Full, Threads: max(1, c.threads()/inFlight)})
	if err != nil {
		return err
	}
	defer session.Close()
	index := map[string]int{}
	for i, port := range session.Outputs() {
		index[port.Name] = i
	}
	return InTurn(c.Samples.Len(), min(c.threads(), inFlight), func(i int, ordered func(func() error) error) error {
		sample, err := c.Samples.Read(ctx, i)
		if err != nil {
			return err
		}
		return c.one(ctx, session, index, p.taps, i, sample, ordered)
	})
}

// one runs sample i; observers see it in its turn.
func (c *Calibration) one(ctx context.Context, s Session, index map[string]int, taps []tap, i int, sample Sample, ordered func(func() error) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	observe := func(out []Array) error {
		err := c.feed(taps, i, func(name string) (Array, bool) {
			if k, ok := index[name]; ok && k < len(out) {
				return out[k], true
			}
			a, ok := sample.Inputs[name]
			return a, ok
		})
		if err == nil && c.Progress != nil {
			c.Progress(i+1, c.Samples.Len())
		}
		return err
	}
	err := s.Run(ctx, sample.Inputs, func(out []Array) error {
		return ordered(func() error { return observe(out) })
	})
	if err != nil && !errors.Is(err, errStopped) {
		return fmt.Errorf("sample %s: %w", sample.Name, err)
	}
	return err
}

// feed gives every observer its arrays. Observers are independent of each
// other, so how they are shared among goroutines changes no result.
func (c *Calibration) feed(taps []tap, i int, array func(string) (Array, bool)) error {
	errs := make([]error, len(taps))
	var next atomic.Int64
	work := func() {
		for k := next.Add(1) - 1; k < int64(len(taps)); k = next.Add(1) - 1 {
			errs[k] = taps[k].feed(i, array)
		}
	}
	var group sync.WaitGroup
	for range min(c.threads(), len(taps)) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
	return errors.Join(errs...)
}

func (t tap) feed(i int, array func(string) (Array, bool)) error {
	arrays := make([]Array, len(t.names))
	for k, name := range t.names {
		a, ok := array(name)
		if !ok {
			return fmt.Errorf("value %s: the runtime did not return it", name)
		}
		arrays[k] = a
	}
	if t.unreached(arrays) {
		return nil
	}
	return t.observer.Observe(i, arrays)
}

func (c *Calibration) threads() int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.GOMAXPROCS(0)
}
