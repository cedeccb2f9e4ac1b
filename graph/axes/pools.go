package axes

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
)

// Pool is a set of classes that touch the same axes in the same way, such as all
// channels of one stage of a residual network, or the heads of one attention layer.
type Pool struct {
	Name    string // of the first node that produces its channels
	Classes []int  // by number, in the order of the channels
	Touches []Touch
	Sources []Source
}

// Touch says how many atoms of an axis one class of a pool has.
type Touch struct {
	Axis
	Each int // atoms of one class
	Size int // of the whole axis
}

// Source is a node that makes the channels of a pool from an axis of its weights.
type Source struct {
	Node   *graph.Node
	Weight Axis
}

// Frozen is a group of channels of a layer with weights that must stay.
type Frozen struct {
	Name   string
	Weight Axis // of the first layer that makes the channels
	Width  int  // how many of the axis
	Reason Reason
}

// collect lists the classes that are not frozen, pool by pool.
func (a *Analysis) collect() {
	s := a.space
	class := make([]int32, len(s.parent)) // of each root: 1 + number; 0: none
	for x := range int32(len(s.parent)) {
		if r := s.root(x); s.why[r] == 0 && class[r] == 0 {
			a.classes = append(a.classes, r)
			class[r] = int32(len(a.classes))
		}
	}
	a.offset = make([]int32, len(a.classes)+1)
	for k, r := range a.classes {
		a.offset[k+1] = a.offset[k] - s.parent[r]
	}
	a.members = make([]int32, a.offset[len(a.classes)])
	next := slices.Clone(a.offset)
	for x := range int32(len(s.parent)) {
		if k := class[s.root(x)]; k != 0 {
			a.members[next[k-1]] = x
			next[k-1]++
		}
	}
	a.class = class
	a.gather()
	a.name(class)
	a.refused(class)
}

// atoms are the members of class k, ascending.
func (a *Analysis) atoms(k int) []int32 { return a.members[a.offset[k]:a.offset[k+1]] }

// gather makes pools of the classes with equal signatures.
func (a *Analysis) gather() {
	pools := map[string]int{}
	var sign []byte
	for k := range a.classes {
		touches := a.touches(k)
		sign = sign[:0]
		for _, t := range touches {
			sign = binary.LittleEndian.AppendUint32(sign, uint32(t.axis))
			sign = binary.LittleEndian.AppendUint32(sign, uint32(t.count))
		}
		p, ok := pools[string(sign)]
		if !ok {
			p = len(a.Pools)
			pools[string(sign)] = p
			a.Pools = append(a.Pools, Pool{Touches: a.public(touches)})
		}
		a.Pools[p].Classes = append(a.Pools[p].Classes, k)
	}
}

type touch struct {
	axis  axis
	count int32
}

// touches are the axes of the atoms of class k, in order, with how many it has there.
func (a *Analysis) touches(k int) []touch {
	s := a.space
	var out []touch
	for _, x := range a.atoms(k) {
		at := s.axisOf(x)
		if len(out) > 0 && out[len(out)-1].axis == at {
			out[len(out)-1].count++
			continue
		}
		out = append(out, touch{at, 1})
	}
	return out
}

// axisOf is the axis of atom x.
func (s *space) axisOf(x int32) axis {
	i, found := slices.BinarySearch(s.start, x)
	if !found {
		i--
	}
	return axis(i)
}

func (a *Analysis) public(list []touch) []Touch {
	var out []Touch
	for _, t := range list {
		v, i := a.space.place(t.axis)
		out = append(out, Touch{Axis{v, i}, int(t.count), int(a.space.width[t.axis])})
	}
	return out
}

// name finds the nodes that make the channels of each pool. A pool is called
// after the first of them, or after the first tensor when no weights make it.
func (a *Analysis) name(class []int32) {
	pool := make([]int, len(a.classes))
	for p := range a.Pools {
		for _, k := range a.Pools[p].Classes {
			pool[k] = p
		}
	}
	for _, src := range a.sources {
		v, i := a.space.place(src.axis)
		last := -1
		for x := a.space.start[src.axis]; x < a.space.start[src.axis]+a.space.width[src.axis]; x++ {
			k := class[a.space.root(x)]
			if k == 0 || pool[k-1] == last {
				continue
			}
			last = pool[k-1]
			sources := &a.Pools[last].Sources
			if made := (Source{src.node, Axis{v, i}}); !slices.Contains(*sources, made) {
				*sources = append(*sources, made)
			}
		}
	}
	taken := map[string]int{}
	for i := range a.Pools {
		p := &a.Pools[i]
		p.Name = p.Touches[0].Value.Name()
		if len(p.Sources) > 0 {
			p.Name = p.Sources[0].Node.Label()
		}
		if taken[p.Name]++; taken[p.Name] > 1 {
			p.Name = fmt.Sprintf("%s#%d", p.Name, taken[p.Name])
		}
	}
}

// refused lists, for each node that produces channels, those that stay, by reason.
func (a *Analysis) refused(class []int32) {
	s := a.space
	for _, src := range a.sources {
		v, i := s.place(src.axis)
		var order []int32
		count := map[int32]int{}
		for x := s.start[src.axis]; x < s.start[src.axis]+s.width[src.axis]; x++ {
			if why := s.why[s.root(x)]; why != 0 {
				if count[why] == 0 {
					order = append(order, why)
				}
				count[why]++
			}
		}
		for _, why := range order {
			width := count[why]
			if s.width[src.axis] == 1 {
				width = int(v.Shape().Dims[i].Value)
			}
			a.Frozen = append(a.Frozen, Frozen{src.node.Label(), Axis{v, i}, width, s.reasons[why-1]})
		}
	}
}

// Shrinkable tells whether something can be removed from an axis.
func (a *Analysis) Shrinkable(v *graph.Value, i int) bool {
	at := a.space.at(v, i)
	return at != none && !a.space.stuck(at)
}

// ClassesOf are the classes of the indices of an axis, -1 where one must stay;
// nil for an axis that has no atoms of its own, because its size is 1, unknown or too large.
func (a *Analysis) ClassesOf(at Axis) []int {
	x := a.space.at(at.Value, at.Axis)
	if x == none || int64(a.space.width[x]) != at.Value.Shape().Dims[at.Axis].Value {
		return nil
	}
	out := make([]int, a.space.width[x])
	for i := range out {
		out[i] = int(a.class[a.space.root(a.space.start[x]+int32(i))]) - 1
	}
	return out
}

// NumClasses is the number of classes that can be removed.
func (a *Analysis) NumClasses() int { return len(a.classes) }
