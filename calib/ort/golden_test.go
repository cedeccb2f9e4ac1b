//go:build !onnxpass_noexec

package ort

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// entry is one array in the files that testdata/golden.py writes.
type entry struct {
	Name, Type, File string
	Shape            []int64
}

func (e entry) array(t *testing.T, dir string) calib.Array {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, e.File))
	if err != nil {
		t.Fatal(err)
	}
	kind, ok := onnx.ParseDataType(e.Type)
	if !ok {
		t.Fatalf("unknown type %q", e.Type)
	}
	return calib.Array{Type: kind, Shape: e.Shape, Bytes: b}
}

// python returns an interpreter that has onnxruntime of the library's own
// version: only then are the bits comparable.
func python(t *testing.T, version string) string {
	t.Helper()
	p := os.Getenv("ONNXPASS_INTEROP_PYTHON")
	if p == "" {
		p = "python3"
	}
	out, err := exec.Command(p, "-c", "import onnxruntime; print(onnxruntime.__version__)").Output()
	if err != nil || strings.TrimSpace(string(out)) != version {
		t.Skipf("no Python with onnxruntime %s (set ONNXPASS_INTEROP_PYTHON)", version)
	}
	return p
}

// kitModels lists the models of the evaluation kit that ONNX Runtime accepts.
func kitModels(t *testing.T) []string {
	t.Helper()
	models, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	models = slices.DeleteFunc(models, func(m string) bool { return strings.Contains(m, "reject_") })
	if len(models) == 0 {
		t.Skip("the evaluation kit is not beside the repository")
	}
	return models
}

func TestSameBitsAsPython(t *testing.T) {
	rt, models := load(t), kitModels(t)
	py, dir := python(t, rt.Version()), t.TempDir()
	args := append([]string{"testdata/golden.py", dir, "2"}, models...)
	if out, err := exec.Command(py, args...).CombinedOutput(); err != nil {
		t.Fatalf("golden.py: %v\n%s", err, out)
	}
	for _, model := range models {
		stem := strings.TrimSuffix(filepath.Base(model), ".onnx")
		t.Run(stem, func(t *testing.T) {
			sameAsGolden(t, rt, model, filepath.Join(dir, stem+".json"))
		})
	}
}

func sameAsGolden(t *testing.T, rt *Runtime, model, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Inputs, Outputs []entry }
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	dir, in := filepath.Dir(file), map[string]calib.Array{}
	for _, e := range golden.Inputs {
		in[e.Name] = e.array(t, dir)
	}
	s := openFile(t, rt, model, calib.OpenOptions{Threads: 2})
	err = s.Run(context.Background(), in, func(out []calib.Array) error {
		for i, e := range golden.Outputs {
			want := e.array(t, dir)
			if s.Outputs()[i].Name != e.Name || out[i].Type != want.Type || !slices.Equal(out[i].Shape, want.Shape) {
				t.Errorf("output %d: %s %v%v, want %s %v%v", i, s.Outputs()[i].Name, out[i].Type, out[i].Shape, e.Name, want.Type, want.Shape)
			}
			if !bytes.Equal(out[i].Bytes, want.Bytes) {
				t.Errorf("output %s differs from the Python binding", e.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
