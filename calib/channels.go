package calib

import (
	"math"

	"github.com/onnxpass/onnxpass/calib/observe"
)

// ChannelStats are statistics for each index along one axis.
type ChannelStats struct {
	Axis     int     // as asked for; negative counts from the last
	Count    []int64 // finite elements
	Min, Max []float32
	Sum      []observe.Sum
	// Varies tells that the axis was missing, or not of one size, in some
	// sample; the lists are then nil.
	Varies bool
}

// maxChannels bounds the memory of ChannelStats; a longer axis counts as varying.
const maxChannels = 1 << 16

// Len is the number of channels.
func (c *ChannelStats) Len() int { return len(c.Count) }

// Mean is the mean of each channel.
func (c *ChannelStats) Mean() []float64 {
	mean := make([]float64, len(c.Sum))
	for i := range mean {
		mean[i] = ratio(c.Sum[i], c.Count[i])
	}
	return mean
}

func (c *ChannelStats) giveUp() { *c = ChannelStats{Axis: c.Axis, Varies: true} }

// fit makes room for n channels, or gives up when there were others before.
func (c *ChannelStats) fit(n int) bool {
	if c.Count == nil && !c.Varies && n > 0 && n <= maxChannels {
		c.Count, c.Sum = make([]int64, n), make([]observe.Sum, n)
		c.Min, c.Max = make([]float32, n), make([]float32, n)
		for i := range n {
			c.Min[i], c.Max[i] = float32(math.Inf(1)), float32(math.Inf(-1))
		}
	}
	if len(c.Count) != n {
		c.giveUp()
	}
	return !c.Varies
}

func (c *ChannelStats) put(i int, n int64, lo, hi float32, sum observe.Sum) {
	c.Count[i] += n
	c.Min[i], c.Max[i] = min(c.Min[i], lo), max(c.Max[i], hi)
	c.Sum[i].Merge(sum)
}

func (c *ChannelStats) merge(o *ChannelStats) {
	if o.Varies {
		c.giveUp()
		return
	}
	if o.Count == nil || !c.fit(len(o.Count)) {
		return
	}
	for i := range o.Count {
		c.put(i, o.Count[i], o.Min[i], o.Max[i], o.Sum[i])
	}
}

// add takes in one sample's array x of the given shape: [outer, channels, inner].
func (c *ChannelStats) add(x []float32, shape []int64) {
	axis := c.Axis
	if axis < 0 {
		axis += len(shape)
	}
	if axis < 0 || axis >= len(shape) || !c.fit(int(shape[axis])) {
		c.giveUp()
		return
	}
	channels, inner := int(shape[axis]), 1
	for _, d := range shape[axis+1:] {
		inner *= int(d)
	}
	if inner < 8 {
		c.addNarrow(x, channels, inner)
		return
	}
	for i := 0; len(x) >= inner && inner > 0; i++ {
		m := observe.Scan(x[:inner])
		if m.Finite() > 0 {
			c.put(i%channels, m.Finite(), m.Min, m.Max, observe.Sum{m.Sum})
		}
		x = x[inner:]
	}
}

// addNarrow is add for runs too short for observe.Scan: sums of one sample are
// kept in float64 for each channel, in index order.
func (c *ChannelStats) addNarrow(x []float32, channels, inner int) {
	sums := make([]float64, channels)
	for i, v := range x {
		if v-v != 0 {
			continue
		}
		k := i / inner % channels
		c.Count[k]++
		c.Min[k], c.Max[k] = min(c.Min[k], v), max(c.Max[k], v)
		sums[k] += float64(v)
	}
	for k, s := range sums {
		c.Sum[k].Add(s)
	}
}
