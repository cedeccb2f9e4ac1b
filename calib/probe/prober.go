package probe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/cost"
)

// prober is a running measurement.
type prober struct {
	runner calib.Runner
	model  *graph.Model
	set    *calib.Set
	o      Options
	start  time.Time
	report *Report

	order   map[*graph.Node]int
	outputs []*graph.Value // what is compared, see watch
	rest    []float64      // the share of a run that is at or behind a position
	held    []int64        // bytes of the values that cross a position, for one sample
	jobs    []*job
	ref     [][]calib.Array // by sample and output
	ports   []calib.Port    // of the outputs
}

// job is a candidate with its place.
type job struct {
	index   int // in the list of candidates
	edit    func(*graph.Model) error
	at      int   // position of its node
	outputs []int // which of the model's outputs it reaches
	work    float64
}

func newProber(ctx context.Context, r calib.Runner, m *graph.Model, list []Candidate, set *calib.Set, o Options) (*prober, error) {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	p := &prober{runner: r, model: m, set: set, o: o, start: time.Now(), order: map[*graph.Node]int{}}
	p.report = &Report{Damages: make([]Damage, len(list)), Outputs: len(m.Main.Outputs())}
	p.outputs, p.report.Rank = watch(m)
	for _, v := range p.outputs {
		p.report.Logits = append(p.report.Logits, logits(v))
	}
	for n := range m.Main.Nodes() {
		p.order[n] = len(p.order)
	}
	reached := p.reached()
	for i, c := range list {
		n, err := place(m, c)
		if err != nil {
			return nil, err
		}
		p.jobs = append(p.jobs, &job{index: i, edit: c.Edit, at: p.order[n], outputs: reached[n]})
	}
	slices.SortStableFunc(p.jobs, func(a, b *job) int { return a.at - b.at })
	return p, p.weigh(ctx)
}

// reached are, for each node, the outputs that depend on it.
func (p *prober) reached() map[*graph.Node][]int {
	out := map[*graph.Node][]int{}
	for i, v := range p.outputs {
		seen := map[*graph.Node]bool{}
		stack := []*graph.Value{v}
		for len(stack) > 0 {
			n := stack[len(stack)-1].Def()
			stack = stack[:len(stack)-1]
			if n == nil || seen[n] || n.Graph() != p.model.Main {
				continue
			}
			seen[n] = true
			out[n] = append(out[n], i)
			stack = append(stack, n.Reads()...)
		}
	}
	return out
}

// small is the share of the work that all nodes without multiplications have together.
const small = 0.1

// weigh finds the share of every node in a run, and the sizes of values, for the sizes of the first sample.
func (p *prober) weigh(ctx context.Context) error {
	bound, err := bind(ctx, p.model, p.set)
	if err != nil {
		return err
	}
	macs := map[string]float64{}
	for _, l := range cost.Count(bound).Layers {
		if v := l.Node.Out(0); v != nil && l.MACs > 0 {
			macs[v.Name()] += float64(l.MACs)
		}
	}
	weight := make([]float64, len(p.order))
	var sum float64
	for n, i := range p.order {
		if v := n.Out(0); v != nil {
			weight[i] = macs[v.Name()]
		}
		sum += weight[i]
	}
	p.rest = make([]float64, len(weight)+1)
	for i := len(weight) - 1; i >= 0; i-- {
		p.rest[i] = p.rest[i+1] + (1-small)*weight[i]/max(sum, 1) + small/float64(len(weight))
	}
	p.hold(sizesOf(bound))
	return nil
}

// hold adds up, for every position, the values that are computed before it and read at it or behind it.
func (p *prober) hold(bytes map[string]int64) {
	p.held = make([]int64, len(p.order)+2)
	for n, i := range p.order {
		for _, v := range n.Outs() {
			if v != nil && v.Const() == nil {
				if last := p.lastUse(v); last > i {
					p.held[i+1] += bytes[v.Name()]
					p.held[last+1] -= bytes[v.Name()]
				}
			}
		}
	}
	for i := 1; i < len(p.held); i++ {
		p.held[i] += p.held[i-1]
	}
}

