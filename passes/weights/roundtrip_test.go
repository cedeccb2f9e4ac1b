package weights

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A matrix has the elements that numpy's transpose would give it, and Tensor undoes it.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rank := rapid.IntRange(1, 5).Draw(t, "rank")
		dims := make([]int64, rank)
		n := 1
		for i := range dims {
			dims[i] = rapid.Int64Range(1, 4).Draw(t, "dim")
			n *= int(dims[i])
		}
		var rows []int
		for i := range rank {
			if rapid.Bool().Draw(t, "row") {
				rows = append(rows, i)
			}
		}
		l := newLayout(dims, rows...)
		x := make([]int, n)
		for i := range x {
			x[i] = i
		}
		m := Matrix(l, x)
		if !slices.Equal(Tensor(l, m), x) || l.Channels*l.Cols != n {
			t.Fatal("the way back differs")
		}
		index := make([]int, rank)
		for i := range x {
			row, col := 0, 0
			for a := range rank {
				if slices.Contains(rows, a) {
					row = row*int(dims[a]) + index[a]
				} else {
					col = col*int(dims[a]) + index[a]
				}
			}
			if m[row*l.Cols+col] != i {
				t.Fatalf("element %v is not at %d, %d", index, row, col)
			}
			for a := rank - 1; a >= 0; a-- {
				if index[a]++; index[a] < int(dims[a]) {
					break
				}
				index[a] = 0
			}
		}
	})
}

// nearest is RoundToEven.
func TestNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		x := float32(rng.NormFloat64() * math.Exp2(float64(rng.IntN(24))))
		if got, want := nearest(x), float32(math.RoundToEven(float64(x))); got != want && math.Abs(float64(x)) < 1<<21 {
			t.Fatal(fmt.Sprint(x, got, want))
		}
	}
	for _, x := range []float32{0.5, 1.5, 2.5, -0.5, -1.5} {
		if nearest(x) != float32(math.RoundToEven(float64(x))) {
			t.Error(x)
		}
	}
}
