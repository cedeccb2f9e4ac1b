//go:build linux

package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one length-delimited protobuf field.
func field(num protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), content)
}

func number(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// onnxFile is a model of IR version 8 and opset 17 around a graph.
func onnxFile(graph []byte) []byte {
	return cat(number(1, 8), field(8, cat(field(1, nil), number(2, 17))), field(7, graph))
}

// tensorOf is an initializer with the given dims and further fields.
func tensorOf(dims []uint64, rest ...[]byte) []byte {
	var d []byte
	for _, x := range dims {
		d = append(d, number(1, x)...)
	}
	return field(5, cat(d, number(2, 1), field(8, []byte("w")), cat(rest...)))
}

func entry(k, v string) []byte {
	return field(13, cat(field(1, []byte(k)), field(2, []byte(v))))
}

func external(location string, pairs ...string) []byte {
	b := cat(number(14, 1), entry("location", location))
	for i := 0; i+1 < len(pairs); i += 2 {
		b = append(b, entry(pairs[i], pairs[i+1])...)
	}
	return b
}

func ioInfo(num protowire.Number, name string) []byte {
	dim := field(1, number(1, 4))
	return field(num, cat(field(1, []byte(name)), field(2, field(1, cat(number(1, 1), field(2, dim))))))
}

// around is a graph that computes y = Relu(x) and has further fields.
func around(rest ...[]byte) []byte {
	node := field(1, cat(field(1, []byte("x")), field(2, []byte("y")), field(4, []byte("Relu"))))
	return cat(node, field(2, []byte("g")), cat(rest...), ioInfo(11, "x"), ioInfo(12, "y"))
}

// matryoshka nests depth messages: level gives the fields of one that come
// before the inner one, and the numbers of the fields around it, inner first.
func matryoshka(depth int, before []byte, around ...protowire.Number) []byte {
	prefixes := make([][]byte, 0, depth*len(around))
	size := 0
	for range depth {
		for i, num := range around {
			p := protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), uint64(size))
			if i == 0 {
				p = append(bytes.Clone(before), p...)
			}
			prefixes = append(prefixes, p)
			size += len(p)
		}
	}
	out := make([]byte, 0, size)
	for i := len(prefixes) - 1; i >= 0; i-- {
		out = append(out, prefixes[i]...)
	}
	return out
}

// nested is a graph inside an attribute of a node inside a graph, depth times.
func nested(depth int) []byte {
	return matryoshka(depth, cat(field(1, []byte("then_branch")), number(20, 5)), 6, 5, 1)
}

// deepType is a value_info whose type is a sequence of sequences, depth times.
func deepType(depth int) []byte {
	return field(13, cat(field(1, []byte("v")), field(2, matryoshka(depth, nil, 1, 4))))
}

// hostileModels end in exit 3 with one message.
func hostileModels() map[string][]byte {
	huge := uint64(1) << 40
	return map[string][]byte{
		"graphs nested 20,000 deep":    onnxFile(nested(20000)),
		"types nested 50,000 deep":     onnxFile(around(deepType(50000))),
		"dims that overflow":           onnxFile(around(tensorOf([]uint64{huge, huge}, field(9, []byte{0, 0, 0, 0})))),
		"dims of 2^62 elements":        onnxFile(around(tensorOf([]uint64{1 << 31, 1 << 31}, field(9, []byte{0, 0, 0, 0})))),
		"negative dims":                onnxFile(around(tensorOf([]uint64{^uint64(0)}, field(9, []byte{0, 0, 0, 0})))),
		"content of another length":    onnxFile(around(tensorOf([]uint64{100}, field(9, []byte{0, 0, 0, 0})))),
		"external data above":          onnxFile(around(tensorOf([]uint64{1}, external("../secret", "offset", "0", "length", "4")))),
		"external data, absolute path": onnxFile(around(tensorOf([]uint64{1}, external("/etc/passwd", "offset", "0", "length", "4")))),
		"external data behind the end": onnxFile(around(tensorOf([]uint64{1}, external("weights", "offset", "4096", "length", "4")))),
		"external data, offset 2^63":   onnxFile(around(tensorOf([]uint64{1}, external("weights", "offset", "9223372036854775807", "length", "4")))),
		"external data by a link":      onnxFile(around(tensorOf([]uint64{1}, external("link", "offset", "0", "length", "4")))),
		"external data, a folder":      onnxFile(around(tensorOf([]uint64{1}, external(".", "offset", "0", "length", "4")))),
		"external data that overlaps": onnxFile(around(tensorOf([]uint64{2}, external("weights", "offset", "0", "length", "8")),
			field(5, cat(number(1, 2), number(2, 1), field(8, []byte("w2")), external("weights", "offset", "4", "length", "8"))))),
		"two initializers of one name": onnxFile(around(tensorOf([]uint64{1}, field(9, make([]byte, 4))), tensorOf([]uint64{1}, field(9, make([]byte, 4))))),
		"a field longer than the file": cat(onnxFile(around()), []byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x07}),
		"random bytes":                 bytes.Repeat([]byte{0x3a, 0x9f, 0x00, 0xe1, 0x7c}, 2000),
	}
}

