package onnx_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

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

func TestKitIdentical(t *testing.T) {
	for _, path := range kitModels(t) {
		m, err := onnx.Open(path)
		if err != nil {
			t.Log(filepath.Base(path), err)
			continue
		}
		var out bytes.Buffer
		if err := onnx.Write(&out, m); err != nil {
			t.Fatal(err)
		}
		in, _ := os.ReadFile(path)
		t.Log(filepath.Base(path), len(in), out.Len(), bytes.Equal(in, out.Bytes()))
		m.Close()
	}
}
