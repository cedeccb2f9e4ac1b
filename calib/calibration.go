package calib

import (
	"context"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
)

// Calibration answers requests for statistics of values: it adds the values to
// a clone of the model as outputs, streams the samples through the Runner once
// and feeds observers. It is for use by one goroutine at a time.
type Calibration struct {
	Runner   Runner
	Samples  *Set                  // the calibration part
	HeldOut  *Set                  // never used to calibrate
	Threads  int                   // of the runner and of the observers; 0: all cores
	Progress func(done, total int) // after every sample; may be nil
	CacheDir string                // folder of saved tables; "": none

	last memo
}

// memo is the table of the model seen last, valid while the model is unedited.
type memo struct {
	model *graph.Model
	edits int
	table *Table
}

// Request asks for the statistics of one value.
type Request struct {
	Value    string // name in the model
	Channels bool   // also along an axis
	Axis     int    // the channel axis, negative from the last; 0 means 1, the channels of NCHW
}

func (r Request) axis() int {
	if r.Axis == 0 {
		return 1
	}
	return r.Axis
}

// Collect returns statistics over Samples of the requested values. Those that
// cannot be observed are listed with their reasons in the table and are no
// error. What an earlier call or the cache folder knows is not computed again.
// Companions observe the same pass, if there is one.
func (c *Calibration) Collect(ctx context.Context, m *graph.Model, reqs []Request, companions ...Observer) (*Table, error) {
	known, err := c.known(m)
	if err != nil {
		return nil, err
	}
	missing := known.lacks(reqs)
	if len(missing) == 0 {
		return known, nil
	}
	observers := make([]Observer, len(missing))
	for i, r := range missing {
		observers[i] = newStatsObserver(r)
	}
	reasons, err := c.Observe(ctx, m, append(observers, companions...))
	if err != nil {
		return nil, err
	}
	for i, r := range missing {
		if reasons[i] != nil {
			known.unobservable[r.Value] = reasons[i].Reason
			continue
		}
		known.stats[r.Value] = observers[i].(*statsObserver).stats
	}
	return known, c.save(known)
}

// known is the table so far of the model as it is now.
func (c *Calibration) known(m *graph.Model) (*Table, error) {
	if c.last.model == m && c.last.edits == m.Edits() && c.last.table != nil {
		return c.last.table, nil
	}
	t, err := c.load(m)
	if err != nil {
		return nil, err
	}
	c.last = memo{m, m.Edits(), t}
	return t, nil
}

// lacks lists the requests that t cannot answer, one for each value, by name.
func (t *Table) lacks(reqs []Request) []Request {
	var missing []Request
	for _, r := range reqs {
		if !t.answers(r) {
			missing = append(missing, r)
		}
	}
	slices.SortStableFunc(missing, func(a, b Request) int {
		if a.Channels != b.Channels && a.Value == b.Value {
			if a.Channels {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Value, b.Value)
	})
	return slices.CompactFunc(missing, func(a, b Request) bool { return a.Value == b.Value })
}

func (t *Table) answers(r Request) bool {
	if t.unobservable[r.Value] != "" {
		return true
	}
	s := t.stats[r.Value]
	return s != nil && (!r.Channels || s.Channels != nil && s.Channels.Axis == r.axis())
}

// Transfer makes what is known of one model serve another: to must be a clone
// of from as it was when its statistics were collected. Otherwise nothing happens.
func (c *Calibration) Transfer(from, to *graph.Model) {
	if from != nil && c.last.model == from && c.last.edits == to.Edits() {
		c.last.model = to
	}
}
