package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
)

// pieces is how many times the cut moves at most: what lies between the cut
// and a candidate is computed again for each, half of 1/pieces of a run on average.
const pieces = 24

// block are jobs that start from one cut.
type block struct {
	at   int // position of the cut: nodes before it are not run
	jobs []*job
}

// blocks divides the jobs. The cut stays where it is while what would have to be held is too large.
func (p *prober) blocks() []block {
	out := []block{{}}
	for _, j := range p.jobs {
		last := &out[len(out)-1]
		if p.rest[last.at]-p.rest[j.at] >= 1.0/pieces && p.held[j.at] <= p.o.Memory/int64(p.set.Len()) {
			out = append(out, block{at: j.at})
			last = &out[len(out)-1]
		}
		last.jobs = append(last.jobs, j)
		j.work = p.rest[last.at]
	}
	return out
}

// crossing are the values computed before a position that nodes at or behind it read, and outputs of the model that are complete there.
func (p *prober) crossing(at int) []*graph.Value {
	var out []*graph.Value
	for n := range p.model.Main.Nodes() {
		if p.order[n] >= at {
			break
		}
		for _, v := range n.Outs() {
			if v != nil && v.Const() == nil && p.lastUse(v) >= at {
				out = append(out, v)
			}
		}
	}
	return out
}

// measure walks through the model: the cut moves, then the candidates of a block run side by side.
func (p *prober) measure(ctx context.Context) error {
	c := &calib.Calibration{Runner: p.runner, Samples: p.set, Threads: 1}
	f, err := calib.NewFrontier(ctx, c, p.model, p.outputs)
	if err != nil {
		return err
	}
	blocks := p.blocks()
	for _, j := range p.jobs {
		p.report.Runs += j.work
	}
	t := &tally{total: p.report.Runs, progress: p.o.Progress}
	for _, b := range blocks {
		if err := p.advance(ctx, f, b.at); err != nil {
			return err
		}
		if err := p.side(ctx, f, b.jobs, t); err != nil {
			if errors.Is(err, errTime) {
				return nil
			}
			return err
		}
	}
	return nil
}

// advance moves the cut to a position.
func (p *prober) advance(ctx context.Context, f *calib.Frontier, at int) error {
	live := map[*graph.Value]bool{}
	for _, v := range f.Live() {
		live[v] = true
	}
	var want []*graph.Value
	for _, v := range p.crossing(at) {
		if !live[v] {
			want = append(want, v)
		}
	}
	if at == 0 || len(want) == 0 {
		return nil
	}
	s, err := f.Open(ctx, want, calib.StepOptions{Advance: true})
	if err != nil {
		return err
	}
	for i := range f.Len() {
		if err := s.Run(ctx, i, nil, func([]calib.Array) error { return ctx.Err() }); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

// side runs jobs, several at a time.
func (p *prober) side(ctx context.Context, f *calib.Frontier, jobs []*job, t *tally) error {
	errs := make([]error, len(jobs))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(p.o.Threads, len(jobs)) {
		group.Go(func() {
			for k := next.Add(1) - 1; k < int64(len(jobs)); k = next.Add(1) - 1 {
				if p.o.Limit > 0 && time.Since(p.start) > p.o.Limit {
					errs[k] = errTime
					return
				}
				if errs[k] = p.one(ctx, f, jobs[k], t); errs[k] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	var over error
	for _, err := range errs {
		switch {
		case errors.Is(err, errTime):
			over = err
		case err != nil:
			return err
		}
	}
	return over
}

// one measures a candidate. What the runtime has against it is in its Damage; an error ends the measurement.
func (p *prober) one(ctx context.Context, f *calib.Frontier, j *job, t *tally) error {
	d := &p.report.Damages[j.index]
	c, err := p.try(ctx, f, j, t)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.Err = err
		return nil
	}
	d.Measured, d.Outputs = true, c.Outputs
	return nil
}

// try runs the candidate's piece on every sample.
func (p *prober) try(ctx context.Context, f *calib.Frontier, j *job, t *tally) (*calib.Comparison, error) {
	meter := calib.NewMeter(p.ports, p.report.Logits)
	s, where, err := p.open(ctx, f, j)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for i := range f.Len() {
		in := map[string]calib.Array{}
		for _, port := range s.Inputs() {
			in[port.Name] = f.Held(i)[port.Name]
		}
		err := s.Run(ctx, in, func(out []calib.Array) error {
			all := append([]calib.Array(nil), p.ref[i]...)
			for k, at := range where {
				all[at] = out[k]
			}
			return meter.Add("", p.ref[i], all)
		})
		if err != nil {
			return nil, err
		}
		t.add(j.work / float64(f.Len()))
	}
	return meter.Comparison(), nil
}

// open loads the candidate's piece; where are the positions of its outputs among those of the model.
func (p *prober) open(ctx context.Context, f *calib.Frontier, j *job) (calib.Session, []int, error) {
	var want []*graph.Value
	at := map[string]int{}
	for _, i := range j.outputs {
		if v := p.outputs[i]; at[v.Name()] == 0 {
			at[v.Name()] = i + 1
			want = append(want, v)
		}
	}
	piece := p.model.Extract(f.Live(), want)
	if err := j.edit(piece); err != nil {
		return nil, nil, err
	}
	proto, err := piece.Export()
	if err != nil {
		return nil, nil, err
	}
	s, err := p.runner.Open(ctx, proto, calib.OpenOptions{Threads: 1})
	if err != nil {
		return nil, nil, err
	}
	var where []int
	for _, port := range s.Outputs() {
		i := at[port.Name] - 1
		if i < 0 {
			return nil, nil, errors.Join(fmt.Errorf("the change gives the model an output %s", port.Name), s.Close())
		}
		where = append(where, i)
	}
	return s, where, nil
}

// tally adds up finished work for a progress display.
type tally struct {
	mu          sync.Mutex
	done, total float64
	progress    func(done, total int)
}

const units = 1000

func (t *tally) add(work float64) {
	if t.progress == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += work
	t.progress(min(int(units*t.done/t.total), units), units)
}

// noise is the relative power that an SQNR in dB stands for.
func noise(db float64) float64 {
	if db >= 200 {
		return 0
	}
	return math.Pow(10, -db/10)
}
