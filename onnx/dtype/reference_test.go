package dtype_test

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"testing"

	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// casts writes random float32 bit patterns and their casts by ml_dtypes.
const casts = `
import sys, numpy as np, ml_dtypes as m
r = np.random.default_rng(1)
x = np.concatenate([
    r.integers(0, 2**32, 100000, dtype=np.uint64).astype(np.uint32).view(np.float32),
    (r.standard_normal(100000) * np.exp2(r.integers(-30, 20, 100000))).astype(np.float32),
])
np.seterr(all="ignore")
sys.stdout.buffer.write(x.tobytes())
for t in (np.float16, m.bfloat16, m.float8_e4m3fn, m.float8_e4m3fnuz, m.float8_e5m2, m.float8_e5m2fnuz):
    sys.stdout.buffer.write(x.astype(t).tobytes())
`

// TestAgainstMLDtypes compares 200,000 numbers with the library that the
// reference implementation of ONNX uses.
func TestAgainstMLDtypes(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	if exec.Command(python, "-c", "import numpy, ml_dtypes").Run() != nil {
		t.Skip("no Python with ml_dtypes (PYTHON names one)")
	}
	b, err := exec.Command(python, "-c", casts).Output()
	if err != nil {
		t.Fatal(err)
	}
	const n = 200000
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	b = b[4*n:]
	for _, f := range []struct {
		name string
		size int
		to   func(float32) uint16
		from func(uint16) float32
	}{
		{"float16", 2, dtype.F16FromF32, dtype.F16ToF32},
		{"bfloat16", 2, dtype.BF16FromF32, dtype.BF16ToF32},
		{"e4m3fn", 1, narrow(dtype.E4M3FNFromF32), wide(dtype.E4M3FNToF32)},
		{"e4m3fnuz", 1, narrow(dtype.E4M3FNUZFromF32), wide(dtype.E4M3FNUZToF32)},
		{"e5m2", 1, narrow(dtype.E5M2FromF32), wide(dtype.E5M2ToF32)},
		{"e5m2fnuz", 1, narrow(dtype.E5M2FNUZFromF32), wide(dtype.E5M2FNUZToF32)},
	} {
		for i, v := range x {
			want := uint16(b[i*f.size])
			if f.size == 2 {
				want = binary.LittleEndian.Uint16(b[2*i:])
			}
			got := f.to(v)
			if v != v { // payloads of NaN are nobody's promise
				if w := f.from(got); w == w {
					t.Fatalf("%s: NaN became %v", f.name, w)
				}
				continue
			}
			if got != want {
				t.Fatalf("%s: %v became %#x, want %#x", f.name, v, got, want)
			}
		}
		b = b[n*f.size:]
	}
}

func narrow(fn func(float32, bool) uint8) func(float32) uint16 {
	return func(x float32) uint16 { return uint16(fn(x, false)) }
}

func wide(fn func(uint8) float32) func(uint16) float32 {
	return func(c uint16) float32 { return fn(uint8(c)) }
}
