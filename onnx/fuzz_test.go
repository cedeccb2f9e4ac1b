package onnx_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxpass/onnxpass/onnx"
)

// FuzzDecode: any input is read or refused; what is read can be written, and
// from then on nothing changes any more.
func FuzzDecode(f *testing.F) {
	f.Add(write(f, small(1))[:64])
	f.Add(write(f, generatedNodes(5)))
	f.Add(withTensor(header(onnx.Int64, 2).packed(7, 1, 2)))
	f.Add(withTensor(header(onnx.String, 1).str(6, "s")))
	f.Add(withTensor(header(onnx.Complex64, 1).fixed32(4, 1).fixed32(4, 2)))
	f.Add(withTensor(outside("a", 1, "location", "w.data")))
	f.Add(around(proto{}.bytes(1, proto{}.str(4, "If").bytes(5, proto{}.bytes(6, proto{}.str(2, "body")).varint(20, 5)))))
	f.Add(around(proto{}.bytes(11, proto{}.bytes(2, proto{}.bytes(9, proto{}.bytes(1, proto{}.bytes(4, nil)))))))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := onnx.Decode(b)
		if err != nil {
			return
		}
		first := write(t, m)
		back, err := onnx.Decode(first)
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if d := cmp.Diff(m, back, sameModel...); d != "" {
			t.Fatal(d)
		}
		if !bytes.Equal(first, write(t, back)) {
			t.Fatal("the second writing differs")
		}
	})
}

// FuzzExternalPath: whatever location, offset and length a model claims, no
// byte of a file outside its folder is read.
func FuzzExternalPath(f *testing.F) {
	for _, location := range []string{"w.data", "../secret", "/etc/passwd", "sub/../../secret", "link", "sub/link", "./w.data", `..\secret`,
		"w.data\x00", ".", "", "sub", "C:\\secret", "link/secret", "//w.data", "hard", "loop"} {
		f.Add(location, "0", "4")
	}
	f.Add("w.data", "-1", "4")
	f.Add("w.data", "9223372036854775807", "4")
	f.Add("w.data", "1", "")
	root := f.TempDir()
	inside := filepath.Join(root, "model")
	secret := []byte("SECRETSECRETSECRET")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(inside, "sub"), 0o755),
		os.WriteFile(filepath.Join(root, "secret"), secret, 0o644),
		os.WriteFile(filepath.Join(inside, "w.data"), []byte("0123456789"), 0o644),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	// Where links cannot be made their cases are ordinary missing files.
	_ = os.Symlink("../secret", filepath.Join(inside, "link"))
	_ = os.Symlink(root, filepath.Join(inside, "sub", "link"))
	_ = os.Symlink("loop", filepath.Join(inside, "loop"))
	_ = os.Link(filepath.Join(root, "secret"), filepath.Join(inside, "hard"))
	f.Fuzz(func(t *testing.T, location, offset, length string) {
		b := withTensor(outside("a", 1, "location", location, "offset", offset, "length", length))
		m, err := onnx.Decode(b, onnx.DataFolder(inside))
		if err != nil {
			return
		}
		defer func() { _ = m.Close() }()
		raw, err := m.Graph.Initializer[0].Data.Bytes()
		if err != nil {
			return
		}
		if len(raw) != 4 || strings.ContainsAny(string(raw), "SECRT") || !bytes.Contains([]byte("0123456789"), raw) {
			t.Fatalf("location %q gave %q", location, raw)
		}
	})
}
