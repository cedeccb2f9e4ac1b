package observe

import "math"

// Moments are the exact statistics of one array. Min, Max, Sum and Squares
// are over the finite elements; Min is +Inf and Max -Inf when there are none.
type Moments struct {
	Count        int64 // all elements
	Zeros        int64 // elements equal to +0 or -0
	NaN, Inf     int64
	Min, Max     float32
	Sum, Squares float64
}

// Finite is the number of elements that are neither NaN nor infinite.
func (m Moments) Finite() int64 { return m.Count - m.NaN - m.Inf }

// lanes are eight interleaved accumulators: lane j takes the elements with
// index j modulo 8. Both kernels add in this order, so that the assembly and
// the portable one give the same bits.
type lanes struct {
	sum     [8]float64
	squares [8]float64
	min     [8]float32
	max     [8]float32
	zeros   [8]int32
	bad     [8]uint32 // not 0 where the lane met NaN or infinity
}

// chunk bounds the elements a kernel sees at once, so that lane counters hold.
const chunk = 1 << 24

// Scan reduces x in one pass. The result does not depend on the processor:
// the square of a float32 is exact in float64, so fused and separate
// multiply-add agree.
func Scan(x []float32) Moments {
	m := Moments{Count: int64(len(x)), Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}
	for len(x) > chunk {
		m.add(x[:chunk])
		x = x[chunk:]
	}
	m.add(x)
	m.Min += 0 // -0 becomes +0, whichever of the two a kernel kept
	m.Max += 0
	return m
}

// add reduces one chunk; chunks with NaN or infinity are reduced again, element by element.
func (m *Moments) add(x []float32) {
	l := newLanes()
	whole := len(x) &^ 7
	if whole > 0 {
		kernel(x[:whole], &l)
	}
	scanGo(x[whole:], &l)
	if l.bad != [8]uint32{} {
		l = newLanes()
		m.scanMixed(x, &l)
	}
	m.reduce(&l)
}

func newLanes() (l lanes) {
	for j := range l.min {
		l.min[j], l.max[j] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	return l
}

func (m *Moments) reduce(l *lanes) {
	for j := range l.sum {
		m.Sum += l.sum[j]
		m.Squares += l.squares[j]
		m.Zeros += int64(l.zeros[j])
		m.Min = min(m.Min, l.min[j])
		m.Max = max(m.Max, l.max[j])
	}
}

// block is a number of elements, a multiple of 8, that stays in the cache
// while scanGo passes over it four times.
const block = 2048

// scanGo is the portable kernel. Lanes marked bad hold nothing of use otherwise.
func scanGo(x []float32, l *lanes) {
	for len(x) >= 8 {
		n := min(len(x)&^7, block)
		for j := 0; j < 8; j += 2 {
			scanPair(x[:n], j, l)
		}
		x = x[n:]
	}
	for j, v := range x {
		scanOne(v, j, l)
	}
}

// scanPair adds elements to lanes j and j+1 only, so that accumulators stay in
// registers. len(x) is a multiple of 8.
func scanPair(x []float32, j int, l *lanes) {
	sum0, sum1, sq0, sq1 := l.sum[j], l.sum[j+1], l.squares[j], l.squares[j+1]
	lo0, lo1, hi0, hi1 := l.min[j], l.min[j+1], l.max[j], l.max[j+1]
	zeros0, zeros1, bad := uint32(l.zeros[j]), uint32(l.zeros[j+1]), l.bad[j]
	for i := j; i+1 < len(x); i += 8 {
		a, b := x[i], x[i+1]
		d, e := float64(a), float64(b)
		sum0 += d
		sum1 += e
		sq0 += d * d
		sq1 += e * e
		if a < lo0 {
			lo0 = a
		}
		if b < lo1 {
			lo1 = b
		}
		if a > hi0 {
			hi0 = a
		}
		if b > hi1 {
			hi1 = b
		}
		zeros0 += isZero(a)
		zeros1 += isZero(b)
		bad |= math.Float32bits(a-a) | math.Float32bits(b-b)
	}
	l.sum[j], l.sum[j+1], l.squares[j], l.squares[j+1] = sum0, sum1, sq0, sq1
	l.min[j], l.min[j+1], l.max[j], l.max[j+1] = lo0, lo1, hi0, hi1
	l.zeros[j], l.zeros[j+1], l.bad[j] = int32(zeros0), int32(zeros1), bad
}

func scanOne(v float32, j int, l *lanes) {
	d := float64(v)
	l.sum[j] += d
	l.squares[j] += d * d
	if v < l.min[j] {
		l.min[j] = v
	}
	if v > l.max[j] {
		l.max[j] = v
	}
	l.zeros[j] += int32(isZero(v))
	l.bad[j] |= math.Float32bits(v - v)
}

// scanMixed reduces data with NaN or infinities, which are counted and left out.
func (m *Moments) scanMixed(x []float32, l *lanes) {
	for i, v := range x {
		switch {
		case v != v:
			m.NaN++
			continue
		case math.IsInf(float64(v), 0):
			m.Inf++
			continue
		}
		j := i & 7
		d := float64(v)
		l.sum[j] += d
		l.squares[j] += d * d
		l.min[j] = min(l.min[j], v)
		l.max[j] = max(l.max[j], v)
		if v == 0 {
			l.zeros[j]++
		}
	}
}
