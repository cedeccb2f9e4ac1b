package palette

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/weights"
	"github.com/onnxpass/onnxpass/passes/weights/kmeans"
)

// fit chooses scales, then the table of each group of channels.
func (c *coding) fit(f *Format, s *weights.Source) {
	t := &fitter{format: f, source: s, coding: c, k: f.K, zero: f.pinned(s.X)}
	c.pairs = f.Pairs && s.Cols%2 == 0
	if f.Pairs && !c.pairs {
		t.k = min(f.K, 16) // as many bits for each element
	}
	c.whole = f.entries(s.Weight) == Int8 && f.Scale && f.Shared == nil && f.Group == 0 && !c.pairs
	c.integer, c.pinned = c.whole && f.integer(s.Weight), t.zero
	if f.Group > 0 && f.Shared == nil {
		c.group = min(f.Group, s.Channels)
	}
	t.scales()
	if f.Shared != nil {
		c.tables, c.shared, c.pairs = []*Table{f.Shared}, true, f.Shared.pairs
		return
	}
	c.tables = make([]*Table, c.groups())
	weights.Each(f.Threads, len(c.tables), func(g int) {
		c.tables[g] = t.table(g*c.group, min((g+1)*c.group, s.Channels))
	})
	if c.whole {
		t.toInteger()
	}
}

// pinned says whether 0 has to be an entry.
func (f *Format) pinned(x []float32) bool {
	if f.Zero == ZeroOn || f.Zero == ZeroOff {
		return f.Zero == ZeroOn
	}
	zeros := 0
	for _, v := range x {
		if v == 0 {
			zeros++
		}
	}
	return float64(zeros) > zeroShare*float64(len(x))
}

// scales are the root mean squares of the channels. Without scales all
// channels are divided by that of the weight, which the entries then take up.
func (t *fitter) scales() {
	c, s := t.coding, t.source
	t.norm = make([]float32, s.Channels)
	var all float64
	for i := range t.norm {
		var sum float64
		for _, v := range s.X[i*s.Cols : (i+1)*s.Cols] {
			sum += float64(v) * float64(v)
		}
		all += sum
		t.norm[i] = float32(math.Sqrt(sum / float64(s.Cols)))
	}
	t.common = 1
	if !t.format.Scale && t.format.Shared == nil {
		t.common = math.Sqrt(all / float64(len(s.X)))
		for i := range t.norm {
			t.norm[i] = float32(t.common)
		}
	}
	t.settleTypes()
	if t.common == 1 {
		for i, v := range t.norm {
			t.norm[i] = c.storedScale(v)
		}
		c.scale = t.norm
	}
}

// settleTypes chooses the types of scales and entries in the file: float16
// where it holds them, and is smaller although Float arithmetic then needs a Cast.
func (t *fitter) settleTypes() {
	c := t.coding
	c.entry, c.scaleType, c.arith = onnx.Float, onnx.Float, onnx.Float
	if c.integer {
		c.entry = onnx.Int8
		return
	}
	halves := t.format.entries(c.weight) != Float32 && halfRange(t.norm) && t.common > 1e-2 && t.common < 1e3
	if !halves {
		return
	}
	if c.weight.Const.Type == onnx.Float16 {
		c.entry, c.scaleType, c.arith = onnx.Float16, onnx.Float16, onnx.Float16
		return
	}
	if 2*t.numbers() > castBytes {
		c.entry = onnx.Float16
	}
	if 2*len(t.norm) > castBytes {
		c.scaleType = onnx.Float16
	}
}

// numbers is how many numbers all tables hold, at most.
func (t *fitter) numbers() int {
	n := t.k
	if t.coding.pairs {
		n *= 2
	}
	return n * t.coding.groups()
}

// stored are entries as the file holds them.
func (t *fitter) stored(entries []float64) []float32 {
	out := make([]float32, len(entries))
	for i, v := range entries {
		out[i] = float32(v * t.common)
		if t.coding.entry == onnx.Float16 {
			out[i] = half(out[i])
		}
	}
	return out
}

// halfRange says whether float16 holds all scales, but for zeros, with its full precision.
func halfRange(x []float32) bool {
	for _, v := range x {
		if v != 0 && (v < 6.2e-5 || v > 65504) {
			return false
		}
	}
	return true
}

// fitter makes tables for groups of channels.
type fitter struct {
	format *Format
	source *weights.Source
	coding *coding
	k      int
	zero   bool
	norm   []float32 // by channel, what elements are divided by
	common float64   // what entries are multiplied by
}

