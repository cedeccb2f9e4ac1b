//go:build !onnxpass_noexec

package ort

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// load opens ONNX Runtime or skips.
func load(t testing.TB) *Runtime {
	t.Helper()
	rt, _, err := Discover(runtimelib.Options{})
	if d := (*diag.Error)(nil); errors.As(err, &d) && d.Code == "OP6201" {
		t.Skip("no ONNX Runtime library (set ONNXPASS_ORT_LIB)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return rt
}

func openFile(t testing.TB, rt *Runtime, path string, o calib.OpenOptions) calib.Session {
	t.Helper()
	s, err := rt.OpenFile(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var d *diag.Error
	if !errors.As(err, &d) || d.Code != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want %s with %q", err, code, text)
	}
}

func TestLoadFailures(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "libonnxruntime.so"))
	wantCode(t, err, "OP6202", "no such file")
	_, err = Load("ort_test.go")
	wantCode(t, err, "OP6202", "ort_test.go")
}

func TestOffers(t *testing.T) {
	for v, want := range map[string]bool{"1.17.3": false, "1.18.0": true, "1.32.0": true, "2.0.0": true, "0.5.0": false, "main": true} {
		if offers(v, 18) != want {
			t.Errorf("offers(%q) = %v", v, !want)
		}
	}
}

func TestElementNumbersRoundTrip(t *testing.T) {
	for k := onnx.Undefined; k <= onnx.Int2; k++ {
		if fromORT(int32(toORT(k))) != k {
			t.Errorf("%v does not come back", k)
		}
	}
}
