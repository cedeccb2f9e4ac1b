//go:build !onnxpass_noexec

package ort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// tensorType is a ValueInfo with fixed dims and, for names, symbolic ones.
func tensorType(name string, t onnx.DataType, dims ...any) *onnx.ValueInfo {
	shape := &onnx.Shape{}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape.Dim = append(shape.Dim, onnx.Dim{Kind: onnx.DimValue, Value: int64(d)})
		case string:
			shape.Dim = append(shape.Dim, onnx.Dim{Kind: onnx.DimParam, Param: d})
		}
	}
	return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: t, Shape: shape}}}
}

// model wraps nodes in a model of opset 21.
func model(in, out []*onnx.ValueInfo, nodes ...*onnx.Node) *onnx.Model {
	return &onnx.Model{
		IRVersion:   10,
		OpsetImport: []*onnx.OperatorSet{{Version: 21}},
		Graph:       &onnx.Graph{Name: "g", Input: in, Output: out, Node: nodes},
	}
}

func ports(p ...*onnx.ValueInfo) []*onnx.ValueInfo { return p }

func node(op string, in []string, out string, attr ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{OpType: op, Name: op + "_" + out, Input: in, Output: []string{out}, Attribute: attr}
}

func open(t testing.TB, rt *Runtime, m *onnx.Model, o calib.OpenOptions) calib.Session {
	t.Helper()
	s, err := rt.Open(context.Background(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// noise is deterministic content of n bytes.
func noise(n int64) []byte {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestEveryElementTypePassesThrough(t *testing.T) {
	rt := load(t)
	for k := onnx.Float; k <= onnx.Float8E5M2FNUZ; k++ {
		m := model(ports(tensorType("x", k, 2, "n")), ports(tensorType("y", k, 2, "n")), node("Identity", []string{"x"}, "y"))
		if k == onnx.Complex64 || k == onnx.Complex128 {
			continue // ONNX Runtime has no Identity for them
		}
		t.Run(k.String(), func(t *testing.T) { passThrough(t, rt, m, k) })
	}
}

func passThrough(t *testing.T, rt *Runtime, m *onnx.Model, k onnx.DataType) {
	if k == onnx.String {
		_, err := rt.Open(context.Background(), m, calib.OpenOptions{Threads: 1})
		wantCode(t, err, "OP6353", "string")
		return
	}
	s := open(t, rt, m, calib.OpenOptions{Threads: 1})
	n, _ := calib.ByteLen(k, []int64{2, 3})
	x := calib.Array{Type: k, Shape: []int64{2, 3}, Bytes: noise(n)}
	if k == onnx.Bool {
		x.Bytes = []byte{0, 1, 1, 0, 0, 1}
	}
	err := s.Run(context.Background(), map[string]calib.Array{"x": x}, func(out []calib.Array) error {
		if y := out[0]; y.Type != k || !slices.Equal(y.Shape, x.Shape) || !bytes.Equal(y.Bytes, x.Bytes) {
			t.Errorf("%v %v %v came out as %v %v %v", x.Type, x.Shape, x.Bytes, y.Type, y.Shape, y.Bytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Inputs()[0]; p.Elem != k || p.Shape.Dims[0].Value != 2 || p.Shape.Dims[1].Value >= 0 || p.Shape.Dims[1].Param != "n" {
		t.Errorf("port %+v", p)
	}
}

func TestEmptyScalarAndMisalignedArrays(t *testing.T) {
	rt := load(t)
	s := open(t, rt, model(
		ports(tensorType("x", onnx.Float, "n"), tensorType("s", onnx.Float)),
		ports(tensorType("y", onnx.Float, "n")),
		node("Add", []string{"x", "s"}, "y")), calib.OpenOptions{Threads: 1})
	one := calib.Array{Type: onnx.Float, Shape: []int64{}, Bytes: []byte{0, 0, 0x80, 0x3f}}
	for n := range int64(4) {
		memory := make([]byte, 4*n+1)
		x := calib.Array{Type: onnx.Float, Shape: []int64{n}, Bytes: memory[1:]}
		err := s.Run(context.Background(), map[string]calib.Array{"x": x, "s": one}, func(out []calib.Array) error {
			if !bytes.Equal(out[0].Bytes, bytes.Repeat(one.Bytes, int(n))) {
				t.Errorf("%d elements: got %v", n, out[0].Bytes)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSamplesThatDoNotFit(t *testing.T) {
	rt := load(t)
	s := open(t, rt, model(ports(tensorType("x", onnx.Float, 1, 3, "w")), ports(tensorType("y", onnx.Float, 1, 3, "w")),
		node("Relu", []string{"x"}, "y")), calib.OpenOptions{Threads: 1})
	x := calib.Array{Type: onnx.Float, Shape: []int64{1, 3, 2}, Bytes: make([]byte, 24)}
	for text, in := range map[string]map[string]calib.Array{
		"lacks an input":    {},
		"no input of":       {"x": x, "z": x},
		"element type":      {"x": {Type: onnx.Uint8, Shape: x.Shape, Bytes: x.Bytes[:6]}},
		"rank":              {"x": {Type: onnx.Float, Shape: []int64{6}, Bytes: x.Bytes}},
		"[1,3,w]":           {"x": {Type: onnx.Float, Shape: []int64{1, 2, 3}, Bytes: x.Bytes}},
		"bytes do not fill": {"x": {Type: onnx.Float, Shape: x.Shape, Bytes: x.Bytes[:20]}},
		"shape is not":      {"x": {Type: onnx.Float, Shape: []int64{1, 3, -2}, Bytes: x.Bytes}},
		"too large":         {"x": {Type: onnx.Float, Shape: []int64{1, 3, 1 << 62}, Bytes: x.Bytes}},
	} {
		wantCode(t, s.Run(context.Background(), in, nil), "OP6351", text)
	}
}

func TestWhatONNXRuntimeRefuses(t *testing.T) {
	rt := load(t)
	_, err := rt.OpenFile(context.Background(), "run_test.go", calib.OpenOptions{})
	wantCode(t, err, "OP6350", "run_test.go")
	_, err = rt.Open(context.Background(), model(ports(tensorType("x", onnx.Float, 1)), ports(tensorType("y", onnx.Float, 1)),
		node("NoSuchOperator", []string{"x"}, "y")), calib.OpenOptions{})
	wantCode(t, err, "OP6350", "NoSuchOperator")
	_, err = rt.Open(context.Background(), model(ports(tensorType("x", onnx.Float, 1)),
		ports(&onnx.ValueInfo{Name: "y", Type: &onnx.Type{Sequence: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float}}}}),
		node("SequenceConstruct", []string{"x"}, "y")), calib.OpenOptions{})
	wantCode(t, err, "OP6353", "output y")

	s := open(t, rt, model(ports(tensorType("x", onnx.Float, "n"), tensorType("s", onnx.Int64, 1)), ports(tensorType("y", onnx.Float, "m")),
		node("Reshape", []string{"x", "s"}, "y")), calib.OpenOptions{})
	err = s.Run(context.Background(), map[string]calib.Array{
		"x": {Type: onnx.Float, Shape: []int64{2}, Bytes: make([]byte, 8)},
		"s": {Type: onnx.Int64, Shape: []int64{1}, Bytes: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
	}, nil)
	wantCode(t, err, "OP6352", "Reshape_y")
}

func TestCloseRemovesTheTemporaryModel(t *testing.T) {
	rt := load(t)
	t.Setenv("TMPDIR", t.TempDir())
	s := open(t, rt, identity(), calib.OpenOptions{Threads: 1})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	wantCode(t, s.Run(context.Background(), nil, nil), "OP6352", "closed")
	t.Setenv("TMPDIR", filepath.Join(os.TempDir(), "gone"))
	_, err := rt.Open(context.Background(), identity(), calib.OpenOptions{})
	wantCode(t, err, "OP1004", "gone")
}

func identity() *onnx.Model {
	return model(ports(tensorType("x", onnx.Float, "n")), ports(tensorType("y", onnx.Float, "n")), node("Identity", []string{"x"}, "y"))
}

func TestLevels(t *testing.T) {
	rt, dir := load(t), t.TempDir()
	w := &onnx.Tensor{Name: "w", Type: onnx.Float, Dims: []int64{4, 4, 1, 1}, Data: onnx.RawBytes(noise(64))}
	m := model(ports(tensorType("x", onnx.Float, 1, 4, 8, 8)), ports(tensorType("y", onnx.Float, 1, 4, 8, 8)),
		node("Conv", []string{"x", "w"}, "c"), node("Identity", []string{"c"}, "i"), node("Relu", []string{"i"}, "y"))
	m.Graph.Initializer = []*onnx.Tensor{w}
	path := filepath.Join(dir, "m.onnx")
	if err := onnx.Save(path, m, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for level, want := range map[calib.Optimization]string{calib.Exact: "Conv Identity Relu", calib.Basic: "Conv Relu", calib.Full: "FusedConv"} {
		out := filepath.Join(dir, fmt.Sprint("out", level, ".onnx"))
		if err := rt.WriteOptimized(context.Background(), path, out, calib.OpenOptions{Optimization: level, Threads: 1}); err != nil {
			t.Fatal(err)
		}
		if got := operators(t, out); got != want && !(level == calib.Full && strings.Contains(got, "Conv") && !strings.Contains(got, "Relu")) {
			t.Errorf("level %v made %q, want %q", level, got, want)
		}
	}
}

func operators(t *testing.T, path string) string {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var ops []string
	for _, n := range m.Graph.Node {
		ops = append(ops, n.OpType)
	}
	return strings.Join(ops, " ")
}

// slow is a chain of matrix products, n x n.
func slow(length, n int) *onnx.Model {
	var nodes []*onnx.Node
	last := "x"
	for i := range length {
		next := fmt.Sprint("v", i)
		nodes = append(nodes, node("MatMul", []string{last, "x"}, next))
		last = next
	}
	return model(ports(tensorType("x", onnx.Float, n, n)), ports(tensorType(last, onnx.Float, n, n)), nodes...)
}

func TestCancellationStopsARun(t *testing.T) {
	rt := load(t)
	const n = 768
	s := open(t, rt, slow(2000, n), calib.OpenOptions{Threads: 1})
	in := map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{n, n}, Bytes: make([]byte, 4*n*n)}}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	err := s.Run(ctx, in, func([]calib.Array) error { return errors.New("the run was not stopped") })
	if err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if err := s.Run(ctx, in, nil); err != context.DeadlineExceeded {
		t.Errorf("a run after the end: %v", err)
	}
	if _, err := rt.Open(ctx, identity(), calib.OpenOptions{}); err != context.DeadlineExceeded {
		t.Errorf("opening after the end: %v", err)
	}
}

func TestCancellationWhileOpening(t *testing.T) {
	rt := load(t)
	t.Setenv("TMPDIR", t.TempDir())
	m := slow(3000, 64)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*5*time.Millisecond)
		s, err := rt.Open(ctx, m, calib.OpenOptions{Threads: 1})
		cancel()
		if err == nil {
			s.Close()
		} else if err != context.DeadlineExceeded {
			t.Fatal(err)
		}
	}
	rt.opening.Wait()
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRunAfterACancelledOne(t *testing.T) {
	rt := load(t)
	const n = 256
	s := open(t, rt, slow(200, n), calib.OpenOptions{Threads: 1})
	in := map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{n, n}, Bytes: make([]byte, 4*n*n)}}
	for i := range 30 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Millisecond)
		err := s.Run(ctx, in, func([]calib.Array) error { return nil })
		cancel()
		if err != nil && err != context.DeadlineExceeded {
			t.Fatal(err)
		}
	}
	if err := s.Run(context.Background(), in, func([]calib.Array) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestErrorOfUseComesBack(t *testing.T) {
	s := open(t, load(t), identity(), calib.OpenOptions{Threads: 1})
	want := errors.New("enough")
	in := map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{1}, Bytes: make([]byte, 4)}}
	if err := s.Run(context.Background(), in, func([]calib.Array) error { return want }); err != want {
		t.Errorf("got %v", err)
	}
}

// TestChurn opens, runs and closes sessions on several goroutines while the
// garbage collector runs all the time.
func TestChurn(t *testing.T) {
	rt := load(t)
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 15 {
				if err := churn(rt, g*100+i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func churn(rt *Runtime, seed int) error {
	s, err := rt.Open(context.Background(), identity(), calib.OpenOptions{Threads: 1 + seed%2})
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range 20 {
		n := int64(1 + (seed+i*37)%500)
		x := calib.Array{Type: onnx.Float, Shape: []int64{n}, Bytes: bytes.Repeat([]byte{byte(seed), byte(i), 1, 2}, int(n))}
		err := s.Run(context.Background(), map[string]calib.Array{"x": x}, func(out []calib.Array) error {
			runtime.GC()
			if !bytes.Equal(out[0].Bytes, x.Bytes) {
				return errors.New("the output is not the input")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkRunOverhead(b *testing.B) {
	s := open(b, load(b), identity(), calib.OpenOptions{Threads: 1})
	in := map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{1}, Bytes: make([]byte, 4)}}
	for b.Loop() {
		if err := s.Run(context.Background(), in, func([]calib.Array) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
