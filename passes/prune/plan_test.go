package prune_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
)

// indices draws channels of layers by name, never all of a pool.
func indices(r *rapid.T, a *axes.Analysis) map[string][]int {
	out := map[string][]int{}
	for _, p := range a.Pools {
		if len(p.Sources) == 0 {
			continue
		}
		s := p.Sources[0]
		n := rapid.IntRange(0, len(p.Classes)-1).Draw(r, "of "+p.Name)
		gone := map[int]bool{}
		for _, k := range rapid.Permutation(p.Classes).Draw(r, "classes of "+p.Name)[:n] {
			gone[k] = true
		}
		for i, k := range a.ClassesOf(s.Weight) {
			if k >= 0 && gone[k] {
				out[s.Node.Label()] = append(out[s.Node.Label()], i)
			}
		}
	}
	return out
}

// Any list of channels can be removed, the pass proves it, the plan that it
// writes gives the same bytes again, and removing nothing is refused.
func TestAnyIndicesReplay(t *testing.T) {
	rt := orttest.Runner(t)
	dir := t.TempDir()
	list, plan := filepath.Join(dir, "list.json"), filepath.Join(dir, "plan.json")
	for _, name := range []string{"fashion_resnet", "fashion_mobilenet", "fashion_vit"} {
		path := "../../testdata/models/" + name + ".onnx"
		a := axes.Analyze(cleaned(t, path), axes.Options{})
		runs := 0
		rapid.Check(t, func(r *rapid.T) {
			if runs++; runs > 5 {
				return
			}
			wanted := indices(r, a)
			text, _ := json.Marshal(wanted)
			if err := os.WriteFile(list, text, 0o600); err != nil {
				r.Fatal(err)
			}
			first := load(t, path)
			report, err := prune(t, rt, first, "prune:compensate=none,indices="+list+",plan-out="+plan)
			if len(wanted) == 0 {
				code(t, err, "OP3501", "")
				return
			}
			if err != nil {
				r.Fatal(err)
			}
			proven := false
			for _, f := range report.Facts {
				proven = proven || strings.HasPrefix(f.Name, "largest difference")
			}
			again := load(t, path)
			_, err = prune(t, nil, again, "prune:compensate=none,verify=false,plan-in="+plan)
			if err != nil || !proven || !bytes.Equal(encode(t, first), encode(t, again)) {
				r.Fatalf("proven %t, the plan gives another file (%v)", proven, err)
			}
		})
	}
}

// One list after another is both at once.
func TestListsCompose(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, lists map[string][]int) string {
		text, _ := json.Marshal(lists)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	both := file("both", map[string][]int{"stage1.conv1": {0, 3, 9, 31}, "stem.conv": {2, 5}})
	one := file("one", map[string][]int{"stage1.conv1": {3, 31}})
	two := file("two", map[string][]int{"stage1.conv1": {0, 8}, "stem.conv": {2, 5}}) // 9 is 8 when 3 is gone
	run := func(m *graph.Model, list string) {
		t.Helper()
		if _, err := prune(t, nil, m, "prune:compensate=none,verify=false,indices="+list); err != nil {
			t.Fatal(err)
		}
	}
	a, b := load(t, resnet), load(t, resnet)
	run(a, both)
	run(b, one)
	run(b, two)
	if !bytes.Equal(encode(t, a), encode(t, b)) {
		t.Error("in one step and in two the files differ")
	}
}
