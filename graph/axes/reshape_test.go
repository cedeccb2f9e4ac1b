package axes

import (
	"testing"

	"pgregory.net/rapid"
)

// components finds, by looking at every element, which indices of axis k of dims
// in and of axis m of dims out must be removed together: those that share an element.
func components(in, out []int64, k, m int) (ins, outs []int, count int) {
	parent := make([]int, in[k]+out[m])
	for i := range parent {
		parent[i] = i
	}
	var root func(int) int
	root = func(x int) int {
		if parent[x] != x {
			parent[x] = root(parent[x])
		}
		return parent[x]
	}
	total := int64(1)
	for _, d := range in {
		total *= d
	}
	si, so := strides(in), strides(out)
	for f := range total {
		parent[root(int(f/si[k]%in[k]))] = root(int(in[k] + f/so[m]%out[m]))
	}
	number := map[int]int{}
	label := func(x int) int {
		r := root(x)
		if _, ok := number[r]; !ok {
			number[r] = len(number)
		}
		return number[r]
	}
	for i := range in[k] {
		ins = append(ins, label(int(i)))
	}
	for x := range out[m] {
		outs = append(outs, label(int(in[k]+x)))
	}
	return ins, outs, len(number)
}

// The formula for two axes of a reshape gives exactly the classes that looking at every element gives.
func TestLinksAreTheTrueRelation(t *testing.T) {
	coupled := 0
	rapid.Check(t, func(r *rapid.T) {
		factors := rapid.SliceOfN(rapid.SampledFrom([]int64{1, 2, 2, 2, 3, 3, 4, 5, 6}), 1, 5).Draw(r, "factors")
		in := merge(r, factors, "in")
		out := merge(r, rapid.Permutation(factors).Draw(r, "order"), "out")
		found := map[[2]int]link{}
		for _, l := range links(in, out) {
			found[[2]int{l.in, l.out}] = l
		}
		for k := range in {
			for m := range out {
				ins, outs, n := components(in, out, k, m)
				l, ok := found[[2]int{k, m}]
				if ok != (n > 1) || ok && l.classes != int64(n) {
					r.Fatalf("%v to %v, axes %d and %d: %d classes, the formula says %+v", in, out, k, m, n, l)
				}
				if !ok {
					continue
				}
				coupled++
				name := map[int64]int{}
				for i, c := range ins {
					check(r, name, l.inClass(int64(i)), c)
				}
				for x, c := range outs {
					check(r, name, l.outClass(int64(x)), c)
				}
			}
		}
	})
	if coupled == 0 {
		t.Error("no axes were coupled")
	}
}

func check(r *rapid.T, name map[int64]int, formula int64, truth int) {
	if want, ok := name[formula]; ok && want != truth {
		r.Fatalf("class %d holds indices of classes %d and %d", formula, want, truth)
	}
	name[formula] = truth
}

// merge multiplies neighbouring factors at random.
func merge(r *rapid.T, factors []int64, label string) []int64 {
	dims := []int64{factors[0]}
	for _, f := range factors[1:] {
		if rapid.Bool().Draw(r, label) {
			dims[len(dims)-1] *= f
		} else {
			dims = append(dims, f)
		}
	}
	return dims
}

func TestStridesOfHostileSizes(t *testing.T) {
	for _, dims := range [][]int64{{1 << 40, 1 << 40}, {0, 3}, {-1}, {1 << 62, 4}} {
		if s := strides(dims); s != nil {
			t.Errorf("strides of %v: %v", dims, s)
		}
	}
	if got := links([]int64{1 << 31, 1 << 30}, []int64{1 << 30, 1 << 31}); len(got) == 0 {
		t.Error("large sizes that fit are not linked")
	}
}
