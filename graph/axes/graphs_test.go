package axes_test

import (
	"flag"
	"fmt"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/graph/graphtest"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx/text"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

// parse reads a model in text form.
func parse(t testing.TB, src string) *graph.Model {
	t.Helper()
	m := graphtest.Parse(t, src)
	if err := verify.Model(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// archives calls test with every archive of testdata.
func archives(t *testing.T, test func(t *testing.T, file string, a *txtar.Archive)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { test(t, f, a) })
	}
}

// describe says what an analysis found: pools with the axes that their classes touch, and what stays.
func describe(a *axes.Analysis) string {
	var b strings.Builder
	for _, p := range a.Pools {
		fmt.Fprintf(&b, "%s: %d classes of", p.Name, len(p.Classes))
		for _, t := range p.Touches {
			fmt.Fprintf(&b, " %s.%d", t.Value.Name(), t.Axis.Axis)
			if t.Each > 1 {
				fmt.Fprintf(&b, "x%d", t.Each)
			}
		}
		b.WriteByte('\n')
	}
	for _, f := range a.Frozen {
		fmt.Fprintf(&b, "%s: %d stay, %s\n", f.Name, f.Width, f.Reason)
	}
	return b.String()
}

// The pools of every graph in testdata are those that the archive lists; -update writes them.
func TestPools(t *testing.T) {
	archives(t, func(t *testing.T, file string, a *txtar.Archive) {
		got := describe(axes.Analyze(parse(t, string(a.Files[0].Data)), axes.Options{}))
		if *update {
			a.Files = []txtar.File{a.Files[0], {Name: "pools", Data: []byte(got)}}
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if len(a.Files) != 2 || string(a.Files[1].Data) != got {
			t.Errorf("got\n%s", got)
		}
	})
}

// Any set of classes can be removed, and what is left computes what the masked model does.
func TestAnyPlan(t *testing.T) {
	rt := orttest.Runner(t)
	archives(t, func(t *testing.T, _ string, ar *txtar.Archive) {
		m := parse(t, string(ar.Files[0].Data))
		samples := []map[string]calib.Array{feed("", calib.InputPorts(m), 1), feed("", calib.InputPorts(m), 2)}
		for heads, most := range map[axes.Heads]int{axes.WholeHeads: 12, axes.HeadDim: 8, axes.NoHeads: 2} {
			runs := 0
			rapid.Check(t, func(r *rapid.T) {
				if runs++; runs > most {
					return // each run loads two models
				}
				work := m.Clone()
				a := axes.Analyze(work, axes.Options{Heads: heads})
				classes := plan(r, a)
				masked, err := a.Mask(classes)
				if err != nil {
					r.Fatal(err)
				}
				if err := a.Cut(classes); err != nil {
					r.Fatal(err)
				}
				if err := verify.Model(work); err != nil {
					r.Fatal(err)
				}
				for _, o := range []calib.Optimization{calib.Exact, calib.Full} {
					if d := difference(t, outputs(t, rt, masked, samples, o), outputs(t, rt, work, samples, o)); !(d <= 1e-4) {
						r.Fatalf("without classes %v the outputs differ by %.3g", classes, d)
					}
				}
			})
		}
	})
}

// plan draws classes of any pool, never all of one.
func plan(r *rapid.T, a *axes.Analysis) []int {
	var out []int
	for _, p := range a.Pools {
		n := rapid.IntRange(0, len(p.Classes)-1).Draw(r, "removed of "+p.Name)
		out = append(out, rapid.Permutation(p.Classes).Draw(r, "classes of "+p.Name)[:n]...)
	}
	return out
}

// Removing some classes and then others is removing all at once, nothing for nothing, and always the same bytes.
func TestRemovalsCompose(t *testing.T) {
	rt := orttest.Runner(t)
	archives(t, func(t *testing.T, _ string, ar *txtar.Archive) {
		m := parse(t, string(ar.Files[0].Data))
		samples := []map[string]calib.Array{feed("", calib.InputPorts(m), 1)}
		runs := 0
		rapid.Check(t, func(r *rapid.T) {
			if runs++; runs > 4 {
				return
			}
			whole, first := m.Clone(), m.Clone()
			a, b := axes.Analyze(whole, axes.Options{}), axes.Analyze(first, axes.Options{})
			if len(a.Pools) == 0 {
				return
			}
			all := plan(r, a)
			part := slices.DeleteFunc(slices.Clone(all), func(k int) bool { return k%2 == 0 })
			if err := a.Cut(all); err != nil {
				r.Fatal(err)
			}
			rest := renumbered(b, part, all)
			if err := b.Cut(part); err != nil {
				r.Fatal(err)
			}
			if err := axes.Analyze(first, axes.Options{}).Cut(rest); err != nil {
				r.Fatal(err)
			}
			if x, y := shape(whole), shape(first); x != y {
				r.Fatalf("in one step\n%s\nin two\n%s", x, y)
			}
			for i, x := range outputs(t, rt, whole, samples, calib.Exact) {
				if y := outputs(t, rt, first, samples, calib.Exact)[i]; !slices.Equal(x, y) {
					r.Fatal("in one step and in two the outputs differ")
				}
			}
			again := m.Clone()
			if err := axes.Analyze(again, axes.Options{}).Cut(all); err != nil || dump(t, again) != dump(t, whole) {
				r.Fatal("the same removal gives another model", err)
			}
			same := m.Clone()
			if err := axes.Analyze(same, axes.Options{}).Cut(nil); err != nil || dump(t, same) != dump(t, m) {
				r.Fatal("removing nothing changes the model", err)
			}
		})
	})
}

// renumbered are the classes of all that are not in part, as numbered after part is gone: classes are numbered by their first atom, and removal keeps that order.
func renumbered(a *axes.Analysis, part, all []int) []int {
	var out []int
	next := 0
	for k := range a.NumClasses() {
		if slices.Contains(part, k) {
			continue
		}
		if slices.Contains(all, k) {
			out = append(out, next)
		}
		next++
	}
	return out
}

// shape lists the operators and the shapes of all values, of constants sorted: copies of shared ones may stand in another order.
func shape(m *graph.Model) string {
	var nodes, constants []string
	for n := range m.Main.All() {
		line := n.Op()
		for _, v := range n.Outs() {
			if v != nil {
				line += " " + v.Type().String()
			}
		}
		nodes = append(nodes, line)
	}
	for _, v := range m.Main.Initializers() {
		constants = append(constants, v.Type().String())
	}
	slices.Sort(constants)
	return strings.Join(append(nodes, constants...), "\n")
}

func dump(t testing.TB, m *graph.Model) string {
	t.Helper()
	proto, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := text.Print(&b, proto, text.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
