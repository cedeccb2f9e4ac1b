package calib

import "math"

// divergence is the sum over positions of the Kullback-Leibler divergence, in
// nats, of the softmax of out from that of ref, along the class axis:
// sum p (log p - log q). Positions that are not finite are left out.
func divergence[T number](ref, out []T, shape []int64) (sum float64, positions int64) {
	axis := classAxis(shape)
	if axis < 0 {
		return 0, 0
	}
	n, inner := int(shape[axis]), 1
	for _, d := range shape[axis+1:] {
		inner *= int(d)
	}
	for outer := 0; outer < len(ref); outer += n * inner {
		for i := outer; i < outer+inner; i++ {
			if d := relativeEntropy(ref[i:], out[i:], n, inner); !math.IsNaN(d) && !math.IsInf(d, 0) {
				sum += d
				positions++
			}
		}
	}
	return sum, positions
}

// relativeEntropy is the divergence of n elements with the given distance.
func relativeEntropy[T number](a, b []T, n, distance int) float64 {
	la, lb := logSumExp(a, n, distance), logSumExp(b, n, distance)
	var d float64
	for k := range n {
		x, y := float64(a[k*distance])-la, float64(b[k*distance])-lb
		if p := math.Exp(x); p > 0 {
			d += p * (x - y)
		}
	}
	return max(d, 0)
}

func logSumExp[T number](x []T, n, distance int) float64 {
	top := float64(x[argmax(x, n, distance)*distance])
	var sum float64
	for k := range n {
		sum += math.Exp(float64(x[k*distance]) - top)
	}
	return top + math.Log(sum)
}
