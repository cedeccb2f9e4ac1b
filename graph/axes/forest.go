package axes

// forest is a union-find over atoms. The root of a class carries the number of
// its members, the first reason for which the class must stay, and flags.
type forest struct {
	parent []int32 // of a root: minus the number of members
	why    []int32 // at roots: 1 + index of the first reason; 0: may be removed
	flags  []flag  // at roots
}

// flag says what role the atoms of a class have somewhere.
type flag uint8

// The roles that the choice of carriers and of states asks for.
const (
	batched flag = 1 << iota // indexes the matrices of a product of two activations
	hidden                   // a unit of a recurrent layer
)

// grow adds n classes of one atom each and returns the first atom.
func (f *forest) grow(n int) int32 {
	first := int32(len(f.parent))
	for range n {
		f.parent = append(f.parent, -1)
		f.why = append(f.why, 0)
		f.flags = append(f.flags, 0)
	}
	return first
}

// root is the representative of x's class.
func (f *forest) root(x int32) int32 {
	for f.parent[x] >= 0 {
		if p := f.parent[x]; f.parent[p] >= 0 {
			f.parent[x] = f.parent[p]
		}
		x = f.parent[x]
	}
	return x
}

// join makes one class of those of x and y.
func (f *forest) join(x, y int32) {
	x, y = f.root(x), f.root(y)
	if x == y {
		return
	}
	if f.parent[x] > f.parent[y] || f.parent[x] == f.parent[y] && x > y {
		x, y = y, x
	}
	f.parent[x] += f.parent[y]
	f.parent[y] = x
	f.flags[x] |= f.flags[y]
	if w := f.why[y]; w != 0 && (f.why[x] == 0 || w < f.why[x]) {
		f.why[x] = w
	}
}

// frozen tells whether the class of x must stay.
func (f *forest) frozen(x int32) bool { return f.why[f.root(x)] != 0 }
