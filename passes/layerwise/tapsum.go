package layerwise

import (
	"encoding/binary"

	"github.com/onnxpass/onnxpass/calib/observe"
)

// sums are, for each input channel and tap, the sum over all positions of what
// the tap reads there. They come from sums of whole planes or lines less what
// the border cuts off, not from windows.
func (v *view) sums(in *Input) []float64 {
	out := make([]float64, v.layer.Groups*v.layer.Cols)
	if in.codes == nil {
		sumWindows(v, in.floats, sumFloats, out)
		return out
	}
	sumWindows(v, in.codes, sumCodes, out)
	elements := v.counts()
	for i, s := range out {
		out[i] = in.Scale * (s - float64(in.Zero)*elements[i%len(elements)])
	}
	return out
}

// counts is how many elements of a channel each tap reads that are no padding, over all positions.
func (v *view) counts() []float64 {
	if v.axes == nil {
		return []float64{float64(v.positions)}
	}
	out := []float64{float64(v.positions / v.out)}
	for _, a := range v.axes {
		var next []float64
		for _, n := range out {
			for t := range a.taps {
				_, _, count := a.used(t)
				next = append(next, n*float64(count))
			}
		}
		out = next
	}
	return out
}

func sumWindows[T byte | float32](v *view, x []T, sum func([]T) float64, out []float64) {
	if v.axes == nil {
		for ; len(x) > 0; x = x[v.channels:] {
			addLine(out, x[:v.channels])
		}
		return
	}
	taps := v.layer.taps()
	p := newPlaneSums(v.axes, sum)
	for from, c := 0, 0; from+v.in <= len(x) && v.in > 0; from, c = from+v.in, (c+1)%v.channels {
		p.add(x[from:from+v.in], out[c*taps:(c+1)*taps])
	}
}

// planeSums adds up one channel of one item for each tap.
type planeSums[T byte | float32] struct {
	axes    []axis
	sum     func([]T) float64
	cut     [2][][]int // by axis and tap: the lines that the tap does not read; for strides of 1 in two dimensions
	scratch []float64
}

func newPlaneSums[T byte | float32](axes []axis, sum func([]T) float64) *planeSums[T] {
	p := &planeSums[T]{axes: axes, sum: sum}
	if len(axes) != 2 || axes[0].stride > 1 || axes[1].stride > 1 {
		return p
	}
	for k, a := range axes {
		for t := range a.taps {
			first, _, count := a.used(t)
			list := []int{}
			for i := range a.in {
				if i < first || i >= first+count {
					list = append(list, i)
				}
			}
			p.cut[k] = append(p.cut[k], list)
		}
	}
	return p
}

func (p *planeSums[T]) add(plane []T, out []float64) {
	if p.cut[0] != nil {
		p.borders(plane, out)
		return
	}
	p.lines(plane, out)
}

// borders is add for two dimensions and strides of 1: the sum of the plane less
// the rows and columns that a tap does not read.
func (p *planeSums[T]) borders(plane []T, out []float64) {
	whole, width := p.sum(plane), p.axes[1].in
	height := p.axes[0].in
	p.scratch = append(p.scratch[:0], make([]float64, width)...)
	columns := p.scratch // sums of those columns that some tap does not read
	for _, list := range p.cut[1] {
		for _, x := range list {
			if columns[x] == 0 {
				for y := range height {
					columns[x] += float64(plane[y*width+x])
				}
			}
		}
	}
	for t, rows := range p.cut[0] {
		inside := whole
		for _, y := range rows {
			inside -= p.sum(plane[y*width : (y+1)*width])
		}
		for u, list := range p.cut[1] {
			s := inside
			for _, x := range list {
				s -= columns[x]
				for _, y := range rows {
					s += float64(plane[y*width+x])
				}
			}
			out[t*len(p.cut[1])+u] += s
		}
	}
}

// lines is add for everything else: lines along the first axis are added up for each tap, then the other axes.
func (p *planeSums[T]) lines(plane []T, out []float64) {
	a := p.axes[0]
	rest, per := len(plane)/a.in, len(out)/a.taps
	for t := range a.taps {
		first, step, count := a.used(t)
		p.scratch = append(p.scratch[:0], make([]float64, rest)...)
		for k := range count {
			i := first + k*step
			addLine(p.scratch, plane[i*rest:(i+1)*rest])
		}
		sumAxes(p.axes[1:], p.scratch, out[t*per:(t+1)*per])
	}
}

// sumAxes adds the sums over the remaining axes.
func sumAxes(axes []axis, x, out []float64) {
	switch len(axes) {
	case 0:
		out[0] += x[0]
		return
	case 1:
		for t := range out {
			first, step, count := axes[0].used(t)
			for k := range count {
				out[t] += x[first+k*step]
			}
		}
		return
	}
	a := axes[0]
	rest, per := len(x)/a.in, len(out)/a.taps
	for t := range a.taps {
		first, step, count := a.used(t)
		part := make([]float64, rest)
		for k := range count {
			i := first + k*step
			addLine(part, x[i*rest:(i+1)*rest])
		}
		sumAxes(axes[1:], part, out[t*per:(t+1)*per])
	}
}

func addLine[T byte | float32 | float64](sum []float64, x []T) {
	sum = sum[:len(x)]
	for i, v := range x {
		sum[i] += float64(v)
	}
}

// sumFloats is the sum of x; NaN when not all of it is finite.
func sumFloats(x []float32) float64 {
	if len(x) < 16 {
		var sum float64
		for _, v := range x {
			sum += float64(v)
		}
		return sum
	}
	return total(observe.Scan(x))
}

// sumCodes is the sum of bytes, eight at a time: four sums of 16 bits in one word.
func sumCodes(x []byte) float64 {
	const even = 0x00ff00ff00ff00ff
	var sum uint64
	for len(x) >= 8 {
		var part uint64
		n := min(len(x)/8, 128) // of which each adds at most 510 to 16 bits
		for i := range n {
			v := binary.LittleEndian.Uint64(x[8*i:])
			part += v&even + v>>8&even
		}
		sum += part&0xffff + part>>16&0xffff + part>>32&0xffff + part>>48
		x = x[8*n:]
	}
	for _, b := range x {
		sum += uint64(b)
	}
	return float64(sum)
}
