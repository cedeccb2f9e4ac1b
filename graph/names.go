package graph

import "strconv"

// family is the name table that a main graph (or a function body) shares with
// everything nested in it: how often each name is taken, so that a new name
// is free in every scope.
type family struct {
	values map[string]int // value names, slot names, names in dangling value_info
	nodes  map[string]int
	next   map[string]int // last suffix tried for a value hint; node hints carry a leading NUL
}

func newFamily(size int) *family {
	return &family{
		values: make(map[string]int, size),
		nodes:  make(map[string]int, size),
		next:   map[string]int{},
	}
}

func (f *family) release(name string) {
	if f.values[name]--; f.values[name] <= 0 {
		delete(f.values, name)
	}
}

// fresh is a free value name made from hint. It does not take the name.
func (f *family) fresh(hint, otherwise string) string {
	if hint == "" {
		hint = otherwise
	}
	return free(f.values, f.next, hint, "")
}

// freshNode is a free node name made from hint. It does not take the name.
func (f *family) freshNode(hint, otherwise string) string {
	if hint == "" {
		hint = otherwise
	}
	return free(f.nodes, f.next, hint, "\x00")
}

func free(taken, next map[string]int, hint, space string) string {
	if taken[hint] == 0 {
		return hint
	}
	for i := next[space+hint] + 1; ; i++ {
		name := hint + "_" + strconv.Itoa(i)
		if taken[name] == 0 {
			next[space+hint] = i
			return name
		}
	}
}
