package quant

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/onnx"
)

func drawFinite(t *rapid.T, name string) float64 {
	return rapid.Float64Range(-1e6, 1e6).Draw(t, name)
}

// Zero must survive quantization exactly, or padding and ReLU zeros turn into noise.
func TestZeroIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo, hi := drawFinite(t, "lo"), drawFinite(t, "hi")
		if lo > hi {
			lo, hi = hi, lo
		}
		for _, p := range []Params{
			asymmetric(onnx.Uint8, lo, hi), asymmetric(onnx.Int8, lo, hi),
			symmetric(lo, hi), centred(lo, hi), unsigned(max(hi, 0)),
		} {
			if got := p.Round(0); got != 0 {
				t.Fatalf("[%g, %g] as %+v: zero becomes %g", lo, hi, p, got)
			}
			a, b := codes(p.Elem)
			if p.Zero[0] < a || p.Zero[0] > b {
				t.Fatalf("zero point %d outside %d..%d", p.Zero[0], a, b)
			}
			if !(p.Scale[0] > 0) || math.IsInf(float64(p.Scale[0]), 0) {
				t.Fatalf("scale %g", p.Scale[0])
			}
		}
	})
}

// The range that was asked for is never cut, and stretched by less than one percent.
func TestAsymmetricCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo, hi := drawFinite(t, "lo"), drawFinite(t, "hi")
		if lo > hi {
			lo, hi = hi, lo
		}
		p := asymmetric(onnx.Uint8, lo, hi)
		a, b := p.Bounds()
		slack := 1e-5 * (b - a)
		if a > float32(lo)+slack || b < float32(hi)-slack {
			t.Fatalf("[%g, %g] got [%g, %g]", lo, hi, a, b)
		}
		if width := max(hi, 0) - min(lo, 0); width > 1 && float64(b-a) > width*1.01 {
			t.Fatalf("[%g, %g] stretched to [%g, %g]", lo, hi, a, b)
		}
	})
}

// Values inside the range come back within half a step.
func TestRoundError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo, hi := rapid.Float64Range(-100, 0).Draw(t, "lo"), rapid.Float64Range(1, 100).Draw(t, "hi")
		x := float32(rapid.Float64Range(lo, hi).Draw(t, "x"))
		for _, p := range []Params{asymmetric(onnx.Uint8, lo, hi), symmetric(lo, hi), centred(lo, hi)} {
			if d := math.Abs(float64(p.Round(x) - x)); d > 0.5001*float64(p.Scale[0]) {
				t.Fatalf("%g becomes %g, step %g", x, p.Round(x), p.Scale[0])
			}
		}
	})
}

func TestKnownParams(t *testing.T) {
	tests := []struct {
		name  string
		got   Params
		scale float32
		zero  int32
	}{
		{"symmetric", symmetric(-2, 1.27), 2.0 / 127, 0},
		{"centred", centred(-2, 1.27), 2.0 / 127, 128},
		{"unsigned", unsigned(6), 6.0 / 255, 0},
		{"asymmetric both signs", asymmetric(onnx.Uint8, -1, 3), 3.0 / 191, 64},
		{"asymmetric positive", asymmetric(onnx.Uint8, 1, 2.55), 0.01, 0},
		{"asymmetric negative", asymmetric(onnx.Uint8, -2.55, -1), 0.01, 255},
		{"asymmetric int8", asymmetric(onnx.Int8, -1, 3), 3.0 / 191, -64},
		{"constant zero", asymmetric(onnx.Uint8, 0, 0), 8e-4 / 127, 127},
		{"dead", unsigned(0), 1, 0},
	}
	for _, tt := range tests {
		if d := math.Abs(float64(tt.got.Scale[0]/tt.scale - 1)); d > 1e-6 || tt.got.Zero[0] != tt.zero {
			t.Errorf("%s: scale %g zero %d, want %g and %d", tt.name, tt.got.Scale[0], tt.got.Zero[0], tt.scale, tt.zero)
		}
	}
}
