package calib

import "context"

// reading is a sample, or what reading it came to.
type reading struct {
	sample Sample
	err    error
	panic  any
}

// ahead reads the samples of a set in order, one ahead of the caller, so that
// reading and computing overlap. It ends after the last sample, the first error, or with ctx.
func ahead(ctx context.Context, s *Set) <-chan reading {
	out := make(chan reading)
	go func() {
		for i := range s.Len() {
			r := read(ctx, s, i)
			select {
			case out <- r:
			case <-ctx.Done():
				return
			}
			if r.err != nil || r.panic != nil {
				return
			}
		}
	}()
	return out
}

// read hands a panic on to the goroutine that takes the sample, which knows what to do with it.
func read(ctx context.Context, s *Set, i int) (r reading) {
	defer func() { r.panic = recover() }()
	r.sample, r.err = s.Read(ctx, i)
	return r
}

// take is the next sample.
func take(ctx context.Context, from <-chan reading) (Sample, error) {
	select {
	case r := <-from:
		if r.panic != nil {
			panic(r.panic)
		}
		return r.sample, r.err
	case <-ctx.Done():
		return Sample{}, ctx.Err()
	}
}
