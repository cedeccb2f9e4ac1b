package onnx_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxpass/onnxpass/onnx"
)

func small(fill byte) *onnx.Model {
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: &onnx.Graph{Name: "g",
		Initializer: []*onnx.Tensor{onnx.NewTensor(onnx.Uint8, []int64{6000}, bytes.Repeat([]byte{fill}, 6000))}}}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestSaveChecked: the check sees a complete model under a name that ends like
// the final one, and its refusal leaves the folder as it was.
func TestSaveChecked(t *testing.T) {
	for _, mode := range []onnx.ExternalMode{onnx.ExternalNever, onnx.ExternalAlways} {
		dir := t.TempDir()
		out := filepath.Join(dir, "m.onnx")
		file(t, out, []byte("old"))
		refuse := errors.New("refused")
		m := small(1)
		err := onnx.Save(out, m, onnx.SaveOptions{External: mode, Check: func(tmp string) error {
			back := open(t, tmp)
			if d := cmp.Diff(m, back, sameModel...); d != "" {
				t.Error(d)
			}
			if filepath.Base(tmp) != "m.onnx" {
				t.Errorf("checked as %s", tmp)
			}
			return refuse
		}})
		if !errors.Is(err, refuse) {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(out); string(b) != "old" {
			t.Error("the old file was touched")
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("left behind: %v", got)
		}
	}
}

func TestSaveFailures(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "m.onnx")
	cause := errors.New("no weights today")
	for name, d := range map[string]onnx.Data{
		"error": onnx.Lazy(6000, func() ([]byte, error) { return nil, cause }),
		"short": onnx.Lazy(6000, func() ([]byte, error) { return make([]byte, 5999), nil }),
		"small": onnx.Lazy(10, func() ([]byte, error) { return nil, cause }),
		"size":  onnx.RawBytes(make([]byte, 5999)),
	} {
		m := small(1)
		m.Graph.Initializer[0].Data = d
		m.Graph.Initializer[0].Name = "the weight"
		if name == "small" {
			m.Graph.Initializer[0].Dims = []int64{10}
		}
		for _, mode := range []onnx.ExternalMode{onnx.ExternalNever, onnx.ExternalAlways} {
			err := onnx.Save(out, m, onnx.SaveOptions{External: mode})
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte("the weight")) {
				t.Errorf("%s: %v", name, err)
			}
			if got := names(t, dir); len(got) > 0 {
				t.Fatalf("%s left behind: %v", name, got)
			}
		}
	}
	wantCode(t, onnx.Save(dir, small(1), onnx.SaveOptions{}), "OP3032")
	if err := onnx.Save(filepath.Join(dir, "no", "m.onnx"), small(1), onnx.SaveOptions{}); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

// TestSaveInPlace replaces the file that the model is a window of.
func TestSaveInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := onnx.Save(path, small(1), onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	m := open(t, path)
	m.Graph.Name = "renamed"
	if err := onnx.Save(path, m, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o640 {
		t.Errorf("permissions changed: %v %v", st.Mode(), err)
	}
	if d := cmp.Diff(m, open(t, path), sameModel...); d != "" {
		t.Error(d)
	}
}

// TestSaveOverInput: the data file of the input is never the output, under any
// name; a foreign model with its data file is replaced as a pair.
func TestSaveOverInput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	external := onnx.SaveOptions{External: onnx.ExternalAlways}
	if err := onnx.Save(path, small(1), external); err != nil {
		t.Fatal(err)
	}
	m := open(t, path)
	wantCode(t, onnx.Save(path, m, external), "OP3031")
	wantCode(t, onnx.Save(path+".data", m, onnx.SaveOptions{}), "OP3031")

	other := filepath.Join(dir, "other.onnx")
	if err := onnx.Save(other, small(2), external); err != nil {
		t.Fatal(err)
	}
	if err := onnx.Save(other, m, external); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, open(t, other), sameModel...); d != "" {
		t.Error(d)
	}
	if got := names(t, dir); len(got) != 4 {
		t.Errorf("in the folder: %v", got)
	}
	// Weights come inside over the input itself; its data file stays as it is.
	if err := onnx.Save(path, m, onnx.SaveOptions{External: onnx.ExternalNever}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path + ".data"); err != nil || st.Size() != 6000 {
		t.Errorf("data file of the input: %v %v", st, err)
	}
}

// TestShrinkingInput: a file that is cut while it is open is an error and not a fault.
func TestShrinkingInput(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are not mapped on Windows")
	}
	for _, mode := range []onnx.ExternalMode{onnx.ExternalNever, onnx.ExternalAlways} {
		path := filepath.Join(t.TempDir(), "m.onnx")
		if err := onnx.Save(path, generated(layer), onnx.SaveOptions{External: mode}); err != nil {
			t.Fatal(err)
		}
		m := open(t, path)
		w := m.Graph.Initializer[0]
		held, err := w.Data.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		_ = held[len(held)-1]
		victim := path
		if mode == onnx.ExternalAlways {
			victim += ".data"
		}
		if err := os.Truncate(victim, 100); err != nil {
			t.Fatal(err)
		}
		_, err = w.Data.Bytes()
		wantCode(t, err, "OP3027")
		_, err = w.Float32s()
		wantCode(t, err, "OP3027")
		wantCode(t, onnx.Save(path+".new", m, onnx.SaveOptions{}), "OP3027")
		wantCode(t, onnx.Write(&bytes.Buffer{}, m), "OP3027")
	}
}

func TestClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := onnx.Save(path, small(1), onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	m := open(t, path)
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Graph.Initializer[0].Data.Bytes(); err == nil {
		t.Error("read after Close")
	}
	if err := onnx.Write(&bytes.Buffer{}, m); err == nil {
		t.Error("written after Close")
	}
	if err := small(1).Close(); err != nil {
		t.Error(err)
	}
}
