package sample

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// port makes a Port; dimension -1 is unknown, -2 is symbolic "N".
func port(name string, t onnx.DataType, dims ...int64) calib.Port {
	p := calib.Port{Name: name, Type: infer.Type{Elem: t, Shape: infer.Shape{Ranked: true}}}
	for _, d := range dims {
		dim := infer.Dim{Value: d}
		if d == -2 {
			dim = infer.Dim{Value: -1, Param: "N"}
		}
		p.Shape.Dims = append(p.Shape.Dims, dim)
	}
	return p
}

func mustLoad(t *testing.T, o Options, ports []calib.Port, data ...string) *calib.Set {
	t.Helper()
	set, err := Load(context.Background(), data, ports, o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// floats reads input name of sample i.
func floats(t *testing.T, set *calib.Set, i int, name string) (x []float32, shape []int64) {
	t.Helper()
	s, err := set.Read(context.Background(), i)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Inputs[name]
	var scratch []float32
	x, err = a.Float32s(&scratch)
	if err != nil {
		t.Fatal(err)
	}
	return x, a.Shape
}

var grid = []float32{0, 1, 2, 10, 11, 12}

func fixture(name string) string { return filepath.Join("testdata", name) }

func TestArrays(t *testing.T) {
	for _, c := range []struct {
		file  string
		port  calib.Port
		want  []float32
		shape []int64
	}{
		{"float32.npy", port("x", onnx.Float, 2, 3), grid, []int64{2, 3}},
		{"version2.npy", port("x", onnx.Float, 2, 3), grid, []int64{2, 3}},
		{"version3.npy", port("x", onnx.Float, 2, 3), grid, []int64{2, 3}},
		{"float32.npy", port("x", onnx.Float, 1, 2, 3), grid, []int64{1, 2, 3}},
		{"float32.npy", port("x", onnx.Double, 2, 3), grid, []int64{2, 3}},
		{"float32.npy", port("x", onnx.Float16, 2, 3), grid, []int64{2, 3}},
		{"float16.npy", port("x", onnx.Float, 2, 3), grid, []int64{2, 3}},
		{"float16.npy", port("x", onnx.BFloat16, 2, 3), grid, []int64{2, 3}},
		{"float64_fortran.npy", port("x", onnx.Float, -1, 3), grid[:3], []int64{1, 3}},
		{"float64_fortran.npy", port("x", onnx.Double, 2, 3), grid, []int64{2, 3}},
		{"int32_big_endian.npy", port("x", onnx.Int64, 2, 3), grid, []int64{2, 3}},
		{"int64_fortran_3d.npy", port("x", onnx.Int64, 2, 3), grid, []int64{2, 3}},
		{"int64_fortran_3d.npy", port("x", onnx.Uint8, 2, 3), grid, []int64{2, 3}},
		{"bool.npy", port("x", onnx.Bool, 2, 3), []float32{0, 1, 0, 0, 1, 0}, []int64{2, 3}},
		{"bool.npy", port("x", onnx.Int32, 2, 3), []float32{0, 1, 0, 0, 1, 0}, []int64{2, 3}},
		{"uint8_scalar.npy", port("x", onnx.Int32), []float32{200}, []int64{}},
		{"stored.npz", port("x", onnx.Float, 2, 3), grid, []int64{2, 3}},
		{"compressed.npz", port("x", onnx.Float, 2, 3), grid, []int64{2, 3}},
		{"compressed.npz", port("n", onnx.Int64), []float32{5}, []int64{}},
	} {
		t.Run(c.file+" "+c.port.String(), func(t *testing.T) {
			set := mustLoad(t, Options{}, []calib.Port{c.port}, fixture(c.file))
			x, shape := floats(t, set, 0, c.port.Name)
			if !slices.Equal(x, c.want) || !slices.Equal(shape, c.shape) {
				t.Errorf("%v %v, want %v %v", x, shape, c.want, c.shape)
			}
		})
	}
}

func TestTestDataSets(t *testing.T) {
	for file, p := range map[string]calib.Port{
		"float32_raw": port("x", onnx.Float, 2, 3), "float32_typed": port("x", onnx.Float, 2, 3),
		"int64_raw": port("x", onnx.Int64, 2, 3), "uint8_typed": port("x", onnx.Uint8, 2, 3),
		"double_typed": port("x", onnx.Double, 2, 3), "float16_raw": port("x", onnx.Float16, 2, 3),
		"bool_raw": port("x", onnx.Bool, 2, 3),
	} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			for _, set := range []string{"test_data_set_10", "test_data_set_2"} {
				copyFile(t, fixture(file+".pb"), filepath.Join(dir, set, "input_0.pb"))
				copyFile(t, fixture(file+".pb"), filepath.Join(dir, set, "output_0.pb"))
			}
			set := mustLoad(t, Options{}, []calib.Port{p}, dir)
			if set.Len() != 2 || !strings.HasSuffix(set.Name(0), "test_data_set_2") {
				t.Fatalf("%d samples, first %s", set.Len(), set.Name(0))
			}
			want := grid
			if p.Elem == onnx.Bool {
				want = []float32{0, 1, 0, 0, 1, 0}
			}
			if x, _ := floats(t, set, 1, "x"); !slices.Equal(x, want) {
				t.Errorf("%v, want %v", x, want)
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, b)
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The leading axis of a compressed archive is read forwards, backwards and again.
func TestRowsInAnyOrder(t *testing.T) {
	ports := []calib.Port{port("x", onnx.Float, -2, 2, 3), port("n", onnx.Int64)}
	set := mustLoad(t, Options{}, ports, fixture("compressed.npz"))
	if set.Len() != 3 {
		t.Fatalf("%d samples", set.Len())
	}
	for _, i := range []int{0, 1, 2, 2, 0, 1, 0} {
		x, shape := floats(t, set, i, "x")
		n, _ := floats(t, set, i, "n")
		if x[5] != float32(100*i+12) || !slices.Equal(shape, []int64{1, 2, 3}) || n[0] != 5 {
			t.Errorf("sample %d (%s): %v %v %v", i, set.Name(i), x, shape, n)
		}
	}
	if set.Name(1) != "compressed.npz:x[1]" {
		t.Errorf("name %q", set.Name(1))
	}
}

func TestFixedBatchIsFilledUp(t *testing.T) {
	p := port("x", onnx.Float, 2, 2, 3)
	set := mustLoad(t, Options{}, []calib.Port{p}, "x="+fixture("compressed.npz"))
	if set.Len() != 2 {
		t.Fatalf("%d samples", set.Len())
	}
	x, shape := floats(t, set, 1, "x")
	if !slices.Equal(shape, []int64{2, 2, 3}) || x[0] != 200 || x[6] != 200 {
		t.Errorf("%v %v", x, shape)
	}
}

func TestLayoutAndScale(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.npy")
	// height 2, width 1, three channels: the first model could be of either layout
	write(t, path, npy("|u1", "(2, 1, 3)", []byte{0, 51, 102, 153, 204, 255}))
	o := Options{Preprocess: Preprocess{Layout: "nhwc", Scale: 1.0 / 255, Mean: []float32{0, 0.5, 1}, Std: []float32{1, 1, 2}}}
	for _, c := range []struct {
		port calib.Port
		want []float32
	}{
		{port("x", onnx.Float, 1, 3, 2, 1), []float32{0, 0.6, -0.3, 0.3, -0.3, 0}},
		{port("x", onnx.Float, 1, 3, 2, -1), []float32{0, 0.6, -0.3, 0.3, -0.3, 0}},
		{port("x", onnx.Float, 1, 2, 1, 3), []float32{0, -0.3, -0.3, 0.6, 0.3, 0}},
	} {
		x, shape := floats(t, mustLoad(t, o, []calib.Port{c.port}, path), 0, "x")
		for i := range c.want {
			if d := x[i] - c.want[i]; d > 1e-6 || d < -1e-6 {
				t.Fatalf("%v %v, want %v", x, shape, c.want)
			}
		}
	}
}

// npy is an .npy file of format 1.0.
func npy(descr, shape string, content []byte) []byte {
	header := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }"
	header += strings.Repeat(" ", 63-(len(header)+10)%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), content...)
}

func TestSeveralInputs(t *testing.T) {
	ports := []calib.Port{port("x", onnx.Float, 2, 3), port("a=b", onnx.Int32)}
	set := mustLoad(t, Options{}, ports, "x="+fixture("stored.npz"), "a=b="+fixture("uint8_scalar.npy"))
	if n, _ := floats(t, set, 0, "a=b"); n[0] != 200 {
		t.Errorf("%v", n)
	}
	dir := t.TempDir()
	copyFile(t, fixture("float32.npy"), filepath.Join(dir, "x.npy"))
	copyFile(t, fixture("uint8_scalar.npy"), filepath.Join(dir, "a=b.npy"))
	set = mustLoad(t, Options{}, ports, dir)
	if x, _ := floats(t, set, 0, "x"); !slices.Equal(x, grid) {
		t.Errorf("%v", x)
	}
}

func TestRandomIsSeededAndSaid(t *testing.T) {
	ports := []calib.Port{port("x", onnx.Float, -2, 3, 8, 8), port("mask", onnx.Bool, -2, 8)}
	a := mustLoad(t, Options{Seed: 1}, ports, "random")
	b := mustLoad(t, Options{Seed: 1}, ports, "random")
	c := mustLoad(t, Options{Seed: 2}, ports, "random")
	if !a.Random || len(a.Notes) == 0 || !strings.Contains(a.Notes[0], "random") {
		t.Errorf("random %v, notes %q", a.Random, a.Notes)
	}
	x, shape := floats(t, a, 3, "x")
	y, _ := floats(t, b, 3, "x")
	z, _ := floats(t, c, 3, "x")
	w, _ := floats(t, a, 4, "x")
	if !slices.Equal(x, y) || slices.Equal(x, z) || slices.Equal(x, w) || !slices.Equal(shape, []int64{1, 3, 8, 8}) {
		t.Errorf("random samples: %v %v %v", x[:3], y[:3], z[:3])
	}
}

func TestBin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	write(t, path, make([]byte, 4*6*5))
	for _, c := range []struct {
		port calib.Port
		n    int
	}{
		{port("x", onnx.Float, 1, 2, 3), 5}, {port("x", onnx.Float, -2, 2, 3), 5}, {port("x", onnx.Float, 2, 3), 5},
		{port("x", onnx.Float, 1, -1, 3), 1}, {port("x", onnx.Uint8, 120), 1},
	} {
		if set := mustLoad(t, Options{}, []calib.Port{c.port}, path); set.Len() != c.n {
			t.Errorf("%v: %d samples, want %d", c.port, set.Len(), c.n)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	names := []string{"b", "a10", "a2", "a02", "a1/x", "a1", "", "a10b"}
	slices.SortFunc(names, natural)
	if want := []string{"", "a1", "a1/x", "a02", "a2", "a10", "a10b", "b"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestSpreadSplitDigest(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		write(t, filepath.Join(dir, string(rune('a'+i))+".npy"), npy("<f4", "(1,)", []byte{byte(i), 0, 0, 0}))
	}
	ports := []calib.Port{port("x", onnx.Float, 1)}
	all := mustLoad(t, Options{}, ports, dir)
	some := mustLoad(t, Options{Max: 5}, ports, dir)
	if some.Len() != 5 || !strings.HasSuffix(some.Name(1), "c.npy") {
		t.Errorf("%d samples, second %s", some.Len(), some.Name(1))
	}
	a, b := all.Split()
	if a.Len() != 8 || b.Len() != 2 || !strings.HasSuffix(b.Name(0), "i.npy") {
		t.Errorf("split %d and %d", a.Len(), b.Len())
	}
	one, same := all.Pick([]int{3}).Split()
	if one.Len() != 1 || same.Len() != 1 || len(one.Notes) == 0 {
		t.Errorf("split of one: %d, %d, %q", one.Len(), same.Len(), one.Notes)
	}
	d1, _ := all.Digest()
	d2, _ := mustLoad(t, Options{}, ports, dir).Digest()
	d3, _ := mustLoad(t, Options{Preprocess: Preprocess{Scale: 2}}, ports, dir).Digest()
	write(t, filepath.Join(dir, "c.npy"), npy("<f4", "(1,)", []byte{9, 0, 0, 0}))
	d4, _ := all.Digest()
	if d1 != d2 || d1 == d3 || d1 == d4 {
		t.Errorf("digests %s %s %s %s", d1, d2, d3, d4)
	}
}

func wantCode(t *testing.T, err error, code string, texts ...string) {
	t.Helper()
	var d *diag.Error
	if !errors.As(err, &d) || d.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, text := range texts {
		if !strings.Contains(d.Error()+" "+d.Hint, text) {
			t.Errorf("%q (hint %q) lacks %q", d.Error(), d.Hint, text)
		}
	}
	if d.Hint == "" {
		t.Errorf("%q has no hint", d.Error())
	}
}
