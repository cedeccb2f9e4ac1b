package calib

// balance are the sums behind Agreement.Balanced: power of the signal and of the error, by index along the class axis.
type balance struct{ signal, err []float64 }

// widest is the number of elements along the class axis up to which they are told apart.
const widest = 4096

// balanced measures the powers of one array. It is empty where there is no class axis, or too long a one.
func balanced[T number](ref, out []T, shape []int64) (b balance) {
	axis := classAxis(shape)
	if axis < 0 || shape[axis] > widest {
		return b
	}
	n, inner := int(shape[axis]), 1
	for _, d := range shape[axis+1:] {
		inner *= int(d)
	}
	b.signal, b.err = make([]float64, n), make([]float64, n)
	for i, x := range ref {
		r, d := float64(x), float64(x)-float64(out[i])
		if d-d != 0 {
			continue
		}
		k := i / inner % n
		b.signal[k] += r * r
		b.err[k] += d * d
	}
	return b
}

// add adds up sums. Arrays of another length along the axis end the balance.
func (b *balance) add(o balance) {
	switch {
	case b.signal == nil:
		*b = o
		return
	case len(o.signal) != len(b.signal):
		*b = balance{signal: []float64{}}
		return
	}
	for i := range b.signal {
		b.signal[i] += o.signal[i]
		b.err[i] += o.err[i]
	}
}

// floorOfBalance is the least power of a signal, as a share of the mean one, that errors are measured against.
const floorOfBalance = 0.01

// mean is the mean ratio of error to signal; ok is false when there is none.
func (b *balance) mean() (ratio float64, ok bool) {
	var all float64
	for _, s := range b.signal {
		all += s
	}
	n := float64(len(b.signal))
	if n < 2 || !(all > 0) {
		return 0, false
	}
	for i, e := range b.err {
		ratio += e / max(b.signal[i], floorOfBalance*all/n) / n
	}
	return ratio, true
}
