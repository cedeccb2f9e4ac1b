package kmeans_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/passes/weights/kmeans"
)

// gaussian are n quantiles of the normal distribution.
func gaussian(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/float64(n)-1))
	}
	return out
}

func binned(x []float32) kmeans.Points {
	b := new(kmeans.Bins)
	b.Add(x, 1)
	return b.Points()
}

// The optimum for a Gaussian is the quantizer of Lloyd and Max. These are the
// fixed points of its conditions with closed integrals; tables print 9.30,
// 14.62, 20.22, 26.02 (rounded from four places of the distortion), and what
// random samples of some size reach lies a few hundredths higher.
func TestClusterReachesLloydMax(t *testing.T) {
	const n, end = 400_000, 8.5
	x, density := make([]float32, n), make([]float64, n)
	for i := range x {
		x[i] = float32(end * (2*(float64(i)+.5)/n - 1))
		density[i] = math.Exp(-float64(x[i])*float64(x[i])/2) / math.Sqrt(2*math.Pi) * 2 * end / n
	}
	b := new(kmeans.Bins)
	b.AddEach(x, 1, density)
	p, all := b.Points(), kmeans.Exact(x, density)
	for bits, want := range map[int]float64{2: 9.3003, 3: 14.6158, 4: 20.2223, 5: 26.0125, 6: 31.9095, 8: 43.8526} {
		c := kmeans.Cluster(p, 1<<bits)
		if got := -10 * math.Log10(kmeans.Cost(all, c)); math.Abs(got-want) > .01 {
			t.Errorf("%d bits: %.3f dB, the optimum has %.3f", bits, got, want)
		}
	}
}

// enumerate finds the least cost of k clusters of sorted points by trying all.
func enumerate(p kmeans.Points, k int) float64 {
	if k == 1 {
		return kmeans.Cost(p, []float64{mean(p)})
	}
	best := math.Inf(1)
	for i := 1; i <= p.Len()-k+1; i++ {
		head := kmeans.Points{Value: p.Value[:i], Weight: p.Weight[:i]}
		tail := kmeans.Points{Value: p.Value[i:], Weight: p.Weight[i:]}
		best = min(best, kmeans.Cost(head, []float64{mean(head)})+enumerate(tail, k-1))
	}
	return best
}

func mean(p kmeans.Points) float64 {
	var s, w float64
	for i, v := range p.Value {
		s, w = s+v*p.Weight[i], w+p.Weight[i]
	}
	return s / w
}

func TestClusterIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-8, 8), 1, 11).Draw(t, "x")
		weight := rapid.SliceOfN(rapid.Float64Range(.01, 10), len(x), len(x)).Draw(t, "weight")
		k := rapid.IntRange(1, 5).Draw(t, "k")
		p := kmeans.Exact(x, weight)
		c := kmeans.Cluster(p, k)
		if len(c) != min(k, p.Len()) || !slices.IsSorted(c) {
			t.Fatalf("%d centres %v of %d points", len(c), c, p.Len())
		}
		if k >= p.Len() {
			return
		}
		got, want := kmeans.Cost(p, c), enumerate(p, k)
		if got > want*(1+1e-9)+1e-9 {
			t.Fatalf("cost %g, the best is %g", got, want)
		}
	})
}

// restarts is the least cost of Lloyd's algorithm from 50 k-means++ starts.
func restarts(p kmeans.Points, k int, r *rand.Rand) float64 {
	best := math.Inf(1)
	for range 50 {
		c := []float64{p.Value[r.IntN(p.Len())]}
		distance := make([]float64, p.Len())
		for i := range distance {
			distance[i] = math.Inf(1)
		}
		for len(c) < k {
			var sum float64
			for i, v := range p.Value {
				d := v - c[len(c)-1]
				distance[i] = min(distance[i], p.Weight[i]*d*d)
				sum += distance[i]
			}
			left, at := r.Float64()*sum, 0
			for left > distance[at] && at+1 < p.Len() {
				left -= distance[at]
				at++
			}
			c = append(c, p.Value[at])
		}
		slices.Sort(c)
		best = min(best, kmeans.Cost(p, kmeans.Polish(p, c, -1, 300)))
	}
	return best
}

func TestClusterBeatsRestarts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"normal":  r.NormFloat64,
		"laplace": func() float64 { return r.ExpFloat64() * float64(2*r.IntN(2)-1) },
		"student": func() float64 { return r.NormFloat64() / math.Sqrt((r.ExpFloat64()+r.ExpFloat64())/2) },
	} {
		x := make([]float32, 20000)
		for i := range x {
			x[i] = float32(draw())
		}
		all := kmeans.Exact(x, nil)
		for _, k := range []int{4, 16, 64, 256} {
			if k > 16 && testing.Short() {
				continue
			}
			// Bins of float16 move boundaries by at most 2^-11 of a value, which
			// costs less than a millionth of the error of 16 clusters and a
			// thousandth of that of 256, where restarts lose several percent.
			got, want := kmeans.Cost(all, kmeans.Cluster(binned(x), k)), restarts(all, k, r)
			if got > want*(1+1e-5) {
				t.Errorf("%s, %d clusters: %g, the best of 50 restarts has %g", name, k, got, want)
			}
			if exact := kmeans.Cost(all, kmeans.Cluster(all, k)); exact > want*(1+1e-9) {
				t.Errorf("%s, %d clusters, not binned: %g, the best of 50 restarts has %g", name, k, exact, want)
			}
		}
	}
}

