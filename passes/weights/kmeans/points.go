package kmeans

import (
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// Points are distinct numbers in ascending order, each with a positive weight.
type Points struct {
	Value, Weight []float64
}

// Len is the number of points.
func (p Points) Len() int { return len(p.Value) }

func (p *Points) add(value, weight float64) {
	p.Value, p.Weight = append(p.Value, value), append(p.Weight, weight)
}

// Exact sorts numbers; equal ones become one point. A nil weight counts each
// number once. Numbers that are not finite, or weigh nothing, are left out.
func Exact(x []float32, weight []float64) Points {
	order := make([]int32, 0, len(x))
	for i, v := range x {
		if v-v == 0 && (weight == nil || weight[i] > 0) {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return int(a - b)
	})
	var p Points
	for _, i := range order {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		if n := p.Len() - 1; n >= 0 && p.Value[n] == float64(x[i]) {
			p.Weight[n] += w
			continue
		}
		p.add(float64(x[i]), w)
	}
	return p
}

// Bins collect any number of numbers by what they round to in float16, and
// keep the true mean of each bin. They suit numbers of magnitudes around 1:
// what is beyond the range of float16 shares the outermost bins.
type Bins struct {
	weight, sum [1 << 16]float64
}

// Add collects numbers of a common weight.
func (b *Bins) Add(x []float32, weight float64) {
	if !(weight > 0) {
		return
	}
	for _, v := range x {
		if v-v != 0 {
			continue
		}
		h := dtype.F16FromF32(v)
		b.weight[h] += weight
		b.sum[h] += weight * float64(v)
	}
}

// AddEach collects numbers of the weights weight * each[i].
func (b *Bins) AddEach(x []float32, weight float64, each []float64) {
	for i, v := range x {
		w := weight * each[i]
		if v-v != 0 || !(w > 0) {
			continue
		}
		h := dtype.F16FromF32(v)
		b.weight[h] += w
		b.sum[h] += w * float64(v)
	}
}

// Merge adds what other collected.
func (b *Bins) Merge(other *Bins) {
	for i := range b.weight {
		b.weight[i] += other.weight[i]
		b.sum[i] += other.sum[i]
	}
}

// Points are the means of the bins that are not empty.
func (b *Bins) Points() Points {
	var p Points
	take := func(h int) {
		if w := b.weight[h]; w > 0 {
			p.add(b.sum[h]/w, w)
		}
	}
	for h := infinity | sign; h > sign; h-- {
		take(h)
	}
	if w := b.weight[0] + b.weight[sign]; w > 0 {
		p.add((b.sum[0]+b.sum[sign])/w, w)
	}
	for h := 1; h <= infinity; h++ {
		take(h)
	}
	return p
}

// The float16 codes of -0 and of infinity.
const (
	sign     = 1 << 15
	infinity = 0x7c00
)

// merged joins points into at most n bins of equal width, with their true means.
func (p Points) merged(n int) Points {
	if p.Len() <= n {
		return p
	}
	low := p.Value[0]
	width := (p.Value[p.Len()-1] - low) / float64(n)
	var out Points
	last := math.NaN()
	var sum, weight float64
	flush := func() {
		if weight > 0 {
			out.add(sum/weight, weight)
		}
		sum, weight = 0, 0
	}
	for i, v := range p.Value {
		if bin := math.Min(math.Floor((v-low)/width), float64(n-1)); bin != last {
			flush()
			last = bin
		}
		sum, weight = sum+p.Weight[i]*v, weight+p.Weight[i]
	}
	flush()
	return out
}

// without leaves out one value.
func (p Points) without(value float64) Points {
	i, found := slices.BinarySearch(p.Value, value)
	if !found {
		return p
	}
	return Points{slices.Delete(slices.Clone(p.Value), i, i+1), slices.Delete(slices.Clone(p.Weight), i, i+1)}
}
