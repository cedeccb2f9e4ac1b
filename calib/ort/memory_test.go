//go:build !onnxpass_noexec && linux

package ort

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// resident is the process's resident memory in MiB.
func resident(t *testing.T) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var total, pages int
	if _, err := fmt.Sscan(string(b), &total, &pages); err != nil {
		t.Fatal(err)
	}
	return float64(pages) * float64(os.Getpagesize()) / (1 << 20)
}

// TestMemoryDoesNotGrowWithRuns fetches every activation of a chain of
// convolutions for pictures of ever changing size. After the first 100 runs
// have seen most sizes, 900 more may take 32 MiB: one activation (1.8 MiB on
// average) kept by mistake every fifty runs would add up to more.
func TestMemoryDoesNotGrowWithRuns(t *testing.T) {
	rt := load(t)
	in := tensorType("x", onnx.Float, 1, 8, "h", "w")
	w := &onnx.Tensor{Name: "k", Type: onnx.Float, Dims: []int64{8, 8, 1, 1}, Data: onnx.RawBytes(make([]byte, 256))}
	m := model(ports(in), nil)
	m.Graph.Initializer = []*onnx.Tensor{w}
	last := "x"
	for i := range 8 {
		next := fmt.Sprint("a", i)
		m.Graph.Node = append(m.Graph.Node, node("Conv", []string{last, "k"}, next))
		m.Graph.Output = append(m.Graph.Output, tensorType(next, onnx.Float, 1, 8, "h", "w"))
		last = next
	}
	s := open(t, rt, m, calib.OpenOptions{Threads: 2})
	pixels := make([]byte, 4*8*320*320)
	var settled float64
	for i := range 1000 {
		h, wd := 160+int64(i*53%160), 160+int64(i*91%160)
		x := calib.Array{Type: onnx.Float, Shape: []int64{1, 8, h, wd}, Bytes: pixels[:4*8*h*wd]}
		if err := s.Run(context.Background(), map[string]calib.Array{"x": x}, func([]calib.Array) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if i == 100 {
			settled = resident(t)
		}
	}
	if end := resident(t); end > settled+32 {
		t.Errorf("%.0f MiB after 100 runs, %.0f after 1,000", settled, end)
	} else {
		t.Logf("%.0f MiB after 100 runs, %.0f after 1,000", settled, end)
	}
}