// lastUse is the position of the last reader of v in the main graph, behind all nodes for an output; -1 without readers.
func (p *prober) lastUse(v *graph.Value) int {
	last := -1
	for _, u := range v.Uses() {
		n := u.Node
		for n.Graph().Owner() != nil {
			n = n.Graph().Owner()
		}
		i, ok := p.order[n]
		if !ok { // the Return node has no position
			i = len(p.order)
		}
		last = max(last, i)
	}
	return last
}

// bind gives the model the sizes of the first sample, as far as they follow from it.
func bind(ctx context.Context, m *graph.Model, set *calib.Set) (*graph.Model, error) {
	first, err := set.Read(ctx, 0)
	if err != nil {
		return nil, err
	}
	shapes := map[string][]int64{}
	for name, a := range first.Inputs {
		shapes[name] = a.Shape
	}
	bound, err := cost.Bind(m, shapes, nil)
	if err != nil {
		return m, nil // sizes that stay unknown count as nothing
	}
	return bound, nil
}

// sizes are the bytes of the values of the main graph for the first sample, by name.
func sizes(ctx context.Context, m *graph.Model, set *calib.Set) (map[string]int64, error) {
	bound, err := bind(ctx, m, set)
	if err != nil {
		return nil, err
	}
	return sizesOf(bound), nil
}

func sizesOf(bound *graph.Model) map[string]int64 {
	out := map[string]int64{}
	for n := range bound.Main.Nodes() {
		for _, v := range n.Outs() {
			if v != nil {
				out[v.Name()] = size(v)
			}
		}
	}
	return out
}

// size is the memory of a value, 0 when it is not known.
func size(v *graph.Value) int64 {
	dims, ok := v.Shape().Static()
	if !ok {
		return 0
	}
	n := float64(v.Elem().Bits()) / 8
	for _, d := range dims {
		n *= float64(d)
	}
	return int64(min(n, 1<<40))
}

// reference runs the model. The first sample is timed, so that the number of
// samples can be fitted to the time and the memory that there are.
func (p *prober) reference(ctx context.Context) error {
	whole := p.model.Clone()
	for _, v := range p.outputs[p.report.Outputs:] {
		whole.Main.AddOutput(whole.Main.Value(v.Name()))
	}
	proto, err := whole.Export()
	if err != nil {
		return err
	}
	began := time.Now()
	s, err := p.runner.Open(ctx, proto, calib.OpenOptions{Threads: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	p.ports = s.Outputs()
	opened := time.Since(began)
	var once time.Duration
	for range 2 { // the first run of a session is slower
		began = time.Now()
		if err := p.refer(ctx, s, p.set, 0); err != nil {
			return err
		}
		once = time.Since(began)
	}
	p.thin(opened, once)
	p.ref = nil
	for i := range p.set.Len() {
		if err := p.refer(ctx, s, p.set, i); err != nil {
			return err
		}
	}
	p.report.Samples = p.set.Len()
	return nil
}

// refer keeps the outputs for sample i.
func (p *prober) refer(ctx context.Context, s calib.Session, set *calib.Set, i int) error {
	sample, err := set.Read(ctx, i)
	if err != nil {
		return err
	}
	err = s.Run(ctx, sample.Inputs, func(out []calib.Array) error {
		var kept []calib.Array
		for _, a := range out {
			kept = append(kept, a.Copy())
		}
		p.ref = append(p.ref, kept)
		return nil
	})
	if err != nil {
		return fmt.Errorf("sample %s: %w", sample.Name, err)
	}
	return ctx.Err()
}

// thin takes fewer samples where their outputs do not fit into the memory, or their runs into the time.
func (p *prober) thin(open, once time.Duration) {
	n := p.set.Len()
	var bytes int64
	for _, a := range p.ref[0] {
		bytes += int64(len(a.Bytes))
	}
	n = min(n, max(1, int(p.o.Memory/max(bytes, 1))))
	if p.o.Limit > 0 {
		var runs float64
		for _, j := range p.jobs {
			runs += p.rest[j.at]
		}
		left := p.o.Limit - time.Since(p.start) - time.Duration(len(p.jobs))*open/time.Duration(2*p.o.Threads)
		each := time.Duration(float64(once) * (1 + runs/float64(p.o.Threads)))
		n = min(n, max(2, int(left/max(each, 1))))
	}
	p.set = p.set.Spread(n)
}

// errTime ends a measurement early.
var errTime = errors.New("the time is over")
