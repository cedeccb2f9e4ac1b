package runtimelib

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// touch makes an empty file with its folders.
func touch(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// alone hides everything of the machine that can be hidden: home, PATH, cache, current folder.
func alone(t *testing.T) (root string, env map[string]string) {
	t.Helper()
	root = t.TempDir()
	t.Setenv("HOME", filepath.Join(root, "home"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(root, "cache"))
	t.Setenv("PATH", filepath.Join(root, "bin"))
	t.Chdir(root)
	return root, map[string]string{}
}

// paths lists the candidates below root, relative to it, with their sources.
func paths(k Kind, root string, o Options) []string {
	var out []string
	for f := range Candidates(k, o) {
		if rel, err := filepath.Rel(root, f.Path); err == nil && !strings.HasPrefix(rel, "..") && f.Path != "" {
			out = append(out, f.Source+": "+filepath.ToSlash(rel))
		}
	}
	return out
}

func TestOrderOfPlaces(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("file names of Linux")
	}
	root, env := alone(t)
	o := Options{Env: func(k string) string { return env[k] }}
	touch(t, root, "cache/onnxpass/onnxruntime-1.9.0/libonnxruntime.so.1.9.0")
	touch(t, root, "cache/onnxpass/onnxruntime-1.32.0/libonnxruntime.so.1.32.0")
	touch(t, root, "sys/libonnxruntime.so.1.20.0")
	touch(t, root, "sys/libonnxruntime.so.1.3.0")
	touch(t, root, "sys/libonnxruntime_providers_shared.so")
	touch(t, root, "venv/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.31.0")
	touch(t, root, "node_modules/onnxruntime-node/bin/napi-v6", nodePlatform(runtime.GOOS, runtime.GOARCH), "libonnxruntime.so.1")
	env["LD_LIBRARY_PATH"], env["VIRTUAL_ENV"] = filepath.Join(root, "sys"), filepath.Join(root, "venv")
	want := []string{
		"cache of runtime install: cache/onnxpass/onnxruntime-1.32.0/libonnxruntime.so.1.32.0",
		"cache of runtime install: cache/onnxpass/onnxruntime-1.9.0/libonnxruntime.so.1.9.0",
		"system: sys/libonnxruntime.so.1.20.0",
		"Python package: venv/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.31.0",
		"Node.js package: node_modules/onnxruntime-node/bin/napi-v6/" + nodePlatform(runtime.GOOS, runtime.GOARCH) + "/libonnxruntime.so.1",
	}
	if d := cmp.Diff(want, paths(ONNXRuntime(), root, o)); d != "" {
		t.Error(d)
	}

	env["ONNXPASS_ORT_LIB"] = touch(t, root, "mine/libonnxruntime.so")
	if got := paths(ONNXRuntime(), root, o); !slices.Equal(got, []string{"ONNXPASS_ORT_LIB: mine/libonnxruntime.so"}) {
		t.Errorf("with the variable: %v", got)
	}
	o.Flag = filepath.Join(root, "sys")
	if got := paths(ONNXRuntime(), root, o); !slices.Equal(got, []string{"--ort-lib: sys/libonnxruntime.so.1.20.0"}) {
		t.Errorf("with a folder as flag: %v", got)
	}
}

func TestAskedButMissing(t *testing.T) {
	root, env := alone(t)
	touch(t, root, "cache/onnxpass/onnxruntime-1.32.0", ONNXRuntime().Files[0])
	o := Options{Flag: filepath.Join(root, "gone.so"), Env: func(k string) string { return env[k] }}
	_, tried, err := Find(ONNXRuntime(), o)
	wantCode(t, err, "OP6201", "gone.so")
	if len(tried) != 1 {
		t.Errorf("went on to look in %v", tried)
	}
}

func TestOpenVINOInSitePackages(t *testing.T) {
	root, env := alone(t)
	name := strings.ReplaceAll(versioned("openvino_c"), "[0-9]*", "2641")
	want := touch(t, root, "venv/lib/python3.11/site-packages/openvino/libs", name)
	env["VIRTUAL_ENV"] = filepath.Join(root, "venv")
	f, _, err := Find(OpenVINO(), Options{Env: func(k string) string { return env[k] }})
	if err != nil || f.Path != want || f.Source != "Python package" {
		t.Errorf("got %+v, %v", f, err)
	}
}

// versioned is the last file name pattern of a library on this platform.
func versioned(base string) string {
	names := fileNames(runtime.GOOS, base)
	return names[len(names)-1]
}

func TestCompareVersions(t *testing.T) {
	sorted := []string{"", "a", "a1", "a1.9.0", "a1.10", "a1.10.0", "a02", "a10", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			c := compareVersions(a, b)
			if (i < j) != (c < 0) || (i == j) != (c == 0) {
				t.Errorf("compareVersions(%q, %q) = %d", a, b, c)
			}
		}
	}
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	d, ok := err.(*diag.Error)
	if !ok || d.Code != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want %s with %q", err, code, text)
	}
}
