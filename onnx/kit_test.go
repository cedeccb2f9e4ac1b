package onnx_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxpass/onnxpass/onnx"
)

// kitModels lists the real models; the test is skipped where they are not there.
func kitModels(t testing.TB) []string {
	t.Helper()
	paths, _ := filepath.Glob("../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	return paths
}

// typedFields are models whose weights partly lie in typed fields; those
// become raw_data, so that the file is equal field by field but not byte by byte.
var typedFields = []string{"blazeface_front.onnx", "mnist_cntk.onnx", "silero_vad_v6.onnx"}

// TestKitUnchanged: reading a real model and writing it changes nothing.
func TestKitUnchanged(t *testing.T) {
	for _, path := range kitModels(t) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			if name == "reject_ir1_super_resolution.onnx" {
				_, err := onnx.Open(path)
				wantCode(t, err, "OP3006")
				return
			}
			m := open(t, path)
			out := filepath.Join(t.TempDir(), name)
			if err := onnx.Save(out, m, onnx.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			again := open(t, out)
			if d := cmp.Diff(m, again, sameModel...); d != "" {
				t.Error(d)
			}
			before, after := content(t, path), content(t, out)
			if bytes.Equal(before, after) == slices.Contains(typedFields, name) {
				t.Errorf("byte identical: %v", bytes.Equal(before, after))
			}
			if onnx.Unaltered(m) != bytes.Equal(before, after) {
				t.Errorf("Unaltered says %v", onnx.Unaltered(m))
			}
			if err := onnx.Save(out+"2", again, onnx.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(after, content(t, out+"2")) {
				t.Error("a file of our own changed")
			}
		})
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compare reads pairs of files with the reference implementation and wants
// every field equal once tensors are brought to raw_data.
const compare = `
import sys, onnx
from onnx import numpy_helper

def normal(t):
    if t.data_location == onnx.TensorProto.EXTERNAL:
        raise SystemExit("external data left in " + t.name)
    t.ClearField("data_location")  # the reference leaves an explicit DEFAULT when it has loaded external data
    if t.data_type == onnx.TensorProto.STRING or t.HasField("raw_data"):
        return
    raw = numpy_helper.from_array(numpy_helper.to_array(t)).raw_data
    for f in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        t.ClearField(f)
    if raw:
        t.raw_data = raw

def walk(m):
    for f, v in m.ListFields():
        if f.message_type is None:
            continue
        for x in [v] if hasattr(v, "ListFields") else v:
            if isinstance(x, onnx.TensorProto):
                normal(x)
            else:
                walk(x)

for pa, pb in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        onnx.checker.check_model(pa)
    except onnx.checker.ValidationError as e:
        print("the checker refuses the original too:", pa, e)
    else:
        onnx.checker.check_model(pb)
    a, b = onnx.load(pa), onnx.load(pb)
    walk(a), walk(b)
    if a.SerializeToString(deterministic=True) != b.SerializeToString(deterministic=True):
        raise SystemExit("differs: " + pb)
print("equal")
`

// reference is a Python that has the onnx package; the environment variable
// PYTHON names another one than python3.
func reference(t *testing.T) string {
	t.Helper()
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import onnx, numpy").Run(); err != nil {
		t.Skip("no Python with the onnx package (PYTHON names one)")
	}
	return python
}

// TestKitAgainstReference: Python's onnx sees the same fields in what we write
// as in the original, with weights inside and in a data file.
func TestKitAgainstReference(t *testing.T) {
	args := []string{"-c", compare}
	dir := t.TempDir()
	python := reference(t)
	for _, path := range kitModels(t) {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "reject") {
			continue
		}
		m := open(t, path)
		for prefix, mode := range map[string]onnx.ExternalMode{"inside-": onnx.ExternalNever, "outside-": onnx.ExternalAlways} {
			out := filepath.Join(dir, prefix+name)
			if err := onnx.Save(out, m, onnx.SaveOptions{External: mode}); err != nil {
				t.Fatal(err)
			}
			args = append(args, path, out)
		}
	}
	out, err := exec.Command(python, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// everyType writes all element types in all typed fields with the reference.
const everyType = `
import sys, numpy as np, onnx
from onnx import TensorProto as T, helper, numpy_helper
values = [0, 1, 2, 3, 1, 0, 3]
tensors = []
for name, code in sorted(T.DataType.items(), key=lambda x: x[1]):
    if code == 0:
        continue
    if code == T.STRING:
        tensors.append(helper.make_tensor(name, code, [2], [b"a", b"bc"]))
        continue
    try:
        tensors.append(helper.make_tensor(name + "/typed", code, [7], values))
        t = numpy_helper.from_array(numpy_helper.to_array(tensors[-1]), name + "/raw")
    except Exception as e:
        print("skipped", name, e)
        continue
    tensors.append(t)
g = helper.make_graph([], "g", [], [], tensors)
m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 21)])
onnx.save(m, sys.argv[1])
`

// TestTypesAgainstReference: typed and raw forms as the reference writes them
// give the same content.
func TestTypesAgainstReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "types.onnx")
	out, err := exec.Command(reference(t), "-c", everyType, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	pairs := make(map[string]*onnx.Tensor)
	for _, x := range open(t, path).Graph.Initializer {
		name, form, _ := strings.Cut(x.Name, "/")
		other, ok := pairs[name]
		pairs[name] = x
		if !ok || form == "" {
			continue
		}
		if x.Type != other.Type || !sameData(x.Data, other.Data) {
			t.Errorf("%s: forms differ", name)
		}
		if x.Type.IsFloat() && x.Type != onnx.Float8E8M0 {
			got, err := x.Float32s()
			if want := []float32{0, 1, 2, 3, 1, 0, 3}; err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if x.Type.IsInteger() && x.Type != onnx.Int2 {
			got, err := x.Int64s()
			if want := []int64{0, 1, 2, 3, 1, 0, 3}; err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
	if len(pairs) < 20 {
		t.Errorf("only %d types", len(pairs))
	}
}
