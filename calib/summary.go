package calib

import (
	"context"

	"github.com/onnxpass/onnxpass/calib/observe"
)

// InputSummary is what one input gets after preprocessing, for a person to
// look at: wrong scaling or colour order shows in it.
type InputSummary struct {
	Name     string           `json:"name"`
	Type     string           `json:"type"` // of the first sample, for instance "float32 [1,3,224,224]"
	Shape    ShapeRange       `json:"-"`
	Samples  int              `json:"samples"`
	Channels []ChannelSummary `json:"channels"` // one for each channel of a picture, else one for all elements
}

// ChannelSummary are figures of one channel over the samples looked at.
type ChannelSummary struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
}

// Summarize looks at the first n samples.
func Summarize(ctx context.Context, set *Set, ports []Port, n int) ([]InputSummary, error) {
	stats := make([]*Stats, len(ports))
	out := make([]InputSummary, len(ports))
	for i := range min(n, set.Len()) {
		s, err := set.Read(ctx, i)
		if err != nil {
			return nil, err
		}
		for k, p := range ports {
			a := s.Inputs[p.Name]
			if stats[k] == nil {
				stats[k] = newStats()
				stats[k].Channels = &ChannelStats{Axis: pictureAxis(a.Shape)}
				out[k] = InputSummary{Name: p.Name, Type: a.String()}
			}
			if err := summarize(stats[k], a); err != nil {
				return nil, err
			}
			out[k].Samples++
		}
	}
	for k, s := range stats {
		if s != nil {
			out[k].Shape, out[k].Channels = s.Shape, s.channelSummaries()
		}
	}
	return out, nil
}

func summarize(s *Stats, a Array) error {
	var scratch []float32
	x, err := a.Float32s(&scratch)
	if err != nil {
		return err
	}
	s.add(observe.Scan(x), a.Shape)
	if s.Channels.Axis == noAxis {
		s.Channels.giveUp()
	} else {
		s.Channels.add(x, a.Shape)
	}
	return nil
}

func (s *Stats) channelSummaries() []ChannelSummary {
	if s.Channels.Varies {
		return []ChannelSummary{{float64(s.Min), s.Mean(), float64(s.Max)}}
	}
	list := make([]ChannelSummary, s.Channels.Len())
	for i, mean := range s.Channels.Mean() {
		list[i] = ChannelSummary{float64(s.Channels.Min[i]), mean, float64(s.Channels.Max[i])}
	}
	return list
}

const noAxis = 1 << 10

// pictureAxis is the axis of one to four colours, noAxis when there is none.
func pictureAxis(shape []int64) int {
	n := len(shape)
	switch {
	case n < 3 || n > 4:
		return noAxis
	case shape[n-3] <= 4:
		return n - 3
	case shape[n-1] <= 4:
		return n - 1
	}
	return noAxis
}
