//go:build !onnxpass_noexec && (linux || darwin)

package openvino

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// TestMain lets the test binary be its own child: "serve" serves, "crash"
// serves until the model is to be run and then dies of a segmentation violation.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "serve" && os.Args[1] != "crash" {
		os.Exit(m.Run())
	}
	serve := ServeStdio
	if os.Args[1] == "crash" {
		serve = serveUntilRun
	}
	if err := serve(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// serveUntilRun serves as ServeStdio does, but the first request to run kills the process.
func serveUntilRun() error {
	out, err := takeStdout()
	if err != nil {
		return err
	}
	s, in, to := &server{}, gob.NewDecoder(os.Stdin), gob.NewEncoder(out)
	for {
		var q request
		if err := in.Decode(&q); err != nil {
			return err
		}
		if q.Op == opRun {
			if err := syscall.Kill(os.Getpid(), syscall.SIGSEGV); err != nil {
				return err
			}
			select {}
		}
		if err := s.answer(q, func(a reply) error { return to.Encode(a) }); err != nil {
			return err
		}
	}
}

// library finds OpenVINO or skips.
func library(t *testing.T) string {
	t.Helper()
	f, _, err := runtimelib.Find(runtimelib.OpenVINO(), runtimelib.Options{})
	if err != nil {
		t.Skip("no OpenVINO library (set ONNXPASS_OPENVINO_LIB)")
	}
	return f.Path
}

func start(t *testing.T, mode string) *Process {
	t.Helper()
	p, err := Start(context.Background(), library(t), os.Args[0], mode)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var d *diag.Error
	if !errors.As(err, &d) || d.Code != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want %s with %q", err, code, text)
	}
}

// identity is y = Identity(x) for float32 [n].
func identity(op string) *onnx.Model {
	port := func(name string) []*onnx.ValueInfo {
		dim := onnx.Dim{Kind: onnx.DimParam, Param: "n"}
		return []*onnx.ValueInfo{{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: &onnx.Shape{Dim: []onnx.Dim{dim}}}}}}
	}
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: &onnx.Graph{
		Name: "g", Input: port("x"), Output: port("y"),
		Node: []*onnx.Node{{OpType: op, Name: "the_" + op, Input: []string{"x"}, Output: []string{"y"}}},
	}}
}

func vector(x ...float32) calib.Array {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
	return calib.Array{Type: onnx.Float, Shape: []int64{int64(len(x))}, Bytes: slices.Clone(b)}
}

