package probe_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib/probe"
)

// family draws falling noise, what is really measured of it, and counts attempts.
func family(t *rapid.T, tried *[]int) (*probe.Family, []float64) {
	n := rapid.IntRange(1, 60).Draw(t, "members")
	noise, real := make([]float64, n), make([]float64, n)
	a, b := rapid.Float64Range(1, 100).Draw(t, "noise"), rapid.Float64Range(0.5, 50).Draw(t, "excess")
	for i := range n {
		a, b = a*rapid.Float64Range(0.5, 1).Draw(t, "falls"), b*rapid.Float64Range(0.5, 1).Draw(t, "really")
		noise[i], real[i] = a, b
	}
	return &probe.Family{Len: n, Attempts: 8, Noise: func(i int) float64 { return noise[i] },
		Try: func(_ context.Context, i int) (float64, error) {
			*tried = append(*tried, i)
			return real[i], nil
		}}, real
}

// Least tries no member twice, keeps to its attempts, and returns a member that
// holds whenever one that was tried does; with attempts enough, the first of all.
func TestLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tried []int
		f, real := family(t, &tried)
		if rapid.Bool().Draw(t, "thorough") {
			f.Attempts = 100
		}
		n, ok, err := f.Least(context.Background(), rapid.IntRange(-3, 70).Draw(t, "guess"))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		least, holds := math.Inf(1), false
		for _, i := range tried {
			if seen[i] {
				t.Fatalf("member %d was tried twice", i)
			}
			seen[i] = true
			least, holds = min(least, real[i]), holds || real[i] <= 1
		}
		if len(tried) > f.Attempts || ok != holds || ok && real[n] > 1 || !ok && real[n] > least {
			t.Fatalf("member %d (excess %v, ok %v) of those tried: %v", n, real[n], ok, tried)
		}
		if f.Attempts == 100 && ok && n > 0 && real[n-1] <= 1 {
			t.Fatalf("member %d holds, and so does %d", n, n-1)
		}
		if f.Attempts == 100 && !ok && real[f.Len-1] <= 1 {
			t.Fatalf("the last member holds; tried %v", tried)
		}
	})
}

// A forecast that is right up to a factor leads to the member in few attempts.
func TestLeastFollowsForecast(t *testing.T) {
	tries := 0
	f := &probe.Family{Len: 200, Attempts: 20, Noise: func(i int) float64 { return math.Pow(0.95, float64(i)) },
		Try: func(_ context.Context, i int) (float64, error) {
			tries++
			return 300 * math.Pow(0.95, float64(i)), nil
		}}
	n, ok, err := f.Least(context.Background(), 10)
	if err != nil || !ok || n != 112 || tries > 3 {
		t.Errorf("member %d %v after %d attempts: %v", n, ok, tries, err)
	}
}

// A search ends with the error of an attempt, and when the time is over with the best so far.
func TestLeastEnds(t *testing.T) {
	broken := errors.New("broken")
	f := &probe.Family{Len: 9, Attempts: 9, Noise: func(i int) float64 { return 1 }, Try: func(context.Context, int) (float64, error) { return 0, broken }}
	if _, _, err := f.Least(context.Background(), 4); !errors.Is(err, broken) {
		t.Error(err)
	}
	tries := 0
	f.Try = func(_ context.Context, i int) (float64, error) { tries++; return 0.5, nil }
	f.Over = func() bool { return true }
	if n, ok, err := f.Least(context.Background(), 4); n != 4 || !ok || err != nil || tries != 1 {
		t.Errorf("member %d %v %v after %d attempts", n, ok, err, tries)
	}
}
