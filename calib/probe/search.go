package probe

import "context"

// Family is a nested family of changes to a model, such as ever more layers
// that go back to float: a later member costs more than those before it and is
// expected to make less noise.
type Family struct {
	Len int // members are 0 to Len-1
	// Noise is what a member is expected to make, in any unit; it falls.
	Noise func(member int) float64
	// Try measures a member: by which factor its noise is above what is
	// allowed; 1 or less when it is within.
	Try      func(ctx context.Context, member int) (excess float64, err error)
	Attempts int         // members, at most, that are tried
	Over     func() bool // says that no more should be tried; may be nil
}

// trusted is the number of attempts that follow the forecast; those after it halve what is left.
const trusted = 4

// Least looks for the first member that is within what is allowed, beginning
// with a guess. When none of those tried is, ok is false and the member is the
// one that came closest. Every attempt scales the forecast to what was measured.
func (f *Family) Least(ctx context.Context, guess int) (member int, ok bool, err error) {
	low, high := -1, f.Len // outside the members that are left: below all, above none
	excess := map[int]float64{}
	best := -1
	for i, n := 0, guess; i < f.Attempts && high-low > 1; i++ {
		if i > 0 && f.Over != nil && f.Over() {
			break
		}
		n = min(max(n, low+1), high-1)
		if excess[n], err = f.Try(ctx, n); err != nil {
			return 0, false, err
		}
		if best < 0 || excess[n] < excess[best] {
			best = n
		}
		from := n
		if excess[n] <= 1 {
			high = n
		} else if low = n; high < f.Len {
			from = high // nearer to what is wanted, as a rule
		}
		if n = f.needed(from, excess[from], low+1, high-1); i >= trusted-1 && high < f.Len {
			n = (low + high) / 2
		}
	}
	if high < f.Len {
		return high, true, nil
	}
	return max(best, 0), false, nil
}

// needed is the first member of some whose noise should be low enough, given one that was measured; the last when none is.
func (f *Family) needed(known int, excess float64, from, to int) int {
	base := max(f.Noise(known), 1e-300)
	for n := from; n < to; n++ {
		if excess*f.Noise(n)/base <= 1 {
			return n
		}
	}
	return to
}