// sorted is the number of elements up to which they are sorted and not binned.
const sorted = 1 << 14

// table clusters the elements of channels [from, to), divided by the scales.
func (t *fitter) table(from, to int) *Table {
	if t.coding.pairs {
		return t.pairTable(from, to)
	}
	p := t.points(from, to)
	var centres []float64
	switch {
	case p.Len() == 0:
		centres = []float64{0}
	case t.zero:
		centres = kmeans.ClusterWithZero(p, t.k)
	default:
		centres = kmeans.Cluster(p, t.k)
	}
	return newTable(t.stored(centres), false)
}

// points are the elements of channels [from, to) divided by the scales, each with the weight of its error.
func (t *fitter) points(from, to int) kmeans.Points {
	s := t.source
	exact := (to-from)*s.Cols <= sorted
	bins := new(kmeans.Bins)
	var all []float32
	var weight []float64
	buffer, each := make([]float32, s.Cols), make([]float64, s.Cols)
	for ch := from; ch < to; ch++ {
		scale := float64(t.norm[ch])
		if scale == 0 {
			continue
		}
		row, importance := s.X[ch*s.Cols:(ch+1)*s.Cols], t.importance(ch)
		for i, v := range row {
			buffer[i], each[i] = float32(float64(v)/scale), scale*scale
			if importance != nil {
				each[i] *= float64(importance[i])
			}
		}
		switch {
		case exact:
			all, weight = append(all, buffer...), append(weight, each...)
		case importance != nil:
			bins.AddEach(buffer, 1, each)
		default:
			bins.Add(buffer, scale*scale)
		}
	}
	if exact {
		return kmeans.Exact(all, weight)
	}
	return bins.Points()
}

// importance is what errors of the columns of a channel count, nil for alike.
func (t *fitter) importance(channel int) []float32 {
	if !t.format.Weighted {
		return nil
	}
	return t.source.Of(channel)
}

// The bounds of the search for pairs.
const (
	pairSamples = 1 << 16 // pairs that are clustered, evenly spread over the weight
	pairRounds  = 50      // of Lloyd's algorithm
)

func (t *fitter) pairTable(from, to int) *Table {
	s := t.source
	count := (to - from) * s.Cols / 2
	step := max(1, count/pairSamples)
	var p kmeans.Pairs
	for i := 0; i < count; i += step {
		at := from*s.Cols + 2*i
		ch := at / s.Cols
		scale := float64(t.norm[ch])
		if scale == 0 {
			continue
		}
		p.Value = append(p.Value, [2]float64{float64(s.X[at]) / scale, float64(s.X[at+1]) / scale})
		p.Weight = append(p.Weight, scale*scale)
	}
	if p.Len() == 0 {
		return newTable([]float32{0, 0}, true)
	}
	var entries []float64
	for _, c := range kmeans.ClusterPairs(p, t.k, pairRounds) {
		entries = append(entries, c[0], c[1])
	}
	if t.zero {
		t.pinPair(entries)
	}
	return newTable(t.stored(entries), true)
}

// pinPair moves the pair nearest to (0, 0) there.
func (t *fitter) pinPair(entries []float64) {
	best, least := 0, math.Inf(1)
	for i := 0; i < len(entries); i += 2 {
		if d := entries[i]*entries[i] + entries[i+1]*entries[i+1]; d < least {
			best, least = i, d
		}
	}
	entries[best], entries[best+1] = 0, 0
}

// toInteger moves the entries to whole numbers of 8 bits; the scales take up their step.
func (t *fitter) toInteger() {
	c := t.coding
	entries := c.tables[0].entries
	var most float64
	for _, v := range entries {
		most = max(most, math.Abs(float64(v)))
	}
	if most == 0 {
		return
	}
	p := t.points(0, c.weight.Channels)
	best, least := most/127, math.Inf(1)
	for k := range integerSteps {
		step := most / 127 * (1 + .2*float64(k)/integerSteps)
		centres := make([]float64, len(entries))
		for i, v := range entries {
			centres[i] = math.RoundToEven(float64(v)/step) * step
		}
		if e := kmeans.Cost(p, centres); e < least {
			best, least = step, e
		}
	}
	whole := make([]float32, len(entries))
	for i, v := range entries {
		whole[i] = float32(math.RoundToEven(float64(v) / best))
	}
	c.tables[0] = newTable(whole, false)
	for i, v := range c.scale {
		c.scale[i] = c.storedScale(float32(float64(v) * best))
	}
}

// integerSteps is how many steps between whole numbers are tried.
const integerSteps = 32
