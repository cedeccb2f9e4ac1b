package sample

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// archive is an .npz with one member.
func archive(t *testing.T, member string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(member)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func nanArray() []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b[8:], math.Float32bits(float32(math.NaN())))
	return b
}

func TestErrors(t *testing.T) {
	x := port("x", onnx.Float, 1, 2, 3)
	image := port("images", onnx.Float, 1, 3, 640, 640)
	two := []calib.Port{port("x", onnx.Float, 2, 3), port("y", onnx.Float, 2, 3)}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("nan.npy"), npy("<f4", "(2, 3)", nanArray()))
	write(t, path("bytes.npy"), npy("|u1", "(640, 640, 3)", make([]byte, 640*640*3)))
	write(t, path("short.npy"), npy("<f4", "(2, 3)", make([]byte, 20)))
	write(t, path("huge.npy"), npy("<f4", "(4611686018427387904, 3)", nil))
	write(t, path("empty.npy"), npy("<f4", "(0, 2, 3)", nil))
	write(t, path("rows.npy"), npy("<f4", "(20000000000000000, 2, 0)", nil))
	write(t, path("bomb.npz"), archive(t, "x.npy", npy("<f4", "(1000000000000, 2, 3)", make([]byte, 1<<20))))
	write(t, path("pickle.npz"), archive(t, "x.npy", npy("|O", "(2, 3)", make([]byte, 99))))
	write(t, path("other.npz"), archive(t, "readme.txt", []byte("x")))
	write(t, path("text.npz"), []byte("no archive"))
	write(t, path("text.jpg"), []byte("no picture"))
	write(t, path("text.pb/input_0.pb"), []byte("no tensor"))
	write(t, path("dims.pb/input_0.pb"), append(append([]byte{8}, bytes.Repeat([]byte{0xff}, 9)...), 1, 16, 1)) // dims -1, float
	write(t, path("odd.bin"), make([]byte, 25))
	write(t, path("movie.mp4"), []byte("?"))
	write(t, path("mixed/a.npy"), npy("<f4", "(2, 3)", make([]byte, 24)))
	write(t, path("mixed/b.png"), []byte("?"))
	write(t, path("nothing/labels.txt"), []byte("?"))
	write(t, path("big.npy"), npy("<i8", "(6,)", bytes.Repeat([]byte{0xff, 0xff, 0, 0, 0, 0, 0, 0}, 6)))
	write(t, path("two.npy"), npy("<f4", "(2, 2, 3)", make([]byte, 48)))
	write(t, path("three.npy"), npy("<f4", "(3, 2, 3)", make([]byte, 72)))
	picture, broken := Preprocess{Scale: 1}, Preprocess{Scale: 1, Mean: []float32{1, 2}}
	for _, c := range []struct {
		name  string
		ports []calib.Port
		pre   Preprocess
		data  []string
		code  string
		texts []string
	}{
		{"no data", []calib.Port{x}, picture, nil, "OP6001", nil},
		{"no such file", []calib.Port{x}, picture, []string{path("none.npy")}, "OP6003", []string{"none.npy", "no such file"}},
		{"empty folder", []calib.Port{x}, picture, []string{path("nothing")}, "OP6004", []string{"nothing"}},
		{"no samples", []calib.Port{x}, picture, []string{path("empty.npy")}, "OP6004", nil},
		{"empty samples", []calib.Port{port("x", onnx.Float, -2, 2, -1)}, picture, []string{path("rows.npy")}, "OP6004", nil},
		{"unknown kind", []calib.Port{x}, picture, []string{path("movie.mp4")}, "OP6005", []string{"movie.mp4", ".npz"}},
		{"mixed folder", []calib.Port{x}, picture, []string{path("mixed")}, "OP6006", []string{"1 .npy", "1 pictures"}},
		{"missing input", two, picture, []string{"x=" + path("mixed/a.npy")}, "OP6010", []string{"y", "--data y=PATH"}},
		{"which input", two, picture, []string{path("mixed/a.npy")}, "OP6010", []string{"several inputs", "--data x="}},
		{"missing in npz", two, picture, []string{fixture("stored.npz")}, "OP6010", []string{"y", "n"}},
		{"different numbers", two, picture, []string{"x=" + path("two.npy"), "y=" + path("three.npy")}, "OP6010", []string{"x: 2", "3"}},
		{"unknown input", two, picture, []string{"z=" + path("mixed/a.npy")}, "OP6011", []string{"z", "x, y"}},
		{"half named", two, picture, []string{"x=" + path("mixed/a.npy"), path("mixed/a.npy")}, "OP6011", nil},
		{"layout and bytes", []calib.Port{image}, Preprocess{}, []string{path("bytes.npy")}, "OP6012",
			[]string{`input "images"`, "uint8 [640,640,3]", "float32 [1,3,640,640]", "--layout nhwc", "--scale 1/255"}},
		{"bytes", []calib.Port{image}, Preprocess{Layout: "nhwc"}, []string{path("bytes.npy")}, "OP6012", []string{"--scale 1/255"}},
		{"rank", []calib.Port{image}, picture, []string{path("mixed/a.npy")}, "OP6012", []string{"float32 [2,3]", "4 dimensions"}},
		{"size", []calib.Port{port("x", onnx.Float, 2, 5)}, picture, []string{path("mixed/a.npy")}, "OP6012", []string{"sizes differ"}},
		{"type", []calib.Port{port("x", onnx.Int64, 2, 3)}, picture, []string{path("mixed/a.npy")}, "OP6012", []string{"int64"}},
		{"bin", []calib.Port{x}, picture, []string{path("odd.bin")}, "OP6012", []string{"25 bytes", "24 bytes"}},
		{"nan", []calib.Port{x}, picture, []string{path("nan.npy")}, "OP6013", []string{"nan.npy", "NaN at element 2"}},
		{"cut short", []calib.Port{x}, picture, []string{path("short.npy")}, "OP6014", []string{"24 bytes", "20 are there"}},
		{"overflow", []calib.Port{x}, picture, []string{path("huge.npy")}, "OP6014", []string{"overflows"}},
		{"no archive", []calib.Port{x}, picture, []string{path("text.npz")}, "OP6014", nil},
		{"no array", []calib.Port{x}, picture, []string{path("other.npz")}, "OP6014", []string{"no .npy member"}},
		{"bomb", []calib.Port{x}, picture, []string{path("bomb.npz")}, "OP6014", []string{"promises"}},
		{"no picture", []calib.Port{image}, picture, []string{path("text.jpg")}, "OP6014", []string{"text.jpg"}},
		{"no tensor", []calib.Port{x}, picture, []string{path("text.pb")}, "OP6014", []string{"input_0.pb"}},
		{"impossible tensor", []calib.Port{x}, picture, []string{path("dims.pb")}, "OP6014", []string{"input_0.pb", "negative"}},
		{"no inputs", nil, picture, []string{"random"}, "OP6019", []string{"no inputs"}},
		{"out of range", []calib.Port{port("x", onnx.Int8, 6)}, picture, []string{path("big.npy")}, "OP6014", []string{"65535 does not fit into int8"}},
		{"strings", []calib.Port{x}, picture, []string{fixture("text.npy")}, "OP6014", []string{"U1"}},
		{"pickle", []calib.Port{x}, picture, []string{fixture("object.npy")}, "OP6015", []string{"pickle"}},
		{"pickle in archive", []calib.Port{x}, picture, []string{path("pickle.npz")}, "OP6015", []string{"pickle.npz:x"}},
		{"no preset", []calib.Port{image}, Preprocess{}, []string{fixture("picture.png")}, "OP6017", []string{"--preset imagenet"}},
		{"four channels", []calib.Port{port("x", onnx.Float, 1, 8, 8, 4)}, picture, []string{fixture("picture.png")}, "OP6018", []string{"the input 4"}},
		{"no picture input", []calib.Port{port("x", onnx.Float, 1, 8)}, picture, []string{fixture("picture.png")}, "OP6018", nil},
		{"integer input", []calib.Port{port("x", onnx.Int64, 1, 3, 8, 8)}, picture, []string{fixture("picture.png")}, "OP6018", nil},
		{"strings wanted", []calib.Port{port("x", onnx.String, 1)}, picture, []string{path("mixed/a.npy")}, "OP6019", []string{"string"}},
		{"open sizes", []calib.Port{port("x", onnx.Float, -2, 3, -1, 5)}, picture, []string{"random"}, "OP6020", []string{"--shape x=1x3xSIZEx5"}},
		{"mean length", []calib.Port{image}, broken, []string{fixture("picture.png")}, "OP2060", []string{"2 numbers", "3 channels"}},
		{"colour", []calib.Port{image}, Preprocess{Color: "cmyk"}, []string{fixture("picture.png")}, "OP2060", []string{"rgb, bgr, gray"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := Load(context.Background(), c.data, c.ports, Options{Preprocess: c.pre})
			for i := 0; err == nil && i < set.Len(); i++ {
				_, err = set.Read(context.Background(), i)
			}
			wantCode(t, err, c.code, c.texts...)
		})
	}
}

