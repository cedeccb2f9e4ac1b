//go:build !onnxpass_noexec && linux

package ort

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// fakeLibrary builds a library with the entry point of ONNX Runtime that
// claims a version and offers no API.
func fakeLibrary(t *testing.T, version string) string {
	t.Helper()
	cc := compiler()
	if cc == "" {
		t.Skip("needs a C compiler")
	}
	dir := t.TempDir()
	src, lib := filepath.Join(dir, "old.c"), filepath.Join(dir, "libonnxruntime.so")
	write(t, src, `
static const void *get_api(unsigned v) { (void)v; return 0; }
static const char *version(void) { return "`+version+`"; }
static const struct { const void *(*a)(unsigned); const char *(*v)(void); } base = { get_api, version };
const void *OrtGetApiBase(void) { return &base; }
`)
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", lib, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return lib
}

func TestTooOld(t *testing.T) {
	_, err := Load(fakeLibrary(t, "1.10.0"))
	wantCode(t, err, "OP6203", "1.10.0")
	_, err = Load(fakeLibrary(t, "1.99.0"))
	wantCode(t, err, "OP6203", "API version 18")
}
