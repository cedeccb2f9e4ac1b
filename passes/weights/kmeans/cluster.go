package kmeans

import (
	"math"
	"slices"
)

// work bounds points times clusters of the exact solution; more points are
// joined into bins first, and what that costs is polished away.
const work = 2 << 20

// Cluster returns the centres, ascending, of the best k clusters: fewer when
// there are fewer points. Up to about two million points times clusters the
// result is the optimum; beyond that it is the optimum of bins, refined on the points.
func Cluster(p Points, k int) []float64 {
	if p.Len() <= k {
		return slices.Clone(p.Value)
	}
	if k <= 0 {
		return nil
	}
	q := p.merged(max(work/k, 4*k))
	c := optimum(q, k)
	if q.Len() < p.Len() {
		c = Polish(p, c, -1, polishing)
	}
	return c
}

// polishing is the number of refinements behind the optimum of bins.
const polishing = 40

// ClusterWithZero is Cluster with 0 as one of the centres.
func ClusterWithZero(p Points, k int) []float64 {
	rest := p.without(0)
	c := Cluster(rest, k-1)
	at, found := slices.BinarySearch(c, 0)
	if found {
		return c
	}
	c = slices.Insert(c, at, 0)
	return Polish(p, c, at, polishing)
}

// Polish moves centres, ascending, to the means of what is nearest to each, up
// to the given number of times (Lloyd). The centre with index fixed (-1: none)
// stays where it is, and so does one that nothing is nearest to.
func Polish(p Points, centres []float64, fixed, times int) []float64 {
	c := slices.Clone(centres)
	for range times {
		moved := false
		i := 0
		for m := range c {
			limit := math.Inf(1)
			if m+1 < len(c) {
				limit = (c[m] + c[m+1]) / 2
			}
			var sum, weight float64
			for ; i < p.Len() && p.Value[i] <= limit; i++ {
				sum += p.Weight[i] * p.Value[i]
				weight += p.Weight[i]
			}
			if m == fixed || weight == 0 {
				continue
			}
			if mean := sum / weight; mean != c[m] {
				c[m], moved = mean, true
			}
		}
		if !moved {
			break
		}
	}
	slices.Sort(c)
	return c
}

// Cost is the weighted sum of squared distances of points from the nearest of ascending centres.
func Cost(p Points, centres []float64) float64 {
	var cost float64
	m := 0
	for i, v := range p.Value {
		for m+1 < len(centres) && v > (centres[m]+centres[m+1])/2 {
			m++
		}
		d := v - centres[m]
		cost += p.Weight[i] * d * d
	}
	return cost
}
