package quant

import (
	"context"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
)

// damageSamples are enough to tell a harmless stored weight from a harmful one.
const damageSamples = 16

// damage compares what a node computes with what it computes from another form of its weights.
type damage struct {
	output string // a value that the node computes
	// build adds the other form in front of at, and returns its result: the
	// changed output, or only the change.
	build func(at *graph.Cursor, n *graph.Node) *graph.Value
	delta bool // build returns the change

	signal, noise float64
}

// Prepare adds the node once more, with the other form of its weights.
func (d *damage) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	v, err := calib.Reach(clone, d.output)
	if err != nil {
		return nil, err
	}
	return []*graph.Value{v, d.build(v.Def().After(), v.Def())}, nil
}

// Observe adds one sample. A sample that is not finite tells nothing.
func (d *damage) Observe(_ int, arrays []calib.Array) error {
	var a, b []float64
	x, err := arrays[0].Float64s(&a)
	if err != nil {
		return err
	}
	y, err := arrays[1].Float64s(&b)
	if err != nil || len(x) != len(y) {
		return err
	}
	var signal, noise float64
	for i, e := range y {
		if !d.delta {
			e -= x[i]
		}
		signal += x[i] * x[i]
		noise += e * e
	}
	if sum := signal + noise; !math.IsNaN(sum) && !math.IsInf(sum, 0) {
		d.signal, d.noise = d.signal+signal, d.noise+noise
	}
	return nil
}

// sqnr is the figure in dB, NaN when no sample told anything.
func (d *damage) sqnr() float64 {
	if d.signal == 0 {
		return math.NaN()
	}
	return decibels(d.signal, d.noise)
}

// measureDamage runs a few samples through the stored forms.
func (p *planner) measureDamage(ctx context.Context) error {
	var observers []calib.Observer
	var done []func()
	for _, c := range p.constants {
		if d := c.damage(); d != nil {
			observers = append(observers, d)
			done = append(done, func() { c.output = d.sqnr() })
		}
	}
	for _, r := range p.recurrent {
		if d := r.damage(); d != nil {
			observers = append(observers, d)
			done = append(done, func() { r.output = d.sqnr() })
		}
	}
	if len(observers) == 0 {
		return nil
	}
	few := &calib.Calibration{Runner: p.env.Calib.Runner, Samples: p.env.Calib.Samples.Spread(damageSamples), Threads: p.env.Calib.Threads}
	if _, err := few.Observe(ctx, p.model, observers); err != nil {
		return err
	}
	for _, f := range done {
		f()
	}
	return nil
}

// damage observes the layer with what the 8-bit form takes away as its weight; nil when there is nothing to decide.
func (c *constant) damage() *damage {
	if c.layer == nil || c.bits != 8 {
		return nil
	}
	return &damage{output: c.layer.node.Out(0).Name(), delta: true, build: func(at *graph.Cursor, n *graph.Node) *graph.Value {
		w := n.Graph().Init(c.value.Name()+"_residual", c.residual())
		return at.OpN(n.Op(), "", n.Out(0).Name()+"_damage", 1, n.Attrs(), n.In(0), w).Out(0)
	}}
}