func TestBind(t *testing.T) {
	ports := []calib.Port{port("x", onnx.Float, -2, 3, -1), {Name: "free", Type: infer.Type{Elem: onnx.Float}}}
	o := Options{Dims: map[string]int64{"N": 4}, Shapes: map[string][]int64{"free": {2, 2}}}
	bound, err := o.bind(ports)
	if err != nil || bound[0].TypeString() != "float32 [4,3,?]" || bound[1].TypeString() != "float32 [2,2]" {
		t.Errorf("%v %v", bound, err)
	}
	o.Shapes["x"] = []int64{1, 4, 5}
	_, err = o.bind(ports)
	wantCode(t, err, "OP2060", "float32 [N,3,?]")
}

func TestParse(t *testing.T) {
	if s, err := ParseSize("224x112"); err != nil || s != (Size{224, 112}) {
		t.Error(s, err)
	}
	if s, err := ParseSize("64"); err != nil || s != (Size{64, 64}) {
		t.Error(s, err)
	}
	if v, err := ParseNumbers("1/255, 2,-0.5"); err != nil || fmt.Sprint(v) != "[0.003921569 2 -0.5]" {
		t.Error(v, err)
	}
	for _, text := range []string{"", "x", "0x5", "5x", "1x2x3", "99999x1"} {
		if _, err := ParseSize(text); err == nil {
			t.Errorf("size %q is accepted", text)
		}
	}
	for _, text := range []string{"", "a", "1/0", "nan", "inf", "1e60", "1/2/3", "1,,2"} {
		if _, err := ParseNumbers(text); err == nil {
			t.Errorf("numbers %q are accepted", text)
		}
	}
}

