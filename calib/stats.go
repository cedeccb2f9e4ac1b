package calib

import (
	"slices"

	"github.com/onnxpass/onnxpass/calib/observe"
)

// Stats is what is known of one value after all samples. Nothing in it
// depends on the order of the samples, on how they were divided among tables
// that were merged, or on the number of threads.
type Stats struct {
	Samples      int64 // all that were observed
	Filled       int64 // samples that brought at least one finite element
	Count        int64 // elements over all samples
	Zeros        int64 // elements equal to 0
	NaN, Inf     int64
	Min, Max     float32 // over the finite elements; meaningless when Finite() is 0
	Sum, Squares observe.Sum
	SampleMin    observe.Sum // sum over the samples of each one's minimum
	SampleMax    observe.Sum
	Histogram    *observe.Histogram // of the finite elements that are not 0; above observe.Sample elements, of an even selection weighted to stand for all
	Shape        ShapeRange
	Channels     *ChannelStats // nil unless asked for
}

// ShapeRange is the smallest and largest size of every dimension that was
// observed; equal for values of fixed shape. Ranked is false when ranks differed.
type ShapeRange struct {
	Ranked   bool
	Min, Max []int64
}

// Finite is the number of elements that Min, Max, sums and histogram are about.
func (s *Stats) Finite() int64 { return s.Count - s.NaN - s.Inf }

// Mean is the mean of the finite elements, 0 when there are none.
func (s *Stats) Mean() float64 { return ratio(s.Sum, s.Finite()) }

// MeanSquare is the mean of the squares of the finite elements.
func (s *Stats) MeanSquare() float64 { return ratio(s.Squares, s.Finite()) }

// MeanMin is the mean over samples of the sample's minimum.
func (s *Stats) MeanMin() float64 { return ratio(s.SampleMin, s.Filled) }

// MeanMax is the mean over samples of the sample's maximum.
func (s *Stats) MeanMax() float64 { return ratio(s.SampleMax, s.Filled) }

func ratio(sum observe.Sum, n int64) float64 {
	if n == 0 {
		return 0
	}
	return sum.Value() / float64(n)
}

func newStats() *Stats { return &Stats{Histogram: observe.NewHistogram()} }

// add takes in the moments of one sample's array.
func (s *Stats) add(m observe.Moments, shape []int64) {
	s.merge(&Stats{
		Samples: 1, Filled: 1, Count: m.Count, Zeros: m.Zeros, NaN: m.NaN, Inf: m.Inf, Min: m.Min, Max: m.Max,
		Sum: observe.Sum{m.Sum}, Squares: observe.Sum{m.Squares},
		SampleMin: observe.Sum{float64(m.Min)}, SampleMax: observe.Sum{float64(m.Max)},
		Histogram: observe.NewHistogram(),
		Shape:     ShapeRange{Ranked: true, Min: shape, Max: shape},
	})
}

// merge adds the statistics of other samples, except those of channels.
func (s *Stats) merge(o *Stats) {
	s.Shape = mergeShape(s.Shape, o.Shape, s.Samples == 0)
	s.Samples += o.Samples
	s.Count += o.Count
	s.Zeros += o.Zeros
	s.NaN += o.NaN
	s.Inf += o.Inf
	if o.Finite() == 0 {
		return
	}
	if s.Filled == 0 {
		s.Min, s.Max = o.Min, o.Max
	}
	s.Filled += o.Filled
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
	s.Sum.Merge(o.Sum)
	s.Squares.Merge(o.Squares)
	s.SampleMin.Merge(o.SampleMin)
	s.SampleMax.Merge(o.SampleMax)
	s.Histogram.Merge(o.Histogram)
}

func mergeShape(a, b ShapeRange, first bool) ShapeRange {
	switch {
	case first:
		return ShapeRange{b.Ranked, slices.Clone(b.Min), slices.Clone(b.Max)}
	case len(a.Min) != len(b.Min) || !a.Ranked || !b.Ranked:
		return ShapeRange{}
	}
	for i := range a.Min {
		a.Min[i] = min(a.Min[i], b.Min[i])
		a.Max[i] = max(a.Max[i], b.Max[i])
	}
	return a
}

// mergeChannels adds the channel statistics of other samples, or drops them where one side has none.
func (s *Stats) mergeChannels(o *Stats) {
	if s.Channels == nil || o.Channels == nil || s.Channels.Axis != o.Channels.Axis {
		s.Channels = nil
		return
	}
	s.Channels.merge(o.Channels)
}

func (s *Stats) clone() *Stats {
	c := newStats()
	c.merge(s)
	if s.Channels != nil {
		c.Channels = &ChannelStats{Axis: s.Channels.Axis}
		c.Channels.merge(s.Channels)
	}
	return c
}
