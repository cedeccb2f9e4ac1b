package infer

import "math"

// rangeOf is Range: max(ceil((limit - start) / delta), 0) elements.
func rangeOf(c *call) error {
	c.set(0, Of(Dynamic()))
	start, ok0 := c.scalar(0)
	limit, ok1 := c.scalar(1)
	delta, ok2 := c.scalar(2)
	if ok0 && ok1 && ok2 && within(start, limit, delta) && delta != 0 {
		n := max(-floorDivSigned(start-limit, delta), 0)
		c.set(0, Sizes(n))
		if n <= maxContent {
			x := content{dims: []int64{n}, ints: make([]Dim, n)}
			for i := range x.ints {
				x.ints[i] = Static(start + int64(i)*delta)
			}
			c.setContent(0, x)
		}
		return nil
	}
	c.rangeSymbolic()
	c.rangeReal()
	return nil
}

// floorDivSigned rounds to minus infinity for a divisor of either sign.
func floorDivSigned(a, b int64) int64 {
	if b < 0 {
		a, b = -a, -b
	}
	return floorDiv(a, b)
}

// rangeSymbolic knows that 0..N in steps of one has N elements.
func (c *call) rangeSymbolic() {
	start, ok0 := c.scalar(0)
	delta, ok2 := c.scalar(2)
	limit, ok1 := contentOf(c.in(1))
	if ok0 && ok1 && ok2 && start == 0 && delta == 1 && len(limit.ints) == 1 && symbol(limit.ints[0]) {
		c.set(0, Of(size(limit.ints[0])))
	}
}

// rangeReal counts the elements of a Range of floats, where rounding leaves no doubt.
func (c *call) rangeReal() {
	var v [3]float64
	for i := range v {
		x, ok := contentOf(c.in(i))
		if !ok || len(x.floats) != 1 {
			return
		}
		v[i] = x.floats[0]
	}
	n := (v[1] - v[0]) / v[2]
	if !(math.Abs(n) < 1<<20) || math.Abs(n-math.Round(n)) < 1e-4 && n != math.Round(n) {
		return
	}
	c.set(0, Sizes(max(int64(math.Ceil(n)), 0)))
}
