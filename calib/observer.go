package calib

import (
	"github.com/onnxpass/onnxpass/calib/observe"
	"github.com/onnxpass/onnxpass/graph"
)

// Observer reduces some values of a model, sample after sample.
type Observer interface {
	// Prepare names the values that Observe will get, as values of clone, the
	// copy of the model that will run. It may add nodes to the clone, so that
	// the runtime does part of the work (a Gram matrix, a mean). An error of
	// type *Unobservable leaves this observer out; any other ends the run.
	// Values may lie in branches of If (see Reach); a sample that takes
	// another branch is then not observed.
	Prepare(clone *graph.Model) ([]*graph.Value, error)
	// Observe takes in the arrays of sample i in Prepare's order. They are
	// valid until it returns. Samples come in order; different observers may
	// be called at the same time.
	Observe(i int, arrays []Array) error
}

// Unobservable says why a value cannot be observed.
type Unobservable struct{ Value, Reason string }

// Error is the reason with the value's name.
func (u *Unobservable) Error() string { return "value " + u.Value + ": " + u.Reason }

// Find is the value of the main graph with the given name; the error is an *Unobservable.
func Find(m *graph.Model, name string) (*graph.Value, error) {
	v := m.Main.Value(name)
	switch {
	case v == nil && inner(m, name):
		return nil, &Unobservable{name, "it lives inside an If, Loop or Scan body or a function, which runtimes do not expose"}
	case v == nil:
		return nil, &Unobservable{name, "the model has no value of this name"}
	case v.Const() != nil && !v.IsInput():
		return nil, &Unobservable{name, "it is a constant"}
	case v.Type().Other != nil:
		return nil, &Unobservable{name, "it is not a tensor"}
	}
	return v, nil
}

// Reach is Find that looks into branches of If, nested or not, as well.
func Reach(m *graph.Model, name string) (*graph.Value, error) {
	if m.Main.Value(name) == nil {
		if v := reachable(m, name); v != nil && v.Const() == nil {
			return v, nil
		}
	}
	return Find(m, name)
}

// inner tells whether name is a value of some graph other than the main one.
func inner(m *graph.Model, name string) bool {
	for g := range m.Graphs() {
		if v := g.Value(name); v != nil {
			return true
		}
	}
	return false
}

// statsObserver fills Stats.
type statsObserver struct {
	request Request
	stats   *Stats
	scratch []float32
	counter *observe.Counter
}

func newStatsObserver(r Request) *statsObserver {
	s := newStats()
	if r.Channels {
		s.Channels = &ChannelStats{Axis: r.axis()}
	}
	return &statsObserver{request: r, stats: s, counter: new(observe.Counter)}
}

func (o *statsObserver) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	v, err := Reach(clone, o.request.Value)
	if err != nil {
		return nil, err
	}
	return []*graph.Value{v}, nil
}

func (o *statsObserver) Observe(_ int, arrays []Array) error {
	a := arrays[0]
	x, err := a.Float32s(&o.scratch)
	if err != nil {
		return err
	}
	m := observe.Scan(x)
	o.stats.add(m, a.Shape)
	stride := observe.Stride(a.Shape)
	o.stats.Histogram.Add(x, m, stride, uint64(stride), o.counter)
	if o.stats.Channels != nil {
		o.stats.Channels.add(x, a.Shape)
	}
	return nil
}
