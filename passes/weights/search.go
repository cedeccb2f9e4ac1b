package weights

import (
	"math"
)

// search chooses scale and zero point of every block.
func (g *grid) search(s *Source) {
	g.scale = make([]float32, s.Channels*g.blocks())
	if g.format.Asymmetric {
		g.zero = make([]float32, len(g.scale))
	}
	var largest float64
	for _, v := range s.X {
		largest = max(largest, math.Abs(float64(v)))
	}
	Each(g.format.Threads, s.Channels, func(c int) {
		weight := s.Of(c)
		for b := range g.blocks() {
			from := b * g.block
			to := min(from+g.block, s.Cols)
			x := s.X[c*s.Cols+from : c*s.Cols+to]
			var w []float32
			if weight != nil {
				w = weight[from:to]
			}
			at := c*g.blocks() + b
			if g.zero != nil {
				g.asymmetric(at, x, w)
			} else {
				g.symmetric(at, x, w, largest)
			}
		}
	})
}

// floorRatio keeps the scales of dead blocks within four decades of the largest element.
const floorRatio = 1e-4

// steps are the scales that are tried, as shares of the one that reaches the largest element.
const steps = 40

// symmetric chooses the scale of block number at: of those that clip up to
// half of the range the one of least error, then the best scale for its codes.
func (g *grid) symmetric(at int, x, w []float32, largest float64) {
	low, high := extremes(x)
	reach := float64(max(-low/-g.least, high/g.most))
	reach = max(reach, floorRatio*largest/float64(g.most))
	g.scale[at] = g.stored(reach)
	if g.format.AbsMax || low == 0 && high == 0 {
		return
	}
	best, least := g.scale[at], g.loss(at, x, w)
	try := func(s float64) {
		g.scale[at] = g.stored(s)
		if e := g.loss(at, x, w); e < least {
			best, least = g.scale[at], e
		}
	}
	// Not clipping at either end asks for reach; a code more at the negative
	// end makes smaller steps possible, which clip the positive end alone.
	for k := 1; k <= steps; k++ {
		try(reach * (1 - 0.6*float64(k)/steps))
	}
	for range 3 {
		g.scale[at] = best
		s := g.fitted(at, x, w)
		if s <= 0 {
			break
		}
		try(s)
	}
	g.scale[at] = best
}

// asymmetric chooses scale and zero point of block number at. The zero point is
// a code, so that zero is exact.
func (g *grid) asymmetric(at int, x, w []float32) {
	low, high := extremes(x)
	low, high = min(low, 0), max(high, 0)
	set := func(lo, hi float64) {
		g.scale[at] = g.stored((hi - lo) / float64(g.most))
		g.zero[at] = min(max(float32(math.RoundToEven(-lo/float64(g.scale[at]))), 0), g.most)
	}
	set(float64(low), float64(high))
	if g.format.AbsMax || low == high {
		return
	}
	best, zero, least := g.scale[at], g.zero[at], g.loss(at, x, w)
	keep := func() {
		if e := g.loss(at, x, w); e < least {
			best, zero, least = g.scale[at], g.zero[at], e
		}
	}
	const ends = 10 // positions of each end
	for i := range ends {
		for j := range ends {
			set(float64(low)*(1-0.6*float64(i)/ends), float64(high)*(1-0.6*float64(j)/ends))
			keep()
		}
	}
	for range 3 {
		g.scale[at], g.zero[at] = best, zero
		s := g.fitted(at, x, w)
		if s <= 0 {
			break
		}
		g.scale[at] = g.stored(s)
		keep()
	}
	g.scale[at], g.zero[at] = best, zero
}

func extremes(x []float32) (low, high float32) {
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// loss is the squared error of a block, weighed.
func (g *grid) loss(at int, x, w []float32) float64 {
	var sum float64
	s, zero := g.scale[at], float32(0)
	if g.zero != nil {
		zero = g.zero[at]
	}
	inverse, least, most := 1/s, g.least-zero, g.most-zero
	for i, v := range x {
		d := float64(v - min(max(nearest(v*inverse), least), most)*s)
		if d *= d; w != nil {
			d *= float64(w[i])
		}
		sum += d
	}
	return sum
}

// nearest rounds to an integer, ties to even, for |x| < 2^22.
func nearest(x float32) float32 {
	const magic = 3 << 22
	if x > magic/4 || x < -magic/4 {
		return x
	}
	return float32(x+magic) - magic
}

// fitted is the scale of least error for the codes under the present one.
func (g *grid) fitted(at int, x, w []float32) float64 {
	var num, den float64
	for i, v := range x {
		q := g.code(v, at)
		if g.zero != nil {
			q -= g.zero[at]
		}
		k := 1.0
		if w != nil {
			k = float64(w[i])
		}
		num += k * float64(q) * float64(v)
		den += k * float64(q) * float64(q)
	}
	if den == 0 {
		return 0
	}
	return num / den
}
