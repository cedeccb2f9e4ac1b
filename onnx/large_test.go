package onnx_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/onnx"
)

// large is the weight size for the tests of big models. Try -large 1024.
var large = flag.Int64("large", 16, "MiB of weights in generated models")

const layer = 4 << 20 // bytes of one generated weight

// generated is a chain of MatMul nodes with the given bytes of weights, which
// are computed while they are written.
func generated(size int64) *onnx.Model {
	g := &onnx.Graph{Name: "generated"}
	dims := []onnx.Dim{{Kind: onnx.DimParam, Param: "N"}, {Kind: onnx.DimValue, Value: 1024}}
	io := func(name string) *onnx.ValueInfo {
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: &onnx.Shape{Dim: dims}}}}
	}
	g.Input = []*onnx.ValueInfo{io("x0")}
	n := int(size / layer)
	for i := range n {
		w := fmt.Sprintf("w%d", i)
		g.Initializer = append(g.Initializer, &onnx.Tensor{Name: w, Type: onnx.Float, Dims: []int64{1024, 1024},
			Data: onnx.Lazy(layer, func() ([]byte, error) { return noise(i), nil })})
		g.Node = append(g.Node, &onnx.Node{OpType: "MatMul", Name: fmt.Sprintf("mm%d", i),
			Input: []string{fmt.Sprintf("x%d", i), w}, Output: []string{fmt.Sprintf("x%d", i+1)}})
	}
	g.Output = []*onnx.ValueInfo{io(fmt.Sprintf("x%d", n))}
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: g}
}

// noise is a weight that does not compress.
func noise(seed int) []byte {
	b := make([]byte, layer)
	x := uint64(seed)*0x9e3779b97f4a7c15 + 1
	for i := 0; i < len(b); i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		// Small exponents: finite numbers that a runtime can multiply.
		binary.LittleEndian.PutUint64(b[i:], x&0xbfffffffbfffffff&^(0x40000000<<32|0x40000000)|0x3000000030000000)
	}
	return b
}

// TestNoOpSaveOfLargeModel measures open and save against copying the file, and
// bounds memory: nothing may grow with the weights. It runs alone in a process
// of its own, because peak memory is that of a process.
func TestNoOpSaveOfLargeModel(t *testing.T) {
	if os.Getenv("ONNX_TEST_ALONE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoOpSaveOfLargeModel$", "-test.v", "-large", fmt.Sprint(*large))
		cmd.Env = append(os.Environ(), "ONNX_TEST_ALONE=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	in, out, cp := filepath.Join(dir, "in.onnx"), filepath.Join(dir, "out.onnx"), filepath.Join(dir, "cp.onnx")
	if err := onnx.Save(in, generated(*large<<20), onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	before := peakMemory(t)
	save := best(t, func() error { return noOp(in, out) })
	copied := best(t, func() error { return copyFile(in, cp) })
	after := peakMemory(t)
	t.Logf("%d MiB: open and save %v, copy and sync %v (%.2fx); peak memory %d MiB, %d MiB before",
		*large, save, copied, float64(save)/float64(copied), after>>20, before>>20)
	same(t, in, out)
	if after > 100<<20 {
		t.Errorf("peak memory %d MiB, want at most 100", after>>20)
	}
}

// best is the shortest of three runs.
func best(t *testing.T, fn func() error) time.Duration {
	shortest := time.Hour
	for range 3 {
		start := time.Now()
		if err := fn(); err != nil {
			t.Fatal(err)
		}
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}

func noOp(in, out string) error {
	m, err := onnx.Open(in)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	return onnx.Save(out, m, onnx.SaveOptions{})
}

func copyFile(in, out string) error {
	src, err := os.Open(in)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { _ = dst.Close() }()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	return dst.Sync()
}

// same compares two files piece by piece.
func same(t *testing.T, a, b string) {
	t.Helper()
	fa, err := os.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fa.Close() }()
	fb, err := os.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fb.Close() }()
	ba, bb := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		na, erra := io.ReadFull(fa, ba)
		nb, errb := io.ReadFull(fb, bb)
		if string(ba[:na]) != string(bb[:nb]) {
			t.Fatalf("%s and %s differ", a, b)
		}
		if erra != nil || errb != nil {
			return
		}
	}
}

// peakMemory is the largest resident size of this process so far.
func peakMemory(t *testing.T) int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

// TestBeyondTwoGiB reads weights behind 2 GiB of a data file that has no
// blocks there, and refuses to put them into one message.
func TestBeyondTwoGiB(t *testing.T) {
	const far = 5 << 29 // 2.5 GiB
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	big := proto{}.varint(1, far).varint(2, uint64(onnx.Uint8)).str(8, "big").
		bytes(13, proto{}.str(1, "location").str(2, "m.data")).varint(14, 1)
	end := outside("end", 4, "location", "m.data", "offset", fmt.Sprint(far), "length", "16")
	file(t, path, around(proto{}.str(2, "g").bytes(5, big).bytes(5, end)))
	f, err := os.Create(filepath.Join(dir, "m.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte("0123456789abcdef"), far); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	m := open(t, path)
	raw, err := m.Graph.Initializer[1].Raw()
	if err != nil || string(raw) != "0123456789abcdef" {
		t.Fatalf("%q, %v", raw, err)
	}
	wantCode(t, onnx.Save(filepath.Join(dir, "out.onnx"), m, onnx.SaveOptions{External: onnx.ExternalNever}), "OP3030")
	if *large < 2048 {
		return
	}
	out := filepath.Join(dir, "out.onnx")
	if err := onnx.Save(out, m, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if raw, err := open(t, out).Graph.Initializer[1].Raw(); err != nil || string(raw) != "0123456789abcdef" {
		t.Fatalf("after saving: %q, %v", raw, err)
	}
}
