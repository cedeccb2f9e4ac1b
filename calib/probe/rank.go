package probe

import (
	"math"
	"slices"
)

// Shares is the part of each candidate in the noise that all of them together
// make, by candidate and output: a number from 0 to 1. Candidates that were
// not measured have none.
func (r *Report) Shares() [][]float64 {
	sum := make([]float64, r.Outputs)
	out := make([][]float64, len(r.Damages))
	for i, d := range r.Damages {
		out[i] = make([]float64, r.Outputs)
		for o, k := range r.Rank {
			if d.Measured {
				out[i][o] = d.Noise(k)
				sum[o] += out[i][o]
			}
		}
	}
	for i := range out {
		for o := range out[i] {
			if sum[o] > 0 {
				out[i][o] /= sum[o]
			}
		}
	}
	return out
}

// Order lists the candidates from the one that is best given up first: by the
// weighted noise that this saves over its price. Equal ones keep their order,
// and those that save nothing come last.
func Order(saves, prices []float64) []int {
	order := make([]int, len(saves))
	for i := range order {
		order[i] = i
	}
	ratio := func(i int) float64 {
		if !(saves[i] > 0) {
			return 0
		}
		return saves[i] / max(prices[i], math.SmallestNonzeroFloat32)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := ratio(a), ratio(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return order
}