func TestRunAtSeveralShapes(t *testing.T) {
	rt, err := Load(library(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, runner := range map[string]calib.Runner{"in process": rt, "in a child": start(t, "serve")} {
		if !strings.HasPrefix(runner.Name(), "openvino 20") {
			t.Errorf("%s: name %q", name, runner.Name())
		}
		s, err := runner.Open(context.Background(), identity("Neg"), calib.OpenOptions{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{3, 3, 1, 5} {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i) + 0.5
			}
			err := s.Run(context.Background(), map[string]calib.Array{"x": vector(x...)}, func(out []calib.Array) error {
				y, err := out[0].Float32s(new([]float32))
				for i := range x {
					if len(y) != n || y[i] != -x[i] {
						t.Errorf("%s: got %v for %v", name, y, x)
						break
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, s.Run(context.Background(), nil, nil), "OP6351", "lacks an input")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.Run(context.Background(), nil, nil), "OP6352", "closed")
	}
}

// TestChurn opens, runs and closes sessions on several goroutines, hence
// threads, under a stream of preemption signals.
func TestChurn(t *testing.T) {
	rt, err := Load(library(t))
	if err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() {
			for i := range 12 {
				s, err := rt.Open(context.Background(), identity("Neg"), calib.OpenOptions{Threads: 1 + (g+i)%2})
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Run(context.Background(), map[string]calib.Array{"x": vector(make([]float32, 1+i%3)...)}, func([]calib.Array) error {
					runtime.GC()
					return nil
				})
				if err := errors.Join(err, s.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRefusals(t *testing.T) {
	p := start(t, "serve")
	_, err := p.Open(context.Background(), identity("NoSuchOperator"), calib.OpenOptions{})
	wantCode(t, err, "OP6350", "NoSuchOperator")
	_, err = Start(context.Background(), "openvino_test.go", os.Args[0], "serve")
	wantCode(t, err, "OP6202", "openvino_test.go")
	_, err = Start(context.Background(), library(t), os.Args[0], "-test.list=^$")
	wantCode(t, err, "OP6354", "crashed")
	_, err = Start(context.Background(), library(t), filepath.Join(t.TempDir(), "gone"))
	wantCode(t, err, "OP6354", "does not start")
}

func TestACrashIsAnError(t *testing.T) {
	p := start(t, "crash")
	t.Setenv("TMPDIR", t.TempDir())
	s, err := p.Open(context.Background(), identity("Neg"), calib.OpenOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]calib.Array{"x": vector(1)}
	for err == nil {
		err = s.Run(context.Background(), in, func([]calib.Array) error { return nil })
	}
	wantCode(t, err, "OP6354", "SIGSEGV")
	wantCode(t, s.Run(context.Background(), in, nil), "OP6354", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCancellationKillsTheChild(t *testing.T) {
	p := start(t, "serve")
	ctx, cancel := context.WithCancel(context.Background())
	s, err := p.Open(ctx, identity("Neg"), calib.OpenOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	x := vector(make([]float32, 1<<20)...)
	for err == nil {
		err = s.Run(ctx, map[string]calib.Array{"x": x}, func([]calib.Array) error { return nil })
	}
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if _, err := p.Open(ctx, identity("Neg"), calib.OpenOptions{}); err != context.Canceled {
		t.Errorf("opening after the end: %v", err)
	}
}

// TestKitAgreesWithPython runs every kit model that OpenVINO can read and
// compares with OpenVINO's own Python binding, bit for bit.
func TestKitAgreesWithPython(t *testing.T) {
	models, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(models) == 0 {
		t.Skip("the evaluation kit is not beside the repository")
	}
	models = slices.DeleteFunc(models, func(m string) bool {
		return strings.Contains(m, "reject_") || strings.Contains(m, "silero") // OpenVINO cannot read it
	})
	p, dir := start(t, "serve"), t.TempDir()
	py := os.Getenv("ONNXPASS_INTEROP_PYTHON")
	if py == "" {
		py = "python3"
	}
	if exec.Command(py, "-c", "import openvino").Run() != nil {
		t.Skip("no Python with openvino (set ONNXPASS_INTEROP_PYTHON)")
	}
	if out, err := exec.Command(py, append([]string{"testdata/golden.py", dir, "2"}, models...)...).CombinedOutput(); err != nil {
		t.Fatalf("golden.py: %v\n%s", err, out)
	}
	for _, model := range models {
		stem := strings.TrimSuffix(filepath.Base(model), ".onnx")
		t.Run(stem, func(t *testing.T) { agrees(t, p, model, filepath.Join(dir, stem+".json")) })
	}
}

type entry struct {
	Name, Type, File string
	Shape            []int64
}

func (e entry) array(t *testing.T, dir string) calib.Array {
	b, err := os.ReadFile(filepath.Join(dir, e.File))
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := onnx.ParseDataType(e.Type)
	return calib.Array{Type: kind, Shape: e.Shape, Bytes: b}
}

func agrees(t *testing.T, p *Process, path, file string) {
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := p.Open(context.Background(), m, calib.OpenOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Inputs, Outputs []entry }
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	in := map[string]calib.Array{}
	for _, e := range golden.Inputs {
		in[e.Name] = e.array(t, filepath.Dir(file))
	}
	err = s.Run(context.Background(), in, func(out []calib.Array) error {
		for i, e := range golden.Outputs {
			want := e.array(t, filepath.Dir(file))
			if out[i].Type != want.Type || !slices.Equal(out[i].Shape, want.Shape) {
				t.Errorf("output %s: %v, want %v", e.Name, out[i], want)
			} else if d := difference(t, out[i], want); d != 0 {
				t.Errorf("output %s differs from the Python binding by %g", e.Name, d)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// difference is the largest one, relative to the largest element.
func difference(t *testing.T, a, b calib.Array) float64 {
	x, err1 := a.Float32s(new([]float32))
	y, err2 := b.Float32s(new([]float32))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var scale, diff float64
	for i := range x {
		scale = max(scale, math.Abs(float64(y[i])))
		diff = max(diff, math.Abs(float64(x[i])-float64(y[i])))
	}
	return diff / max(scale, 1e-30)
}
