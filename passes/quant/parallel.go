package quant

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
)

// each calls fn for 0 to n-1, several at a time; the calls must not depend on
// each other. A panic in one of them is the caller's.
func (p *planner) each(n int, fn func(i int)) {
	threads := p.threads()
	var next atomic.Int64
	var failed atomic.Value
	work := func() {
		defer func() {
			if r := recover(); r != nil {
				failed.CompareAndSwap(nil, failure{r})
			}
		}()
		for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
			fn(int(i))
		}
	}
	var group sync.WaitGroup
	for range min(threads, n) {
		group.Go(work)
	}
	group.Wait()
	if f, ok := failed.Load().(failure); ok {
		panic(f.value)
	}
}

// threads is how many things may run at the same time.
func (p *planner) threads() int {
	if p.env.Calib != nil && p.env.Calib.Threads > 0 {
		return p.env.Calib.Threads
	}
	return goruntime.GOMAXPROCS(0)
}

// failure holds what a call panicked with: atomic.Value wants one type.
type failure struct{ value any }
