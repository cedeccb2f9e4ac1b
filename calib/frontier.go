package calib

import (
	"context"
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// Frontier runs a model piece by piece: it holds, for each of a few samples,
// the values at a cut through the main graph, and every step computes from
// there. So a walk through all layers costs about one run of the model, and
// what lies before the cut may be changed meanwhile without being run again.
// Runs use one thread each, so that results do not depend on how many there
// are; Step.Run may be called for several samples at the same time. All else
// is for one goroutine at a time.
type Frontier struct {
	runner  Runner
	threads int
	model   *graph.Model
	cut     *cut
	live    []*graph.Value
	held    []map[string]Array // by sample, of the live values
	spare   *spare             // nil: arrays that were held stay as they are
}

// Recycle lets the frontier overwrite arrays that it no longer holds. The
// results of Held are then valid until the cut moves.
func (f *Frontier) Recycle() { f.spare = newSpare() }

// NewFrontier reads the samples of c and stands before the first node of m.
// Goals are all the values that steps will want, as often as they will; what none of them needs is never computed.
func NewFrontier(ctx context.Context, c *Calibration, m *graph.Model, goals []*graph.Value) (*Frontier, error) {
	f := &Frontier{runner: c.Runner, threads: c.threads(), model: m, cut: newCut(m.Main, goals)}
	f.live = f.cut.frontier()
	for i := range c.Samples.Len() {
		s, err := c.Samples.Read(ctx, i)
		if err != nil {
			return nil, err
		}
		f.held = append(f.held, s.Inputs)
	}
	return f, nil
}

// Len is the number of samples.
func (f *Frontier) Len() int { return len(f.held) }

// Live are the values that are held, in graph order.
func (f *Frontier) Live() []*graph.Value { return slices.Clone(f.live) }

// Held are the arrays of the live values for sample i, counted from 0. They must not be changed.
func (f *Frontier) Held(i int) map[string]Array { return f.held[i] }

// Step is a loaded piece of the model.
type Step struct {
	f       *Frontier
	session Session        // nil when everything is held already
	want    []*graph.Value // for the caller; nil: the first outputs are
	at      []int          // output of each wanted value, -1 for what is held already
	first   int            // outputs for the caller
	advance bool
	next    []*graph.Value // live behind the step, if it advances
	where   []int          // output of each value of next, -1 for what is held already
}

// StepOptions alter a step.
type StepOptions struct {
	// Edit may add nodes and inputs to the piece, in which values have the
	// names that they have in the model, and returns the values that Run hands
	// out in place of the wanted ones.
	Edit func(piece *graph.Model) ([]*graph.Value, error)
	// Advance moves the cut behind the wanted values once the step is closed;
	// every sample must have been run by then.
	Advance bool
}

// Open loads the piece between the cut and the wanted values.
func (f *Frontier) Open(ctx context.Context, want []*graph.Value, o StepOptions) (*Step, error) {
	s := &Step{f: f, advance: o.Advance}
	all := slices.Clone(want)
	f.cut.ask(want)
	if o.Advance {
		s.next = f.cut.pass(want)
		all = append(all, s.next...)
	}
	if o.Edit == nil && s.nothingNew(all) {
		s.want, s.at, s.where = want, fill(len(want), -1), fill(len(s.next), -1)
		return s, nil
	}
	piece := f.model.Extract(f.live, all)
	outputs, err := s.outputs(piece, want, o)
	if err != nil {
		return nil, err
	}
	s.first = len(outputs)
	for _, v := range s.next {
		at := -1
		if !slices.Contains(f.live, v) {
			at = slices.IndexFunc(outputs, func(w *graph.Value) bool { return w.Name() == v.Name() })
			if at < 0 {
				at, outputs = len(outputs), append(outputs, piece.Main.Value(v.Name()))
			}
		}
		s.where = append(s.where, at)
	}
	return s, s.open(ctx, piece, outputs)
}

// nothingNew says whether all values are held.
func (s *Step) nothingNew(all []*graph.Value) bool {
	return !slices.ContainsFunc(all, func(v *graph.Value) bool { return !slices.Contains(s.f.live, v) })
}

func fill(n, v int) []int { return slices.Repeat([]int{v}, n) }

// outputs are the values of the piece that Run hands out, but for those that are held.
func (s *Step) outputs(piece *graph.Model, want []*graph.Value, o StepOptions) ([]*graph.Value, error) {
	if o.Edit != nil {
		return o.Edit(piece)
	}
	var out []*graph.Value
	s.want = want
	for i, v := range want {
		switch k := slices.Index(want[:i], v); {
		case slices.Contains(s.f.live, v):
			s.at = append(s.at, -1)
		case k >= 0:
			s.at = append(s.at, s.at[k])
		default:
			s.at, out = append(s.at, len(out)), append(out, piece.Main.Value(v.Name()))
		}
	}
	return out, nil
}

// open loads the piece with the given outputs, in this order.
func (s *Step) open(ctx context.Context, piece *graph.Model, outputs []*graph.Value) error {
	proto, err := withOutputs(piece, outputs).Export()
	if err != nil {
		return err
	}
	s.session, err = s.f.runner.Open(ctx, proto, OpenOptions{Optimization: Full, Threads: 1})
	return err
}

// withOutputs is the piece with exactly these outputs. Several outputs of one
// value, and outputs that are inputs, get an Identity of their own.
func withOutputs(piece *graph.Model, outputs []*graph.Value) *graph.Model {
	taken := map[*graph.Value]bool{}
	var out []*graph.Value
	for _, v := range outputs {
		if taken[v] || v.IsInput() {
			v = piece.Main.End().Op("Identity", v.Name()+"_again", v).Out(0)
		}
		taken[v] = true
		out = append(out, v)
	}
	return piece.Extract(piece.Main.Inputs(), out)
}

// Run computes sample i, counted from 0, with arrays for the inputs that Edit
// added. The arrays that use gets are valid until it returns.
func (s *Step) Run(ctx context.Context, i int, extra map[string]Array, use func([]Array) error) error {
	if s.session == nil {
		return s.finish(i, nil, use)
	}
	in := map[string]Array{}
	for _, p := range s.session.Inputs() {
		a, ok := extra[p.Name]
		if !ok {
			if a, ok = s.f.held[i][p.Name]; !ok {
				return fmt.Errorf("no array for the input %s of a piece of the model", p.Name)
			}
		}
		in[p.Name] = a
	}
	return s.session.Run(ctx, in, func(out []Array) error { return s.finish(i, out, use) })
}

// finish hands the results to the caller and holds what is needed behind the step.
func (s *Step) finish(i int, out []Array, use func([]Array) error) error {
	given := out[:s.first]
	if s.want != nil {
		given = make([]Array, len(s.want))
		for k, v := range s.want {
			if s.at[k] < 0 {
				given[k] = s.f.held[i][v.Name()]
			} else {
				given[k] = out[s.at[k]]
			}
		}
	}
	if err := use(given); err != nil {
		return err
	}
	s.hold(i, out)
	return nil
}

// hold replaces what is held of sample i by what is live behind the step.
func (s *Step) hold(i int, out []Array) {
	if !s.advance {
		return
	}
	old := s.f.held[i]
	held := map[string]Array{}
	for k, v := range s.next {
		if s.where[k] < 0 {
			held[v.Name()] = old[v.Name()]
		}
	}
	for name, a := range old {
		if _, kept := held[name]; !kept {
			s.f.spare.release(a)
		}
	}
	for k, v := range s.next {
		if at := s.where[k]; at >= 0 {
			held[v.Name()] = s.f.spare.copy(out[at])
		}
	}
	s.f.held[i] = held
}

// Close frees the piece.
func (s *Step) Close() error {
	if s.advance {
		s.f.live = s.next
	}
	if s.session == nil {
		return nil
	}
	return s.session.Close()
}

// Copy is an array with bytes of its own.
func (a Array) Copy() Array {
	return Array{a.Type, slices.Clone(a.Shape), slices.Clone(a.Bytes)}
}

// HeldBytes is the memory that a walk through the steps holds behind each of
// them for one sample, given the bytes of every value.
func HeldBytes(m *graph.Model, steps [][]*graph.Value, size func(*graph.Value) int64) []int64 {
	c := newCut(m.Main, slices.Concat(steps...))
	held := make([]int64, len(steps))
	for i, want := range steps {
		c.ask(want)
		for _, v := range c.pass(want) {
			held[i] += size(v)
		}
	}
	return held
}

// Refill stands at the same cut with other samples, which are run up to there.
func (f *Frontier) Refill(ctx context.Context, samples *Set) error {
	if f.held = nil; f.spare != nil {
		f.spare = newSpare()
	}
	return f.Extend(ctx, samples)
}

// Extend stands at the same cut with more samples: those given are run up to
// there and join those that are held.
func (f *Frontier) Extend(ctx context.Context, samples *Set) error {
	whole := &Frontier{runner: f.runner, threads: f.threads, model: f.model, cut: newCut(f.model.Main, f.live)}
	whole.live = whole.cut.frontier()
	step, err := whole.Open(ctx, f.live, StepOptions{})
	if err != nil {
		return err
	}
	defer step.Close()
	whole.held = make([]map[string]Array, samples.Len())
	fresh := make([]map[string]Array, samples.Len())
	err = InTurn(samples.Len(), f.threads, func(i int, _ func(func() error) error) error {
		s, err := samples.Read(ctx, i)
		if err != nil {
			return err
		}
		whole.held[i] = s.Inputs
		defer func() { whole.held[i] = nil }()
		fresh[i] = map[string]Array{}
		return step.Run(ctx, i, nil, func(out []Array) error {
			for k, v := range f.live {
				fresh[i][v.Name()] = out[k].Copy()
			}
			return nil
		})
	})
	f.held = append(f.held, fresh...)
	return err
}
