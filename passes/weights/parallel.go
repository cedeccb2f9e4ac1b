package weights

import (
	"runtime"
	"sync"
)

// Each calls fn for 0 to n-1 on several goroutines, in contiguous shares; the
// calls must not depend on each other. A panic in one of them is the caller's.
func Each(threads, n int, fn func(i int)) {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	threads = max(1, min(threads, n))
	failed := make([]any, threads)
	var group sync.WaitGroup
	for k := range threads {
		group.Go(func() {
			defer func() { failed[k] = recover() }()
			for i := k * n / threads; i < (k+1)*n/threads; i++ {
				fn(i)
			}
		})
	}
	group.Wait()
	for _, f := range failed {
		if f != nil {
			panic(f)
		}
	}
}