// Hostile files end in exit 3 with one message, in bounded memory and time, whatever the command.
func TestHostileModels(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, "model", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("../secret", []byte("abcd"))
	write("weights", make([]byte, 16))
	if err := os.Symlink("../secret", filepath.Join(dir, "model", "link")); err != nil {
		t.Fatal(err)
	}
	for name, content := range hostileModels() {
		path := write("m.onnx", content)
		for _, args := range [][]string{{"check", path}, {"-p", "cleanup", path, "-o", filepath.Join(dir, "out.onnx")}, {"dump", path, "-o", filepath.Join(dir, "out.txt")}} {
			if args[0] == "dump" && !unreadable(name) {
				continue // the text form shows invalid models too
			}
			refuses(t, name, 3, args...)
		}
		if _, err := os.Stat(filepath.Join(dir, "out.onnx")); err == nil {
			t.Fatalf("%s: an output was written", name)
		}
	}
}

// unreadable says whether the file cannot be read at all, as opposed to being an invalid model.
func unreadable(name string) bool {
	for _, w := range []string{"nested", "external", "longer", "random", "another length", "overflow", "elements"} {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// refuses runs the command and requires an exit code, a message, and bounded memory and time.
func refuses(t *testing.T, name string, code int, args ...string) {
	t.Helper()
	cmd := exec.Command(installed(t), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		t.Errorf("%s: onnxpass %s: %v, want exit %d\n%s", name, args[0], err, code, stderr.String())
		return
	}
	if n := strings.Count(stderr.String(), "error[OP"); n < 1 || n > 3 || strings.Contains(stderr.String(), "goroutine") {
		t.Errorf("%s: %d messages\n%s", name, n, stderr.String())
	}
	if d := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); d > 10*time.Second {
		t.Errorf("%s: took %v of CPU", name, d)
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && u.Maxrss > 400<<10 {
		t.Errorf("%s: used %d MiB", name, u.Maxrss>>10)
	}
}

// bomb is an .npz whose member unpacks to far more than it says or should.
func bomb(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("x.npy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 4), }", nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Hostile samples end in exit 6.
func TestHostileSamples(t *testing.T) {
	if runtimeLibrary() == "" {
		t.Skip("needs ONNX Runtime (make runtime)")
	}
	t.Setenv("ONNXPASS_ORT_LIB", runtimeLibrary())
	dir := t.TempDir()
	model := filepath.Join(dir, "m.onnx")
	if err := os.WriteFile(model, onnxFile(around()), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"huge.npy":    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }", nil),
		"big.npy":     npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1000000000), }", make([]byte, 64)),
		"minus.npy":   npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }", make([]byte, 16)),
		"object.npy":  npy("{'descr': '|O', 'fortran_order': False, 'shape': (4,), }", make([]byte, 64)),
		"header.npy":  []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{"),
		"bomb.npz":    bomb(t),
		"text.npz":    []byte("PK\x03\x04 not really"),
		"picture.png": []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\x00\x00\x00"),
		"empty.npy":   {},
		"third.npy":   npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), }", append(make([]byte, 32), bytes.Repeat([]byte{0, 0, 0xc0, 0x7f}, 8)...)),
		"nan.npy":     npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }", bytes.Repeat([]byte{0, 0, 0xc0, 0x7f}, 4)),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		refuses(t, name, 6, "verify", model, "--against", "../../testdata/models/fashion_resnet.onnx", "-d", path)
		out := filepath.Join(dir, "out", "out.onnx")
		refuses(t, fmt.Sprint(name, " for quant"), 6, "-p", "quant", model, "-d", path, "-o", out)
		if left, _ := os.ReadDir(filepath.Dir(out)); len(left) > 0 {
			t.Fatalf("%s: %s was written", name, left[0].Name())
		}
	}
}
