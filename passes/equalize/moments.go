package equalize

// moments answers for one channel and sign, in constant time, what rounding
// and clipping cost: sums over all magnitudes beyond a bin, and the energy
// below one.
type moments struct {
	count, sum, square [bars + 1]float64 // of the bins from i on
	limit              float64           // the largest magnitude
	total              float64           // elements of the channel, both signs and zeros
}

// fill makes the sums from one histogram.
func (m *moments) fill(h []uint32, limit float64) {
	m.limit = limit
	for i := bars - 1; i >= 0; i-- {
		x, n := min(middle(i), limit), float64(h[i])
		m.count[i] = m.count[i+1] + n
		m.sum[i] = m.sum[i+1] + n*x
		m.square[i] = m.square[i+1] + n*x*x
	}
}

// clipped is the sum of (x - t)^2 over all x > t, and how many those are. In
// the bin of t magnitudes are taken as uniform up to its end or the extreme.
func (m *moments) clipped(t float64) (float64, float64) {
	if t <= 0 {
		return m.square[0], m.count[0]
	}
	i := bar(float32(t))
	n := m.count[i+1]
	sum := max(m.square[i+1]-2*t*m.sum[i+1]+t*t*n, 0)
	from, to := edge(i), min(edge(i+1), m.limit)
	if to > t && to > from {
		part := (m.count[i] - n) * min((to-t)/(to-from), 1)
		n += part
		sum += part * (to - t) * (to - t) / 3
	}
	return sum, n
}

// rounded is the sum of squared rounding errors of all x below t with a step s:
// s^2/12 each, but never more than x^2, which codes near zero become.
func (m *moments) rounded(s, t float64) float64 {
	if t <= 0 {
		return 0
	}
	small, end := bar(float32(s*0.2886751)), bar(float32(t))
	if middle(end) <= t {
		end++
	}
	small = min(small, end)
	return m.square[0] - m.square[small] + (m.count[small]-m.count[end])*s*s/12
}
