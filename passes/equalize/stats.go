package equalize

import (
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/observe"
	"github.com/onnxpass/onnxpass/graph"
)

// Bins are a quarter of an octave wide, from 2^least upwards; the first holds
// everything smaller, the last everything larger.
const (
	perOctave = 4
	least     = -20
	bars      = 40 * perOctave
)

// mostPositions is how many elements of a channel are counted in one sample; extremes are over all.
const mostPositions = 256

// channelStats is an observer of one activation: for each channel the
// extremes, and a histogram of magnitudes for either sign.
type channelStats struct {
	name     string
	axis     int
	channels int
	every    int // of how many samples one is looked at

	lo, hi   []float64
	pos, neg []uint32 // channels x bars
	zeros    []uint32
	broken   bool // the channels were not where they should be, or an element was not finite
	seen     int
}

func newChannelStats(name string, axis, channels int) *channelStats {
	return &channelStats{name: name, axis: axis, channels: channels, every: 1}
}

// Prepare asks for the activation.
func (s *channelStats) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	v, err := calib.Find(clone, s.name)
	if err != nil {
		return nil, err
	}
	return []*graph.Value{v}, nil
}

// Observe adds one sample.
func (s *channelStats) Observe(i int, arrays []calib.Array) error {
	if i%s.every != 0 {
		return nil
	}
	a := arrays[0]
	axis := s.axis
	if axis < 0 {
		axis += len(a.Shape)
	}
	if axis < 0 || axis >= len(a.Shape) || a.Shape[axis] != int64(s.channels) {
		s.broken = true
		return nil
	}
	var scratch []float32
	x, err := a.Float32s(&scratch)
	if err != nil {
		return err
	}
	inner := 1
	for _, d := range a.Shape[axis+1:] {
		inner *= int(d)
	}
	if s.lo == nil {
		s.lo, s.hi = make([]float64, s.channels), make([]float64, s.channels)
		s.pos, s.neg = make([]uint32, s.channels*bars), make([]uint32, s.channels*bars)
		s.zeros = make([]uint32, s.channels)
	}
	if len(x) == 0 {
		return nil
	}
	s.seen++
	s.extremes(x, inner)
	s.count(x, inner)
	return nil
}

// extremes widens the range of every channel.
func (s *channelStats) extremes(x []float32, inner int) {
	for from, c := 0, 0; from < len(x); from, c = from+inner, c+1 {
		if c == s.channels {
			c = 0
		}
		lo, hi, finite := ends(x[from : from+inner])
		if !finite {
			s.broken = true
			return
		}
		s.lo[c], s.hi[c] = min(s.lo[c], lo), max(s.hi[c], hi)
	}
}

// ends are the least and the largest element of x, or 0.
func ends(x []float32) (lo, hi float64, finite bool) {
	if len(x) >= 32 {
		m := observe.Scan(x)
		return min(float64(m.Min), 0), max(float64(m.Max), 0), m.Finite() == m.Count
	}
	a, b := float32(0), float32(0)
	for _, f := range x {
		a, b = min(a, f), max(b, f)
	}
	return float64(a), float64(b), b-a <= math.MaxFloat32
}

// count adds every k-th position of each channel to its histogram.
func (s *channelStats) count(x []float32, inner int) {
	outer := len(x) / inner / s.channels
	step := max(1, outer*inner/mostPositions)
	for c := range s.channels {
		pos, neg := s.pos[c*bars:(c+1)*bars], s.neg[c*bars:(c+1)*bars]
		p := c % step
		for o := range outer {
			row := x[(o*s.channels+c)*inner : (o*s.channels+c+1)*inner]
			for ; p < inner; p += step {
				switch f := row[p]; {
				case f > 0:
					pos[bar(f)]++
				case f < 0:
					neg[bar(-f)]++
				default:
					s.zeros[c]++
				}
			}
			p -= inner
		}
	}
}

// bar is the index of the bin of x > 0: exponent and two bits of the mantissa.
func bar(x float32) int {
	b := math.Float32bits(x)
	i := (int(b>>23)-127-least)*perOctave + int(b>>21&3)
	return min(max(i, 0), bars-1)
}

// middle is a typical magnitude in a bin.
func middle(i int) float64 { return middles[i] }

// edge is the least magnitude of a bin.
func edge(i int) float64 { return edges[i] }

// middles and edges are those of all bins, and one behind the last.
var middles, edges = within(0.5), within(0)

// within lists the magnitudes at a share of the width of every bin.
func within(share float64) (out [bars + 1]float64) {
	for i := range out {
		out[i] = math.Ldexp(1+(float64(i%perOctave)+share)/perOctave, i/perOctave+least)
	}
	return out
}

// usable says whether the statistics are complete.
func (s *channelStats) usable() bool { return s.seen > 0 && !s.broken }

// pooled are the statistics of all channels together, each divided by its factor. Extremes are exact, bins move as a whole.
func (s *channelStats) pooled(r []float64) *channelStats {
	p := &channelStats{channels: 1, lo: make([]float64, 1), hi: make([]float64, 1), pos: make([]uint32, bars), neg: make([]uint32, bars), zeros: make([]uint32, 1), seen: s.seen}
	for c, f := range r {
		p.lo[0], p.hi[0] = min(p.lo[0], s.lo[c]/f), max(p.hi[0], s.hi[c]/f)
		p.zeros[0] += s.zeros[c]
		move := int(math.Round(-perOctave * math.Log2(f)))
		for i := range bars {
			k := min(max(i+move, 0), bars-1)
			p.pos[k] += s.pos[c*bars+i]
			p.neg[k] += s.neg[c*bars+i]
		}
	}
	return p
}
