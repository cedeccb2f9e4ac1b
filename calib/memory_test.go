//go:build linux

package calib_test

import (
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
)

// Peak memory does not grow with the number of samples. Each size runs in a
// process of its own, because the peak of a process never falls.
func TestMemoryIsFlat(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv("ONNXPASS_TEST_SAMPLES")); err == nil {
		collectMany(t, n)
		return
	}
	orttest.Runner(t)
	few, many := peakOf(t, "30"), peakOf(t, "300")
	t.Logf("peak %.0f MiB for 30 samples, %.0f MiB for 300", few, many)
	// The garbage collector's timing moves the peak by some MiB; growth by a sample's activations (25 MB each) would not hide in that.
	if many > few+30 {
		t.Errorf("peak grows from %.0f to %.0f MiB", few, many)
	}
}

func peakOf(t *testing.T, samples string) float64 {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryIsFlat$", "-test.v")
	cmd.Env = append(os.Environ(), "ONNXPASS_TEST_SAMPLES="+samples)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, text, ok := strings.Cut(string(out), "peak-MiB=")
	if !ok {
		t.Skip(string(out))
	}
	peak, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return peak
}

func collectMany(t *testing.T, n int) {
	rt, m := openEfficientNet(t)
	var data []string
	for range n/100 + 1 {
		data = append(data, m.data...)
	}
	c := &calib.Calibration{Runner: rt, Samples: load(t, m.model, data, n), Threads: 2}
	cpu := usage()
	collect(t, c, m, activations(m.model))
	t.Logf("%d samples, %.1f ms of processor time a sample", c.Samples.Len(), (usage()-cpu)*1e3/float64(n))
	t.Logf("peak-MiB=%.1f", peakMiB())
}

func openEfficientNet(t *testing.T) (*ort.Runtime, modelOf) {
	return orttest.Runner(t), kitModel(t, "efficientnet_lite0", "imagenet")
}
