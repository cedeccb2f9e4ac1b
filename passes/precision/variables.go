package precision

// A variable is the float type of some values and uses that must agree: 0 is
// always float32, 1 always the 16-bit type, the others are to be decided.
type variable int

const (
	float32Type variable = 0
	lowType     variable = 1
	either      variable = -1 // of a use that reads both types alike
)

// variables is a union-find forest with the cost of leaving each class in float32.
type variables struct {
	parent []variable
	cost   []int64
}

func newVariables() *variables {
	return &variables{parent: []variable{float32Type, lowType}, cost: []int64{0, 0}}
}

// add makes a variable that costs so much when it ends up as float32.
func (vs *variables) add(cost int64) variable {
	vs.parent = append(vs.parent, variable(len(vs.parent)))
	vs.cost = append(vs.cost, cost)
	return variable(len(vs.parent) - 1)
}

// find is the representative of the variables that are equal to v.
func (vs *variables) find(v variable) variable {
	for vs.parent[v] != v {
		vs.parent[v] = vs.parent[vs.parent[v]]
		v = vs.parent[v]
	}
	return v
}

// join makes two variables equal. Float32 prevails: it is always possible.
func (vs *variables) join(a, b variable) {
	a, b = vs.find(a), vs.find(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
	}
	if a == lowType {
		a, b = b, a // what another variable fixes is decided by it: a 16-bit output can be cast
	}
	vs.parent[b] = a
	vs.cost[a] += vs.cost[b]
}
