package infer

import (
	"fmt"
	"math"
	"slices"
)

// span is what one axis of a Slice keeps.
type span struct{ start, end, step Dim }

// slice is Slice in both forms: attributes before opset 10, inputs from then on.
func slice(c *call) error {
	dims, ranked := c.dims(0)
	if !ranked {
		return nil
	}
	spans, known, err := c.spans(len(dims))
	if err != nil {
		return err
	}
	if !known {
		c.set(0, dynamic(len(dims)))
		return nil
	}
	out := slices.Clone(dims)
	for i, s := range spans {
		if s != nil {
			if s.step.Value == 0 {
				return c.fail("OP3204", "a step is zero", "a step other than 0", "0")
			}
			out[i] = s.length(dims[i])
		}
	}
	c.set(0, Of(out...))
	c.sliceContent(spans)
	return nil
}

// spans lists what each axis keeps, nil for an axis that stays whole. known is false
// when it is not even known which axes are cut.
func (c *call) spans(rank int) (spans []*span, known bool, err error) {
	starts, ok0 := c.operand("starts", 1)
	ends, ok1 := c.operand("ends", 2)
	if !ok0 || !ok1 {
		return nil, false, nil
	}
	n := len(starts)
	axes, ok := c.sliceAxes(n)
	if !ok {
		return nil, false, nil
	}
	steps := slices.Repeat([]Dim{Static(1)}, n)
	if c.Version >= 10 && c.has(4) {
		if steps, ok = c.operand("steps", 4); !ok {
			return nil, false, nil
		}
	}
	if len(ends) != n || len(axes) != n || len(steps) != n {
		return nil, false, c.mismatch("lists of a slice differ in length", fmt.Sprintf("%d ends, axes and steps", n), fmt.Sprintf("%d, %d and %d", len(ends), len(axes), len(steps)))
	}
	at, err := c.axes(axes, rank)
	if err != nil {
		return nil, false, err
	}
	spans = make([]*span, rank)
	for i, a := range at {
		spans[a] = &span{starts[i], ends[i], steps[i]}
	}
	return spans, true, nil
}

func (c *call) sliceAxes(n int) ([]int64, bool) {
	var axes []int64
	if c.Version < 10 {
		axes, _ = c.list("axes")
	} else if c.has(3) {
		var ok bool
		if axes, ok = c.ints(3); !ok {
			return nil, false
		}
	}
	if axes == nil && n <= maxRank {
		axes = make([]int64, n)
		for i := range axes {
			axes[i] = int64(i)
		}
	}
	return axes, true
}

// operand reads a list from an attribute before opset 10, from an input from then on.
func (c *call) operand(name string, input int) ([]Dim, bool) {
	if c.Version >= 10 {
		x, ok := smallContent(c.in(input))
		if c.in(input).Const != nil {
			farEnd(x.ints)
		}
		return x.ints, ok && x.ints != nil
	}
	list, ok := c.list(name)
	out := make([]Dim, len(list))
	for i, n := range list {
		out[i] = Static(n)
	}
	farEnd(out)
	return out, ok
}

// farEnd replaces the least integer, a known number here but the mark of unknown
// elements elsewhere, by one that slices alike.
func farEnd(list []Dim) {
	for i, e := range list {
		if e == Dynamic() {
			list[i] = Static(Unknown + 1)
		}
	}
}

// length is the number of entries that stay of an axis of size d.
func (s *span) length(d Dim) Dim {
	if !number(s.step) {
		return Dynamic()
	}
	if s.step.Value < 0 && s.end.Value >= math.MaxInt32 {
		return Dynamic() // nothing by the specification, all by ONNX Runtime
	}
	if d.IsStatic() && number(s.start) && number(s.end) {
		first, end := s.bounds(d.Value)
		return Static(s.count(first, end))
	}
	if s.step.Value != 1 {
		return s.reversed(d)
	}
	return s.prefix(d)
}

// bounds clamps start and end to an axis of size n, as the specification says.
func (s *span) bounds(n int64) (start, end int64) {
	low, high := int64(0), n
	if s.step.Value < 0 {
		low, high = -1, n-1
	}
	return clampIndex(s.start.Value, n, max(low, 0), high), clampIndex(s.end.Value, n, low, high)
}

func clampIndex(i, n, low, high int64) int64 {
	if i < 0 {
		i += n // cannot overflow: the signs differ
	}
	return min(max(i, low), high)
}

func (s *span) count(start, end int64) int64 {
	step := s.step.Value
	switch {
	case step > 0 && end > start:
		return (end-start-1)/step + 1
	case step < 0 && start > end:
		if step == math.MinInt64 {
			return 1
		}
		return (start-end-1)/-step + 1
	}
	return 0
}

// reversed knows that [-1::-1] keeps a whole axis of unknown size.
func (s *span) reversed(d Dim) Dim {
	if s.step.Value == -1 && number(s.start) && number(s.end) &&
		(s.start.Value == -1 || s.start.Value >= math.MaxInt32) && s.end.Value <= math.MinInt32 {
		return d
	}
	return Dynamic()
}

// prefix is the length of a slice with step one where a bound or the axis is unknown.
func (s *span) prefix(d Dim) Dim {
	if s.start.Value != 0 {
		return Dynamic()
	}
	switch {
	case s.end.Value == 0:
		return Static(0)
	case number(s.end) && s.end.Value >= math.MaxInt32: // larger than any axis of an exporter's model
		return d
	case symbol(s.end) && sameElement(s.end, element(d)):
		return d
	}
	return Dynamic()
}

func (c *call) sliceContent(spans []*span) {
	x, ok := contentOf(c.in(0))
	out, static := c.out[0].Shape.Static()
	if !ok || !static || len(x.dims) != len(spans) {
		return
	}
	first, step := make([]int64, len(spans)), make([]int64, len(spans))
	for i, s := range spans {
		step[i] = 1
		if s == nil {
			continue
		}
		if !number(s.start) || !number(s.end) || !within(s.step.Value) && out[i] > 1 {
			return
		}
		first[i], _ = s.bounds(x.dims[i])
		step[i] = s.step.Value
	}
	if y, ok := x.pick(out, func(at, src []int64) {
		for i := range at {
			src[i] = first[i] + at[i]*step[i]
		}
	}); ok {
		c.setContent(0, y)
	}
}
