package kmeans

// optimum solves the clustering of sorted points exactly, by dynamic
// programming: with D_m(j) the least cost of the first j points in m clusters
// and c(i, j) that of the points i to j-1 in one,
//
//	D_m(j) = min over i of D_m-1(i) + c(i, j).
//
// The best i does not fall with j nor with m (c is a concave Monge array), so
// every row is filled by divide and conquer: O(k n log n). See Wu, Optimal
// quantization by matrix searching (1991), and Grønlund et al., Fast exact
// k-means, k-medians and Bregman divergence clustering in 1D (2017).
func optimum(p Points, k int) []float64 {
	t := newTable(p)
	n := p.Len()
	for j := range t.last {
		t.last[j] = t.cost(0, j)
	}
	splits := make([][]int32, k)
	splits[0] = make([]int32, n+1)
	for m := 1; m < k; m++ {
		splits[m] = make([]int32, n+1)
		t.below, t.split = splits[m-1], splits[m]
		from, to := m+1, n-(k-1-m)
		if m == k-1 {
			from = n
		}
		t.fill(from, to, m, to-1)
		t.last, t.next = t.next, t.last
	}
	out := make([]float64, k)
	for m, j := k-1, n; m >= 0; m-- {
		i := int(splits[m][j])
		out[m] = t.mean(i, j)
		j = i
	}
	return out
}

// table is the state of the dynamic programme.
type table struct {
	weight, sum, square []float64 // prefix sums over the points, of numbers relative to shift
	shift               float64
	last, next          []float64 // D_m-1 and D_m by the number of points
	below, split        []int32   // the best i of the row before and of this one
}

func newTable(p Points) *table {
	n := p.Len()
	t := &table{weight: make([]float64, n+1), sum: make([]float64, n+1), square: make([]float64, n+1), last: make([]float64, n+1), next: make([]float64, n+1)}
	var s, w float64
	for i, v := range p.Value {
		s, w = s+p.Weight[i]*v, w+p.Weight[i]
	}
	t.shift = s / w
	for i, v := range p.Value {
		v -= t.shift
		t.weight[i+1] = t.weight[i] + p.Weight[i]
		t.sum[i+1] = t.sum[i] + p.Weight[i]*v
		t.square[i+1] = t.square[i] + p.Weight[i]*v*v
	}
	return t
}

// cost is that of the points [i, j) in one cluster.
func (t *table) cost(i, j int) float64 {
	w := t.weight[j] - t.weight[i]
	if w <= 0 {
		return 0
	}
	s := t.sum[j] - t.sum[i]
	return max(0, t.square[j]-t.square[i]-s*s/w)
}

func (t *table) mean(i, j int) float64 {
	return t.shift + (t.sum[j]-t.sum[i])/(t.weight[j]-t.weight[i])
}

// fill computes D_m for the numbers of points from to to, whose best split lies in [low, high].
func (t *table) fill(from, to, low, high int) {
	if from > to {
		return
	}
	j := (from + to) / 2
	first := max(low, int(t.below[j]))
	end := min(high, j-1)
	best, at := t.last[first]+t.cost(first, j), first
	ws, ss, qs := t.weight[:j+1], t.sum[:j+1], t.square[:j+1]
	w, s, q := ws[j], ss[j], qs[j]
	for i := first + 1; i <= end; i++ {
		d := s - ss[i]
		c := t.last[i] + max(0, q-qs[i]-d*d/(w-ws[i]))
		if c < best {
			best, at = c, i
		}
	}
	t.next[j], t.split[j] = best, int32(at)
	t.fill(from, j-1, low, at)
	t.fill(j+1, to, at, high)
}
