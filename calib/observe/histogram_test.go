package observe

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// slow counts by the definition in the doc comment, in float64.
func slow(x []float32) *Histogram {
	h := NewHistogram()
	for _, v := range finite(x) {
		for h.Exp < 200 && math.Abs(float64(v)) >= Bins*h.Width() {
			h.Exp++
		}
	}
	for _, v := range finite(x) {
		switch k := int(math.Abs(float64(v)) / h.Width()); {
		case v > 0:
			h.Pos = bump(h.Pos, k)
		case v < 0:
			h.Neg = bump(h.Neg, k)
		}
	}
	return h
}

func bump(bins []uint64, k int) []uint64 {
	if bins == nil {
		bins = make([]uint64, Bins)
	}
	bins[k]++
	return bins
}

func equal(a, b *Histogram) bool {
	return a.Exp == b.Exp && slices.Equal(a.Pos, b.Pos) && slices.Equal(a.Neg, b.Neg)
}

func fill(x []float32) *Histogram {
	h := NewHistogram()
	h.Add(x, Scan(x), 1, 1, new(Counter))
	return h
}

func TestHistogramAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawFloats(t, "x")
		if got, want := fill(x), slow(x); !equal(got, want) {
			t.Fatalf("histogram of %v: exponent %d, want %d; %v / %v", x, got.Exp, want.Exp, got, want)
		}
	})
}

func TestHistogramMergesInAnyPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawFloats(t, "x")
		whole := fill(x)
		y := rapid.Permutation(x).Draw(t, "permuted")
		parts := NewHistogram()
		for len(y) > 0 {
			n := rapid.IntRange(1, len(y)).Draw(t, "n")
			part := fill(y[:n])
			if rapid.Bool().Draw(t, "other way") {
				part, parts = parts, part
			}
			parts.Merge(part)
			y = y[n:]
		}
		if !equal(whole, parts) {
			t.Fatalf("histogram of %v depends on the partition", x)
		}
	})
}

func TestHistogramOfSelectionStandsForAll(t *testing.T) {
	x := data(300000, true)
	m := Scan(x)
	dims := []int64{1, 3, 100, 1000}
	stride := Stride(dims)
	if stride < 300000/Sample || !coprime(int64(stride), dims) {
		t.Fatalf("stride %d", stride)
	}
	h := NewHistogram()
	h.Add(x, m, stride, uint64(stride), new(Counter))
	all := fill(x)
	if h.Exp != all.Exp {
		t.Errorf("exponent %d, want %d", h.Exp, all.Exp)
	}
	// 8,000 of 16,000 selected elements are positive: four standard deviations are 2.3 %.
	if got, want := float64(h.Total()), float64(all.Total()); math.Abs(got/want-1) > 0.03 {
		t.Errorf("total %v, want about %v", got, want)
	}
}

func TestStride(t *testing.T) {
	for _, c := range []struct {
		dims []int64
		want int
	}{
		{nil, 1}, {[]int64{0, 5}, 1}, {[]int64{1, 128, 128}, 1}, {[]int64{1, 3, 75, 75}, 2},
		{[]int64{1, 32, 112, 112}, 25}, {[]int64{1, 96, 112, 112}, 79},
	} {
		if got := Stride(c.dims); got != c.want {
			t.Errorf("Stride(%v) = %d, want %d", c.dims, got, c.want)
		}
	}
}