func FuzzNpy(f *testing.F) {
	for _, name := range []string{"float32.npy", "float64_fortran.npy", "int32_big_endian.npy", "version3.npy", "object.npy", "text.npy", "bool.npy"} {
		b, err := os.ReadFile(fixture(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFile(t, "x.npy", b) })
}

func FuzzNpz(f *testing.F) {
	for _, name := range []string{"stored.npz", "compressed.npz"} {
		b, err := os.ReadFile(fixture(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFile(t, "x.npz", b) })
}

func FuzzPB(f *testing.F) {
	for _, name := range []string{"float32_raw.pb", "float32_typed.pb", "int64_raw.pb", "uint8_typed.pb"} {
		b, err := os.ReadFile(fixture(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFile(t, "samples.pb", b) })
}

// fuzzFile loads a hostile file for inputs of any shape: what comes out fits its type and shape.
func fuzzFile(t *testing.T, name string, b []byte) {
	// One file serves the whole process: a folder for each input would take most of the time.
	path := filepath.Join(os.TempDir(), fmt.Sprintf("onnxpass-fuzz-%d-%s", os.Getpid(), name))
	defer os.Remove(path)
	write(t, path, b)
	for _, typ := range []onnx.DataType{onnx.Float, onnx.Int64, onnx.Bool} {
		for _, p := range []calib.Port{{Name: "x", Type: infer.Type{Elem: typ}}, port("x", typ, -2, -1)} {
			set, err := Load(context.Background(), []string{path}, []calib.Port{p}, Options{Max: 3, Preprocess: Preprocess{Scale: 2}})
			for i := 0; err == nil && i < set.Len(); i++ {
				var s calib.Sample
				if s, err = set.Read(context.Background(), i); err == nil {
					if err := calib.Fits([]calib.Port{p}, s.Inputs); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

// The list of samples is in memory, so that nobody can ask for billions of random ones.
func TestTooManySamples(t *testing.T) {
	for _, n := range []int{-1, mostSamples + 1} {
		_, err := Load(context.Background(), []string{"random"}, []calib.Port{port("x", onnx.Float, 4)}, Options{Max: n})
		var e *diag.Error
		if !errors.As(err, &e) || e.Code != "OP2060" {
			t.Errorf("%d samples: %v", n, err)
		}
	}
}
