package all

import (
	"go/build"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/onnxpass/onnxpass/"

// rank orders the rooms: a package imports only packages of a lower rank, or
// of its own room where the table says so. The longest prefix counts.
var rank = []struct {
	prefix string
	rank   int
	within bool // may import packages of the same rank
}{
	{"cmd/", 90, true},
	{"passes/all", 80, false},
	{"passes/target", 50, false},
	{"passes/layerwise", 50, false},
	{"passes/weights/kmeans", 48, false},
	{"passes/weights", 55, false},
	{"passes/weights/palette", 56, false},
	{"passes/opset", 65, false}, // other passes raise the model with it when their nodes need that
	{"passes/", 70, false},      // passes never import each other
	{"passes", 60, false},
	{"calib/openvino", 45, false},
	{"calib/ort", 45, false},
	{"calib/ort/orttest", 46, false},
	{"calib/sample", 45, false},
	{"calib/probe", 45, false},
	{"calib/runtimelib", 35, false},
	{"calib/observe", 35, false},
	{"calib", 40, false},
	{"graph/verify", 32, false},
	{"graph/cost", 32, false},
	{"graph/region", 32, false},
	{"graph/axes", 32, false},
	{"graph/graphtest", 31, false},
	{"graph/infer", 25, false},
	{"graph", 30, false},
	{"onnx/text", 20, false},
	{"onnx/diag", 1, false},
	{"onnx/dtype", 2, false},
	{"onnx/schema", 20, true},
	{"onnx/internal", 2, true},
	{"onnx", 10, false},
	{"testdata/", 95, true},
}

// outside are the modules that a library room may import, besides the standard library.
var outside = []struct{ room, module string }{
	{"onnx", "google.golang.org/protobuf/encoding/protowire"},
	{"onnx", "golang.org/x/sys"},
	{"calib", "github.com/ebitengine/purego"},
	{"calib", "golang.org/x/sys"},
	{"calib", "golang.org/x/image"},
	{"calib", "gorgonia.org/tensor"},
	{"calib", "github.com/owulveryck/onnx-go"},
	{"calib", "go4.org/unsafe/assume-no-moving-gc"},
	{"passes", "gorgonia.org/tensor"},
	{"passes", "gonum.org/v1/gonum"},
	{"passes", "go4.org/unsafe/assume-no-moving-gc"},
}

func place(path string) (int, bool, bool) {
	best := -1
	for i, r := range rank {
		exact := strings.HasSuffix(r.prefix, "/")
		match := path == r.prefix || strings.HasPrefix(path, strings.TrimSuffix(r.prefix, "/")+"/")
		if exact && path == strings.TrimSuffix(r.prefix, "/") {
			match = false
		}
		if match && (best < 0 || len(r.prefix) > len(rank[best].prefix)) {
			best = i
		}
	}
	if best < 0 {
		return 0, false, false
	}
	return rank[best].rank, rank[best].within, true
}

// Imports point one way: cmd -> passes/all -> passes/x -> passes, passes/target
// -> calib -> graph -> graph/infer -> onnx.
func TestImportDirection(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata" && path != filepath.Join(root, "testdata") {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, build.ImportComment)
		if err != nil {
			return nil // no Go files for this platform
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		seen++
		checkImports(t, filepath.ToSlash(rel), pkg.Imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 15 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

func checkImports(t *testing.T, from string, imports []string) {
	t.Helper()
	own, within, ok := place(from)
	if !ok {
		t.Errorf("package %s has no place in the table", from)
		return
	}
	for _, imp := range imports {
		to, inside := strings.CutPrefix(imp, module)
		if !inside {
			if strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") && !strings.HasPrefix(from, "cmd/") && !strings.HasPrefix(from, "testdata/") && !allowed(from, imp) {
				t.Errorf("%s imports %s: library rooms stay free of other modules", from, imp)
			}
			continue
		}
		theirs, _, ok := place(to)
		if !ok || theirs > own || theirs == own && !within {
			t.Errorf("%s imports %s, which is against the direction", from, to)
		}
	}
}

func allowed(from, imp string) bool {
	return slices.ContainsFunc(outside, func(o struct{ room, module string }) bool {
		return (from == o.room || strings.HasPrefix(from, o.room+"/")) && (imp == o.module || strings.HasPrefix(imp, o.module+"/"))
	})
}
