package observe

import (
	"math/rand/v2"
	"testing"
)

func data(n int, relu bool) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
		if relu && x[i] < 0 {
			x[i] = 0
		}
	}
	return x
}

func BenchmarkScan(b *testing.B) {
	x := data(1<<16, true)
	b.SetBytes(int64(len(x)))
	for b.Loop() {
		Scan(x)
	}
}

func BenchmarkScanPortable(b *testing.B) {
	x := data(1<<16, true)
	b.SetBytes(int64(len(x)))
	for b.Loop() {
		l := newLanes()
		scanGo(x, &l)
	}
}

func BenchmarkHistogram(b *testing.B) {
	for name, relu := range map[string]bool{"relu": true, "signed": false} {
		b.Run(name, func(b *testing.B) {
			x := data(1<<14, relu)
			m := Scan(x)
			h, c := NewHistogram(), new(Counter)
			b.SetBytes(int64(len(x)))
			for b.Loop() {
				h.Add(x, m, 1, 1, c)
			}
		})
	}
}
