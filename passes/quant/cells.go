package quant

import "math"

// cells divides a tensor into cells of one scale each: element
// ((o*mid+m)*span+s)*inner+i belongs to cell m*inner+i.
type cells struct {
	outer, mid, span, inner int
	shape                   []int64 // of the scales, which broadcasts over the tensor
}

// newCells shares a scale along the axes from (included) to (excluded).
func newCells(dims []int64, from, to int) cells {
	c := cells{1, int(elements(dims[:from])), int(elements(dims[from:to])), int(elements(dims[to:])), append([]int64(nil), dims...)}
	for i := from; i < to; i++ {
		c.shape[i] = 1
	}
	return c
}

// channelCells has one scale for each index of an axis.
func channelCells(dims []int64, axis int) cells {
	c := cells{int(elements(dims[:axis])), int(dims[axis]), int(elements(dims[axis+1:])), 1, make([]int64, len(dims))}
	for i := range c.shape {
		c.shape[i] = 1
	}
	c.shape[axis] = dims[axis]
	return c
}

// count is the number of scales.
func (c cells) count() int { return c.mid * c.inner }

// each yields the elements of a tensor in order, with their cells.
func (c cells) each(yield func(cell, element int)) {
	k := 0
	for range c.outer {
		for m := range c.mid {
			for range c.span {
				for i := range c.inner {
					yield(m*c.inner+i, k)
					k++
				}
			}
		}
	}
}

// scales are max|x| / 127 of each cell, floored as for weights of 8-bit layers.
func (c cells) scales(x []float32) []float32 {
	most := make([]float32, c.count())
	var largest float32
	c.each(func(cell, k int) {
		a := float32(math.Abs(float64(x[k])))
		most[cell], largest = max(most[cell], a), max(largest, a)
	})
	for i, m := range most {
		most[i] = scale(float64(max(m, floorRatio*largest)) / 127)
	}
	return most
}

// quality is the SQNR in dB of the codes.
func (c cells) quality(x, scale []float32) float64 {
	var signal, noise float64
	c.each(func(cell, k int) {
		d := float64(x[k]) - float64(code(x[k], scale[cell]))*float64(scale[cell])
		signal += float64(x[k]) * float64(x[k])
		noise += d * d
	})
	return decibels(signal, noise)
}

// fidelity says in dB how well the codes keep ordinary elements: the mean over
// the cells of noise power relative to (mean of sqrt|x|)^4, zeros left out. One
// large element makes the SQNR good while it rounds the rest of its cell to
// zero; this mean hardly sees it.
func (c cells) fidelity(x, scale []float32) float64 {
	noise, size, count := make([]float64, c.count()), make([]float64, c.count()), make([]float64, c.count())
	c.each(func(cell, k int) {
		if x[k] == 0 {
			return
		}
		d := float64(x[k]) - float64(code(x[k], scale[cell]))*float64(scale[cell])
		noise[cell] += d * d
		size[cell] += math.Sqrt(math.Abs(float64(x[k])))
		count[cell]++
	})
	sum, filled := 0.0, 0.0
	for i, n := range count {
		if n > 0 {
			sum += noise[i] / n / math.Pow(size[i]/n, 4)
			filled++
		}
	}
	return decibels(filled, sum)
}

// decibels is 10 log10(signal / noise): +Inf without noise.
func decibels(signal, noise float64) float64 {
	if noise == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(signal/noise)
}

// finiteAll says whether no element is NaN or infinite.
func finiteAll(x []float32) bool {
	for _, f := range x {
		if !(math.Abs(float64(f)) <= math.MaxFloat32) {
			return false
		}
	}
	return true
}
