package probe

import (
	"math"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
)

func TestShares(t *testing.T) {
	damage := func(db float64) Damage {
		return Damage{Measured: true, Outputs: []calib.Agreement{{SQNR: db}, {SQNR: 200}}}
	}
	r := &Report{Outputs: 2, Rank: []int{0, 1}, Damages: []Damage{damage(20), damage(30), {}, damage(200)}}
	got := r.Shares()
	// 10^-2 and 10^-3 of 0.011
	want := []float64{10.0 / 11, 1.0 / 11, 0, 0}
	for i := range want {
		if math.Abs(got[i][0]-want[i]) > 1e-12 || got[i][1] != 0 {
			t.Errorf("candidate %d: %v, want %v and 0", i, got[i], want[i])
		}
	}
}

func TestOrder(t *testing.T) {
	saves := []float64{0.1, 0.5, 0, 0.4, math.NaN(), 0.1}
	prices := []float64{0.1, 0.1, 0.001, 0.01, 0.1, 0}
	if got, want := Order(saves, prices), []int{5, 3, 1, 0, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}
