// Package orttest opens ONNX Runtime for tests.
package orttest

import (
	"errors"
	"testing"

	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Runner is ONNX Runtime until the test ends. Without a library the test is
// skipped; one that is there and cannot be used fails it.
func Runner(t testing.TB) *ort.Runtime {
	t.Helper()
	rt, _, err := ort.Discover(runtimelib.Options{})
	if d := (*diag.Error)(nil); errors.As(err, &d) && d.Code == "OP6201" {
		t.Skip("no ONNX Runtime library (set ONNXPASS_ORT_LIB)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return rt
}
