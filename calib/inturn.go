package calib

import (
	"errors"
	"sync"
)

// errStopped ends the calls that wait when another one has failed.
var errStopped = errors.New("another call failed")

// InTurn calls work for 0 to n-1 on several goroutines. Each call may pass one
// function to ordered, which runs these one at a time and in order: so sums do
// not depend on how many threads there are. The error is that of the first call, by number, that failed; a panic is the caller's.
func InTurn(n, threads int, work func(i int, ordered func(func() error) error) error) error {
	q := &queue{errs: make([]error, n)}
	q.changed = sync.NewCond(&q.mu)
	var group sync.WaitGroup
	for range max(1, min(threads, n)) {
		group.Go(func() {
			for i, ok := q.take(); ok; i, ok = q.take() {
				q.fail(i, q.call(i, work))
			}
		})
	}
	group.Wait()
	if q.panicked != nil {
		panic(q.panicked)
	}
	for _, err := range q.errs {
		if err != nil && !errors.Is(err, errStopped) {
			return err
		}
	}
	return nil
}

// queue hands out numbers and turns.
type queue struct {
	mu        sync.Mutex
	changed   *sync.Cond
	next, now int
	stopped   bool
	errs      []error
	panicked  any
}

// call does the work of number i. A panic ends all calls, for InTurn to hand on.
func (q *queue) call(i int, work func(int, func(func() error) error) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			q.mu.Lock()
			q.panicked = r
			q.mu.Unlock()
			err = errStopped
		}
	}()
	taken := false
	err = work(i, func(fn func() error) error {
		taken = true
		return q.turn(i, fn)
	})
	if err == nil && !taken {
		err = q.turn(i, func() error { return nil })
	}
	return err
}

func (q *queue) take() (int, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped || q.next == len(q.errs) {
		return 0, false
	}
	q.next++
	return q.next - 1, true
}

// turn runs fn when all numbers below i had theirs.
func (q *queue) turn(i int, fn func() error) error {
	if !q.wait(i) {
		return errStopped
	}
	err := fn() // without the lock: others go on with their work meanwhile
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now++
	q.changed.Broadcast()
	return err
}

// wait says whether it is the turn of i at last; it never will be when another call failed.
func (q *queue) wait(i int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.now < i && !q.stopped {
		q.changed.Wait()
	}
	return !q.stopped
}

func (q *queue) fail(i int, err error) {
	if err == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.errs[i], q.stopped = err, true
	q.changed.Broadcast()
}