func TestZeroIsACentre(t *testing.T) {
	x := append(make([]float32, 500), gaussian(1000)...)
	for i := range x {
		x[i] += .001 * float32(i%2)
	}
	p := kmeans.Exact(x, nil)
	for _, k := range []int{2, 16, 256} {
		c := kmeans.ClusterWithZero(p, k)
		if _, found := slices.BinarySearch(c, 0); !found || len(c) != k {
			t.Errorf("%d centres, with zero %v", len(c), found)
		}
		if got, free := kmeans.Cost(p, c), kmeans.Cost(p, kmeans.Cluster(p, k-1)); got > free {
			t.Errorf("%d centres with zero cost %g, one less without it %g", k, got, free)
		}
	}
}

func TestExactSkipsWhatIsNoNumber(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	p := kmeans.Exact([]float32{1, nan, 1, inf, 0, float32(math.Copysign(0, -1))}, nil)
	if fmt.Sprint(p.Value, p.Weight) != "[0 1] [2 2]" {
		t.Error(p)
	}
	b := new(kmeans.Bins)
	b.Add([]float32{nan, inf, -1, float32(math.Copysign(0, -1)), 1e9}, 2)
	if p := b.Points(); fmt.Sprint(p.Value, p.Weight) != "[-1 0 1e+09] [2 2 2]" {
		t.Error(p)
	}
}

func BenchmarkCluster(b *testing.B) {
	x := gaussian(1 << 20)
	for _, k := range []int{16, 256} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			p := binned(x)
			for b.Loop() {
				kmeans.Cluster(p, k)
			}
		})
	}
	b.Run("bins", func(b *testing.B) {
		b.SetBytes(4 << 20)
		for b.Loop() {
			binned(x)
		}
	})
}

// pairs draws points of the plane.
func pairs(n int, draw func() float64) kmeans.Pairs {
	p := kmeans.Pairs{Value: make([][2]float64, n), Weight: make([]float64, n)}
	for i := range p.Value {
		p.Value[i], p.Weight[i] = [2]float64{draw(), draw()}, 1
	}
	return p
}

// 256 pairs hold as many bits as 16 numbers each, and cover the plane better:
// the space-filling gain alone is .17 dB, the density of a Gaussian brings more.
func TestPairsBeatNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, c := range map[string]struct {
		draw func() float64
		want float64 // dB, what 131,072 pairs were measured to reach with k-means++
	}{
		"normal":  {r.NormFloat64, 20.9},
		"laplace": {func() float64 { return r.ExpFloat64() * float64(2*r.IntN(2)-1) }, 19.8},
	} {
		p := pairs(1<<16, c.draw)
		s := kmeans.NewPlane(kmeans.ClusterPairs(p, 256, 50))
		var signal, noise float64
		for _, v := range p.Value {
			_, d := s.Nearest(v, 0)
			signal, noise = signal+v[0]*v[0]+v[1]*v[1], noise+d
		}
		got := 10 * math.Log10(signal/noise)
		t.Logf("%s: %.2f dB", name, got)
		if got < c.want {
			t.Errorf("%s: %.2f dB, wanted %.1f", name, got, c.want)
		}
	}
}

func TestNearestPairIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(-4, 4)
		points := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]float64 { return [2]float64{number.Draw(t, "x"), number.Draw(t, "y")} }), 1, 40).Draw(t, "points")
		v := [2]float64{number.Draw(t, "vx"), number.Draw(t, "vy")}
		_, got := kmeans.NewPlane(points).Nearest(v, rapid.IntRange(0, len(points)-1).Draw(t, "guess"))
		want := math.Inf(1)
		for _, p := range points {
			want = min(want, (v[0]-p[0])*(v[0]-p[0])+(v[1]-p[1])*(v[1]-p[1]))
		}
		if math.Abs(got-want) > 1e-12 {
			t.Fatalf("%g, the nearest is %g away", got, want)
		}
		a, c := rapid.Float64Range(.1, 9).Draw(t, "a"), rapid.Float64Range(.1, 9).Draw(t, "c")
		b := rapid.Float64Range(-1.9, 1.9).Draw(t, "b") * math.Sqrt(a*c)
		under := func(p [2]float64) float64 {
			x, y := v[0]-p[0], v[1]-p[1]
			return a*x*x + b*x*y + c*y*y
		}
		want, got = math.Inf(1), under(points[kmeans.NewPlane(points).NearestUnder(v, a, b, c)])
		for _, p := range points {
			want = min(want, under(p))
		}
		if got > want+1e-9 {
			t.Fatalf("%g under the metric, the nearest is %g away", got, want)
		}
	})
}

func TestFewPairs(t *testing.T) {
	p := pairs(10, rand.New(rand.NewPCG(5, 6)).NormFloat64)
	for _, k := range []int{1, 3, 10, 256} {
		if c := kmeans.ClusterPairs(p, k, 10); len(c) != min(k, 10) {
			t.Errorf("%d centres of 10 points, %d asked for", len(c), k)
		}
	}
}
